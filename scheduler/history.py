"""What of a run is kept: the four history strategies, as pure rules.

The meaning comes from the Volt MX Foundry reference ("historyStrategy") and holds for every kind of job:
OFF shows nothing, MINIMAL a row without payload, ERROR the payload of failed runs only, FULL every payload.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from math import isfinite
from typing import Any

# Made once: ``json.dumps`` makes one for each text, which takes longer than the text of a usual payload.
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Strategy(StrEnum):
    """The history strategies by their wire names."""

    OFF = "OFF"
    MINIMAL = "MINIMAL"
    ERROR = "ERROR"
    FULL = "FULL"


@dataclass(frozen=True)
class Kept:
    """What history keeps of one run: whether its row is shown, and whether its payload is stored."""

    visible: bool
    payload: bool


@lru_cache(maxsize=16)
def kept(strategy: str, *, failed: bool) -> Kept:
    """Return what ``strategy`` keeps of a run that ``failed`` or not."""
    chosen = Strategy(strategy)
    return Kept(
        visible=chosen is not Strategy.OFF,
        payload=chosen is Strategy.FULL or (chosen is Strategy.ERROR and failed),
    )


@dataclass(frozen=True)
class Capped:
    """A payload as it is stored: JSON text of at most the limit, and whether something was cut off."""

    text: str | None
    truncated: bool


def capped(payload: Any, *, limit: int) -> Capped:
    """Return ``payload`` as JSON text of at most ``limit`` bytes of UTF-8 (at least 64).

    A payload within the limit comes back as the JSON it is. A longer one is cut at a character boundary and stored as
    a JSON string of its beginning, so that what is stored is always valid JSON. Never raises: a payload that cannot be
    written must not cost the run its end.
    """
    if payload is None:
        return Capped(None, False)
    try:
        text = _dumped(_storable(payload))
    except Exception as error:
        return Capped(_dumped(f"not recorded: {type(error).__name__}"), True)
    if _size(text) <= limit:
        return Capped(text, False)
    return Capped(_dumped(_beginning(text, limit)), True)


def capped_messages(messages: Sequence[str], *, limit: int) -> str:
    """Return ``messages`` as the JSON text of a list, of at most ``limit`` bytes (at least 64).

    What does not fit is left out, the first message of it cut and marked with an ellipsis.
    """
    if not messages:
        return "[]"
    kept: list[str] = []
    left = limit - 2
    for message in messages:
        text = storable_text(str(message))
        if _size(_dumped(text)) > left:
            kept.append(_beginning(text, left - 3) + "…")
            break
        kept.append(text)
        left -= _size(_dumped(text)) + 1
        if left < 16:
            break
    return _dumped(kept)


def storable_text(text: str) -> str:
    """Return ``text`` with what PostgreSQL cannot hold replaced: U+0000 and halves of surrogate pairs."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _beginning(text: str, limit: int) -> str:
    """Return as much of ``text`` as takes ``limit`` bytes of JSON: escaping makes some characters longer."""
    lengths = range(min(len(text), limit) + 1)
    return text[: max(bisect_right(lengths, limit, key=lambda length: _size(_dumped(text[:length]))) - 1, 0)]


def _dumped(value: Any) -> str:
    return _encoder.encode(value)


def _size(text: str) -> int:
    return len(text.encode())


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, float):
        # NaN and the infinities are no JSON.
        return float(value) if isfinite(value) else None
    if isinstance(value, dict):
        return {storable_text(str(key)): _storable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable(item) for item in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    return storable_text(str(value))
