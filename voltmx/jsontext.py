"""JSON from strangers: read strictly and within bounds, so that whatever comes back can be stored and sent on."""

from __future__ import annotations

import json
from typing import Any

MAX_DEPTH = 32


class UnreadableJson(ValueError):
    """A text is not JSON, or is JSON that cannot be kept: too deep, or with characters no database row can hold.

    ``path`` names the member at fault (``jobServiceInfo.serviceName``), empty where it is the text as a whole.
    """

    def __init__(self, problem: str, *, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path


def loads(text: bytes | str, *, max_depth: int = MAX_DEPTH) -> Any:
    """Return the value of a JSON text in UTF-8. Raises ``UnreadableJson``.

    NaN and Infinity are no JSON; of a key that is repeated the last one counts, as in most servers.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise UnreadableJson("the text is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise UnreadableJson(f"malformed JSON at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise UnreadableJson(f"the JSON is nested more than {max_depth} levels deep") from None
    except ValueError as error:
        # Numbers of thousands of digits, and the constants.
        problem = str(error) if isinstance(error, _NoJson) else "a number has too many digits"
        raise UnreadableJson(problem) from None
    _check(value, "", max_depth)
    return value


def dumps(value: Any) -> str:
    """Return ``value`` as compact JSON with every character beyond ASCII as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class _NoJson(ValueError):
    pass


def _refuse_constant(name: str) -> Any:
    raise _NoJson(f"{name} is not JSON")


def _check(value: Any, path: str, levels: int) -> None:
    """Raise ``UnreadableJson`` for U+0000 and lone surrogates, which PostgreSQL refuses, and for too deep nesting."""
    if isinstance(value, str):
        if "\x00" in value:
            raise UnreadableJson("the character U+0000 is not allowed", path=path)
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise UnreadableJson("half of a surrogate pair is not a character", path=path)
    elif isinstance(value, float) and value in (float("inf"), float("-inf")):
        raise UnreadableJson("the number is too large", path=path)
    elif isinstance(value, (dict, list)):
        if levels == 0:
            raise UnreadableJson(f"the JSON is nested more than {MAX_DEPTH} levels deep", path=path)
        if isinstance(value, list):
            for item in value:
                _check(item, path, levels - 1)
            return
        for key, item in value.items():
            _check(key, path, levels - 1)
            _check(item, f"{path}.{key}" if path else key, levels - 1)
