"""Arrays of numbers as few bytes, exactly: every value comes back bit for bit, or the array is stored as it is.

What is written has a code, which JSON can hold, and bytes; ``read`` takes both. Parts of it can be cut out as they are.

    ["s", first, step]   an arithmetic sequence: instants at a steady pace, ids given in a row; no bytes
    ["i", width, base]   whole numbers above ``base`` in ``width`` bytes without a sign
    ["d", width, digits] decimal fractions of so many digits, scaled to whole numbers with a sign
    ["f", width]         floating point of four or eight bytes
    ["l"]                whole numbers of eight bytes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Code: TypeAlias = list[Any]

# Sensors give a few decimals; more than these are measured in floating point anyway.
_MOST_DIGITS = 6
_SAMPLE = 32
_UNSIGNED = (1, 2, 4)
_SIGNED = (2, 4)


@dataclass(frozen=True)
class Written:
    """An array as bytes: ``width`` bytes a value."""

    code: Code
    data: bytes
    width: int

    def part(self, first: int, last: int) -> tuple[Code, bytes]:
        """Return code and bytes of the values from place ``first`` on, before ``last``."""
        if self.code[0] == "s":
            return ["s", self.code[1] + first * self.code[2], self.code[2]], b""
        return self.code, self.data[first * self.width : last * self.width]


def integers(array: Array) -> Written:
    """Write int64 values."""
    array = np.ascontiguousarray(array, dtype="<i8")
    if len(array) < 2:
        return Written(["s", int(array[0]) if len(array) else 0, 0], b"", 0)
    step = int(array[1]) - int(array[0])
    if int(array[-1]) - int(array[0]) == step * (len(array) - 1) and bool((array[1:] - array[:-1] == step).all()):
        return Written(["s", int(array[0]), step], b"", 0)
    base = int(array.min())
    spread = int(array.max()) - base
    for width in _UNSIGNED:
        if spread < 1 << 8 * width:
            return Written(["i", width, base], (array - base).astype(f"<u{width}").tobytes(), width)
    return Written(["l"], array.tobytes(), 8)


def singles(array: Array) -> Written:
    """Write float32 values."""
    return Written(["f", 4], np.ascontiguousarray(array, dtype="<f4").tobytes(), 4)


def floats(array: Array) -> Written:
    """Write float64 values; what is not a number keeps its place."""
    array = np.ascontiguousarray(array, dtype="<f8")
    bits = array.view("<i8")
    with np.errstate(over="ignore", invalid="ignore"):
        single = array.astype("<f4")
        if bool((single.astype("<f8").view("<i8") == bits).all()):
            return Written(["f", 4], single.tobytes(), 4)
        digits = _digits(array[:_SAMPLE])
        if digits is not None:
            scale = 10.0**digits
            scaled = np.rint(array * scale)
            largest = float(np.abs(scaled).max())
            for width in _SIGNED:
                if largest < 1 << (8 * width - 1):
                    whole = scaled.astype(f"<i{width}")
                    # What will be read is looked at: a whole number has no negative zero.
                    if bool(((whole / scale).view("<i8") == bits).all()):
                        return Written(["d", width, digits], whole.tobytes(), width)
                    break
    return Written(["f", 8], array.tobytes(), 8)


def _digits(sample: Array) -> int | None:
    """Return how many decimals hold the sample exactly, None where more than a sensor has would not do."""
    for digits in range(_MOST_DIGITS + 1):
        scale = 10.0**digits
        if bool((np.rint(sample * scale) / scale == sample).all()):
            return digits
    return None


def read(code: Sequence[Any], data: bytes | memoryview, count: int) -> Array:
    """Return what ``integers`` (int64) or ``floats`` (float64) wrote: ``count`` values, not always writable."""
    kind = code[0]
    array: Array
    if kind == "s":
        first, step = code[1:]
        array = np.arange(count, dtype=np.int64) * step + first
    elif kind == "i":
        array = np.frombuffer(data, dtype=f"<u{code[1]}").astype(np.int64) + code[2]
    elif kind == "d":
        array = np.frombuffer(data, dtype=f"<i{code[1]}") / 10.0 ** code[2]
    elif kind == "f":
        array = np.frombuffer(data, dtype=f"<f{code[1]}").astype(np.float64, copy=False)
    else:
        array = np.frombuffer(data, dtype="<i8")
    return array
