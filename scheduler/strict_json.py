"""JSON from strangers, read the same at every door: strictly, and within bounds that are looked at before it is built.

What a text costs in memory depends on how many values it has, not on its length: two bytes make an empty list of fifty.
So depth, values and digits are counted in the text first, which takes a fraction of the time that parsing does.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from django.conf import settings

# A backslash and what it escapes stand in strings only.
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_BRACKETS = bytes.maketrans(b"[]{}", b"()()")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
# What a number consists of, all else being spaces.
_DIGITS = bytes(ord("0") if chr(byte) in "+-.0123456789eE" else ord(" ") for byte in range(256))
# U+0000 cannot be stored; a lone surrogate is no character at all.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LARGEST_INTEGER = 10**300
_INFINITE = (float("inf"), float("-inf"))


class UnreadableJson(ValueError):
    """A text is not JSON, or is JSON beyond the bounds, or cannot be kept in a row.

    ``problem`` is a clause fit for an answer. ``path`` names the member at fault (``jobServiceInfo.serviceName``),
    empty where it is the text as a whole.
    """

    def __init__(self, problem: str, *, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path


@dataclass(frozen=True)
class Bounds:
    """How much JSON one text may hold."""

    depth: int
    """Levels of nesting."""
    elements: int
    """Members of objects and items of lists, all together; an empty object or list counts as one more."""
    digits: int
    """Characters of one number."""

    @classmethod
    def of_requests(cls) -> Bounds:
        """Return the bounds that the settings give for what clients send."""
        return cls(settings.JSON_DEPTH_LIMIT, settings.JSON_ELEMENTS_LIMIT, settings.JSON_NUMBER_LIMIT)


# What other servers answer is bounded in bytes already, and nothing but its end is stored.
ANSWERS = Bounds(depth=200, elements=10_000_000, digits=4000)


def read(text: bytes | str, *, bounds: Bounds | None = None) -> Any:
    """Return the value of a JSON text in UTF-8, which may not be fit for a row yet. Raises ``UnreadableJson``.

    ``bounds`` are those of the settings unless given. NaN and Infinity are no JSON; of a key that is repeated the last
    one counts, as in most servers.
    """
    bounds = bounds or Bounds.of_requests()
    try:
        _measure(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"), bounds)
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        return json.loads(text, parse_constant=_refuse_constant)
    except UnreadableJson:
        raise
    except UnicodeDecodeError:
        raise UnreadableJson("the text is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise UnreadableJson(f"malformed JSON at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _too_deep(bounds) from None
    except ValueError:
        # Python reads no integers of thousands of digits.
        raise _too_long(bounds) from None


def read_storable(text: bytes | str, *, bounds: Bounds | None = None) -> Any:
    """Return what ``read`` returns where a row can keep it. Raises ``UnreadableJson``."""
    value = read(text, bounds=bounds)
    check_storable(value, depth=bounds.depth if bounds else None)
    return value


def dumps(value: Any) -> str:
    """Return ``value`` as compact JSON with every character beyond ASCII as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def storable_text(text: str) -> bool:
    """Whether a string can be kept in a row."""
    return _UNSTORABLE.search(text) is None


def check_storable(value: Any, *, depth: int | None = None) -> None:
    """Raise ``UnreadableJson`` unless a row can keep ``value`` as JSON; ``depth`` is the setting's unless given."""
    _check(value, "", settings.JSON_DEPTH_LIMIT if depth is None else depth)


def _measure(text: bytes, bounds: Bounds) -> None:
    """Raise ``UnreadableJson`` where JSON is beyond the bounds; of a text that is none it may say nothing.

    Everything here is linear in the length of the text and left to C: of what is not bounded by counting all there is,
    strings count too, only the exact number is worked out.
    """
    opened = text.count(b"{") + text.count(b"[")
    many = opened + text.count(b",") > bounds.elements
    deep = opened > bounds.depth
    long = len(text) > bounds.digits and b"0" * (bounds.digits + 1) in text.translate(_DIGITS)
    if not (many or deep or long):
        return
    bare = _outside_strings(text)
    if many and bare.count(b"{") + bare.count(b"[") + bare.count(b",") > bounds.elements:
        raise UnreadableJson(f"the JSON has more than {bounds.elements} elements")
    if long and any(len(number) > bounds.digits for number in bare.translate(_DIGITS).split()):
        raise _too_long(bounds)
    if deep and _is_deeper(bare.translate(_BRACKETS, _NO_BRACKETS), bounds.depth):
        raise _too_deep(bounds)


def _outside_strings(text: bytes) -> bytes:
    """Return a JSON text with a space in the place of each string."""
    return b" ".join((_ESCAPED.sub(b"", text) if b"\\" in text else text).split(b'"')[::2])


def _is_deeper(brackets: bytes, depth: int) -> bool:
    """Whether a row of brackets is nested deeper than ``depth``. Each turn takes the innermost level away."""
    for _ in range(depth):
        if b"()" not in brackets:
            return False
        brackets = brackets.replace(b"()", b"")
    return b"()" in brackets


def _check(value: Any, path: str, levels: int) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise UnreadableJson("the character U+0000 is not allowed", path=path)
        if not value.isascii() and not storable_text(value):
            raise UnreadableJson("half of a surrogate pair is not a character", path=path)
    elif isinstance(value, float):
        if value != value or value in _INFINITE:
            raise UnreadableJson("the number is too large", path=path)
    elif isinstance(value, int):
        if not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
            raise UnreadableJson("the number is too large", path=path)
    elif isinstance(value, (dict, list)):
        if levels <= 0:
            raise UnreadableJson("the JSON is nested too deeply", path=path)
        if isinstance(value, list):
            for item in value:
                _check(item, path, levels - 1)
            return
        for key, item in value.items():
            _check(key, path, levels - 1)
            _check(item, f"{path}.{key}" if path else key, levels - 1)


def _too_deep(bounds: Bounds) -> UnreadableJson:
    return UnreadableJson(f"the JSON is nested more than {bounds.depth} levels deep")


def _too_long(bounds: Bounds) -> UnreadableJson:
    return UnreadableJson(f"a number has more than {bounds.digits} digits")


def _refuse_constant(name: str) -> Any:
    raise UnreadableJson(f"{name} is not JSON")
