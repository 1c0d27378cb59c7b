"""JSON that people type: read as strictly as what clients send, and refused in a form's way."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from scheduler import strict_json


def read_object(text: str) -> dict[str, Any]:
    """Return the JSON object of ``text``. Raises ``ValidationError`` with what is wrong with it."""
    try:
        value = strict_json.read(text)
    except strict_json.UnreadableJson as error:
        raise ValidationError(f"This is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValidationError("Give a JSON object: {…}.")
    try:
        strict_json.check_storable(value)
    except strict_json.UnreadableJson as error:
        raise ValidationError(f"It cannot be stored: {error}") from None
    return value
