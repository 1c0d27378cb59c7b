"""What of the JSON that clients send can be kept: PostgreSQL's JSON is narrower than what parsers let through."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 64
# U+0000 cannot be stored; a lone surrogate is no character at all.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LARGEST_INTEGER = 10**300


class UnreadableJson(ValueError):
    """The text is not JSON, or not JSON that can be kept. The message is a clause fit for an answer."""


def read(data: bytes) -> Any:
    """Return the parsed JSON. Raises ``UnreadableJson``: malformed, too deep, NaN, or a number nobody can keep."""
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except UnreadableJson:
        raise
    except RecursionError:
        raise UnreadableJson("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise UnreadableJson("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise UnreadableJson(f"{error.msg} at line {error.lineno} column {error.colno}") from None
    except ValueError:
        # Python refuses integers of thousands of digits.
        raise UnreadableJson("it holds a number that is too large") from None


def storable_text(text: str) -> bool:
    """Whether a string can be kept in a row."""
    return _UNSTORABLE.search(text) is None


def check_storable(value: Any, *, depth: int = 0) -> None:
    """Raise ``UnreadableJson`` unless ``value`` can be kept in a JSON column."""
    if isinstance(value, str):
        if not storable_text(value):
            raise UnreadableJson("it holds the character U+0000 or half a surrogate pair")
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise UnreadableJson("it holds a number that is too large")
    elif isinstance(value, int):
        if abs(value) > _LARGEST_INTEGER:
            raise UnreadableJson("it holds a number that is too large")
    elif isinstance(value, dict):
        _check_depth(depth)
        for key, item in value.items():
            check_storable(key)
            check_storable(item, depth=depth + 1)
    elif isinstance(value, list):
        _check_depth(depth)
        for item in value:
            check_storable(item, depth=depth + 1)


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise UnreadableJson(f"it is nested more than {MAX_DEPTH} levels deep")


def _refuse_constant(name: str) -> Any:
    raise UnreadableJson(f"{name} is not JSON")
