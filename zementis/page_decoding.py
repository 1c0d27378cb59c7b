"""Pages of inferences as they were before ``zementis.page_encoding`` wrote them.

Plain Python: the web process serves pages, and importing NumPy for the first would take longer than the page.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LENGTH_BYTES = 4
RAW, ZLIB = b"r", b"z"

_UNSIGNED = {1: "B", 2: "H", 4: "I"}
_SIGNED = {2: "h", 4: "i"}
_FLOATS = {4: "f", 8: "d"}
# The eight booleans of each byte, the highest bit first.
_BITS = [[bool(byte >> place & 1) for place in range(7, -1, -1)] for byte in range(256)]


@dataclass(frozen=True)
class Page:
    """A page as it is read. ``times`` in microseconds since 1970; columns in the order of the model's outputs."""

    device: int
    times: list[int]
    columns: dict[str, list[Any]]


def decode(device: int, data: bytes) -> Page:
    """Return a page; numbers that are not finite come back as None."""
    begin = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "big")
    head = json.loads(data[LENGTH_BYTES:begin])
    decoded: dict[str, list[Any]] = {}
    times: list[int] = []
    for place, (name, kind, lengths, code) in enumerate(head["columns"]):
        ends = list(itertools.accumulate(lengths, initial=begin))
        pieces = [data[start:end] for start, end in itertools.pairwise(ends)]
        begin = ends[-1]
        values = _read(kind, code, pieces, head["rows"])
        if place == 0:
            times = values
        else:
            decoded[name] = values
    return Page(device, times, decoded)


def _read(kind: str, code: Any, pieces: list[bytes], rows: int) -> list[Any]:
    if kind == "t":
        return list(itertools.chain.from_iterable(map(_BITS.__getitem__, pieces[0])))[:rows]
    if kind[0] == "w":
        return [code[number] for number in _array(_UNSIGNED[int(kind[1])], pieces[0])]
    if kind == "f":
        return _finite(_unshuffled(b"".join(map(_unpacked, pieces))))
    return _numbers(code, pieces[0], rows)


def _numbers(code: Sequence[Any], data: bytes, rows: int) -> list[Any]:
    """Undo what ``zementis.exact_arrays`` did."""
    kind = code[0]
    if kind == "s":
        first, step = code[1:]
        return list(range(first, first + step * rows, step)) if step else [first] * rows
    if kind == "i":
        base = code[2]
        return [base + value for value in _array(_UNSIGNED[code[1]], data)]
    if kind == "d":
        scale = 10.0 ** code[2]
        return [value / scale for value in _array(_SIGNED[code[1]], data)]
    if kind == "f":
        return _finite(_array(_FLOATS[code[1]], data))
    return _array("q", data).tolist()


def _finite(values: array[float]) -> list[Any]:
    found: list[Any] = values.tolist()
    # Where the sum of all is finite, so is each.
    if not math.isfinite(sum(found)):
        return [value if math.isfinite(value) else None for value in found]
    return found


def _array(kind: str, data: bytes) -> array[Any]:
    found = array(kind)
    found.frombytes(data)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _unshuffled(data: bytes) -> array[float]:
    """Return numbers whose bytes stand by significance, the lowest of all first."""
    rows = len(data) // 8
    whole = bytearray(len(data))
    for place in range(8):
        whole[place::8] = data[place * rows : (place + 1) * rows]
    return _array("d", bytes(whole))


def _unpacked(data: bytes) -> bytes:
    return zlib.decompress(data[1:]) if data[:1] == ZLIB else data[1:]
