"""JSON that people type: read strictly, so that whatever is accepted can be stored."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError

DEEPEST = 64


def read_object(text: str) -> dict[str, Any]:
    """Return the JSON object of ``text``. Raises ``ValidationError`` with what is wrong with it."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ValidationError(f"This is no JSON: {error}") from None
    check_object(value)
    return value  # type: ignore[no-any-return]


def check_object(value: Any) -> None:
    """Raise ``ValidationError`` unless ``value`` is an object that PostgreSQL can hold as JSON."""
    if not isinstance(value, dict):
        raise ValidationError("Give a JSON object: {…}.")
    if _depth(value) > DEEPEST:
        raise ValidationError(f"At most {DEEPEST} levels of nesting can be stored.")
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except ValueError:
        raise ValidationError("It holds a number or a character that cannot be stored.") from None
    if "\\u0000" in text:
        raise ValidationError("It holds the character U+0000, which cannot be stored.")


def _depth(value: Any) -> int:
    """Return how deeply ``value`` is nested, without recursion."""
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        ]
    return depth - 1


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
