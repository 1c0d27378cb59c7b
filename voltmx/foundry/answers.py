"""Whether a service's answer means success. Pure.

Success: HTTP 200, a body that is a JSON object, ``opstatus`` absent or 0, and the success criterion, if any, in the
body. The criterion is looked for only when ``opstatus`` is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scheduler.strict_json import ANSWERS, UnreadableJson, read_storable
from voltmx.foundry.calls import masked
from voltmx.foundry.client import Answer
from voltmx.secret import MASK, is_credential

INTERNAL = "Internal error during job execution"
_RETRYABLE = frozenset((429, 502, 503, 504))
_TEXT_SHOWN = 16_384


@dataclass(frozen=True)
class Verdict:
    """What an answer means. ``message`` says why it is no success, empty for one."""

    succeeded: bool
    message: str = ""
    retryable: bool = False


def judge(answer: Answer, *, criterion: str = "") -> Verdict:
    """Return what ``answer`` means."""
    if answer.status != 200:
        told = _told(_parsed(answer))
        return Verdict(False, f"{INTERNAL}: HTTP status {answer.status}{told}", answer.status in _RETRYABLE)
    if not answer.body.strip():
        return Verdict(False, f"{INTERNAL}: the answer is empty")
    value = _parsed(answer)
    if value is None:
        return Verdict(False, f"{INTERNAL}: the answer is not a JSON object")
    opstatus = value.get("opstatus", 0)
    if not _is_zero(opstatus):
        return Verdict(False, f"opstatus {opstatus}{_told(value)}"[:1000])
    if criterion and criterion not in answer.body.decode("utf-8", "replace"):
        return Verdict(False, "the answer does not meet the success criteria")
    return Verdict(True)


def shown(answer: Answer) -> dict[str, Any]:
    """Return an answer for history: credentials replaced, a body that is no JSON object as text."""
    headers = {name: MASK if is_credential(name) else value for name, value in answer.headers.items()}
    value = _parsed(answer)
    body = masked(value) if value is not None else answer.body[:_TEXT_SHOWN].decode("utf-8", "replace")
    return {"status": answer.status, "headers": headers, "body": body, "milliseconds": answer.milliseconds}


def _parsed(answer: Answer) -> dict[str, Any] | None:
    try:
        value = read_storable(answer.body, bounds=ANSWERS)
    except UnreadableJson:
        return None
    return value if isinstance(value, dict) else None


def _is_zero(opstatus: Any) -> bool:
    """Whether an opstatus is 0, however a server writes its numbers."""
    if isinstance(opstatus, str):
        return opstatus.strip() == "0"
    return not isinstance(opstatus, bool) and isinstance(opstatus, (int, float)) and opstatus == 0


def _told(value: dict[str, Any] | None) -> str:
    """Return what a Foundry server says about its failure, as the end of a sentence."""
    text = (value or {}).get("errmsg") or (value or {}).get("message")
    return f": {text}"[:500] if isinstance(text, str) and text else ""
