"""Protocol Buffers' wire format, as far as ONNX files need it.

The `onnx` package would bring a schema for all of it, and 70 MB; what is needed is to look into untrusted files
before onnxruntime does, to swap a few fields, and to write one operator. Wire format as in the encoding guide of
protobuf.dev: each field is a key (number << 3 | wire type) and a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10


class WireError(ValueError):
    """The bytes are not a Protocol Buffers message."""


@dataclass(frozen=True, slots=True)
class WireField:
    """One field: its number, and the value as an int (varint) or as bytes. ``raw`` is the field with its key."""

    number: int
    wire_type: int
    value: int | memoryview
    raw: memoryview

    def message(self) -> memoryview:
        """Give the bytes of an embedded message or string. Raises WireError where the field is a number."""
        if isinstance(self.value, int):
            raise WireError(f"field {self.number} is not a message")
        return self.value

    def text(self) -> str:
        """Give a string field's text. Raises WireError."""
        try:
            return bytes(self.message()).decode()
        except UnicodeDecodeError as error:
            raise WireError(f"field {self.number} is not UTF-8") from error

    def integers(self) -> list[int]:
        """Give the int64 values of a field that may be packed. Raises WireError."""
        if isinstance(self.value, int):
            return [_signed(self.value)]
        values = []
        position = 0
        while position < len(self.value):
            value, position = _varint(self.value, position)
            values.append(_signed(value))
        return values


def fields(data: bytes | memoryview) -> Iterator[WireField]:
    """Give a message's fields in order. Raises WireError."""
    view = memoryview(data)
    position = 0
    while position < len(view):
        start = position
        key, position = _varint(view, position)
        number, wire_type = key >> 3, key & 7
        value: int | memoryview
        if number == 0:
            raise WireError("field number 0")
        if wire_type == VARINT:
            value, position = _varint(view, position)
        elif wire_type in (FIXED64, FIXED32, LENGTH):
            size, position = (
                (8 if wire_type == FIXED64 else 4, position) if wire_type != LENGTH else _varint(view, position)
            )
            if position + size > len(view):
                raise WireError("a field is longer than the file")
            value = view[position : position + size]
            position += size
        else:
            raise WireError(f"wire type {wire_type}")
        yield WireField(number, wire_type, value, view[start:position])


def encode(number: int, value: int | bytes | str) -> bytes:
    """Write one field: an int as a varint, bytes and text with their length."""
    if isinstance(value, int):
        return _write_varint(number << 3 | VARINT) + _write_varint(value & 0xFFFF_FFFF_FFFF_FFFF)
    payload = value.encode() if isinstance(value, str) else value
    return _write_varint(number << 3 | LENGTH) + _write_varint(len(payload)) + payload


def encode_packed(number: int, values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> bytes:
    """Write a packed repeated int64 field; all numbers at once, since a forest has millions of them."""
    unsigned = values.astype(np.uint64)
    shifts = np.arange(_MAX_VARINT_BYTES, dtype=np.uint64) * np.uint64(7)
    groups = unsigned[:, None] >> shifts
    # A number ends with the last group that is not zero; the first group is always written.
    lengths = np.maximum(1, np.count_nonzero(groups, axis=1))
    place = np.arange(_MAX_VARINT_BYTES)
    more = np.where(place < lengths[:, None] - 1, 0x80, 0).astype(np.uint8)
    octets = (groups & np.uint64(0x7F)).astype(np.uint8) | more
    return encode(number, octets[place < lengths[:, None]].tobytes())


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    result = 0
    for shift in range(_MAX_VARINT_BYTES):
        if position >= len(view):
            raise WireError("the file ends within a number")
        byte = view[position]
        position += 1
        result |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return result, position
    raise WireError("a number is too long")


def _write_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _signed(value: int) -> int:
    value &= 0xFFFF_FFFF_FFFF_FFFF
    return value - (1 << 64) if value >= 1 << 63 else value
