"""Pages of inferences as bytes. No database here: pages are made beside the thread that talks to it.

A page holds its columns as arrays: numbers with their bytes sorted by significance (neighbours share the high ones),
texts as numbers into a list of the different ones, each piece compressed where that pays.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from zementis.inference_columns import finite

Column: TypeAlias = np.ndarray[Any, np.dtype[Any]]

ROWS_PER_PAGE = 2000
_LENGTH_BYTES = 4
_COMPRESSION = 1
_SAMPLE = 512
_WORTH_IT = 0.9
_RAW, _ZLIB = b"r", b"z"


@dataclass(frozen=True)
class Page:
    """A page as it is read. ``times`` in microseconds since 1970; columns in the order of the model's outputs."""

    device: int
    times: list[int]
    columns: dict[str, list[Any]]


@dataclass(frozen=True)
class EncodedPage:
    """A page ready to be stored. ``number`` counts from 1 per device."""

    device: int
    number: int
    rows: int
    data: bytes


@dataclass
class PageMaker:
    """Cuts the inferences of devices into pages. The rows of a device come in the order of time."""

    _open: dict[int, _Open] = field(default_factory=dict, init=False)

    def add(self, device: int, times: Column, columns: Mapping[str, Column]) -> list[EncodedPage]:
        """Take rows of a device and give the pages that are full now."""
        opened = self._open.setdefault(device, _Open())
        opened.parts.append((times, dict(columns)))
        opened.rows += len(times)
        return self._cut(device, opened, rest=False) if opened.rows >= ROWS_PER_PAGE else []

    def end(self, device: int) -> list[EncodedPage]:
        """Give what is left of a device as its last page."""
        opened = self._open.pop(device, None)
        return self._cut(device, opened, rest=True) if opened is not None else []

    def drop(self, device: int) -> None:
        """Forget what is left of a device."""
        self._open.pop(device, None)

    def _cut(self, device: int, opened: _Open, *, rest: bool) -> list[EncodedPage]:
        times = np.concatenate([part[0] for part in opened.parts])
        columns = {name: np.concatenate([part[1][name] for part in opened.parts]) for name in opened.parts[0][1]}
        pages: list[EncodedPage] = []
        start = 0
        while len(times) - start >= ROWS_PER_PAGE or (rest and start < len(times)):
            part = slice(start, start + ROWS_PER_PAGE)
            opened.pages += 1
            data = encode(times[part], {name: column[part] for name, column in columns.items()})
            pages.append(EncodedPage(device, opened.pages, len(times[part]), data))
            start += ROWS_PER_PAGE
        # Copies: a slice would keep the whole chunk in memory.
        opened.parts = [(times[start:].copy(), {name: column[start:].copy() for name, column in columns.items()})]
        opened.rows = max(len(times) - start, 0)
        return pages


@dataclass
class _Open:
    """Rows of one device that do not fill a page yet."""

    parts: list[tuple[Column, dict[str, Column]]] = field(default_factory=list)
    rows: int = 0
    pages: int = 0


def encode(times: Column, columns: Mapping[str, Column]) -> bytes:
    """Return a page's columns as bytes: a JSON head that names the columns and their pieces, then the pieces."""
    pieces = _numbers(np.asarray(times, dtype="<i8"))
    head: list[list[Any]] = [["", "i", [len(piece) for piece in pieces]]]
    for name, column in columns.items():
        kind, found, words = _encoded(column)
        head.append([name, kind, [len(piece) for piece in found], *([words] if words is not None else [])])
        pieces += found
    first = json.dumps({"rows": len(times), "columns": head}).encode()
    return b"".join([len(first).to_bytes(_LENGTH_BYTES, "big"), first, *pieces])


def _encoded(column: Column) -> tuple[str, list[bytes], list[Any] | None]:
    """Return a column's kind, its pieces, and the different words of a column of texts."""
    if column.dtype.kind == "b":
        return "b", [_packed(column.astype(np.uint8).tobytes())], None
    if column.dtype.kind == "f":
        return "f", _numbers(column.astype("<f8")), None
    if column.dtype.kind in "iu":
        return "i", _numbers(column.astype("<i8")), None
    codes: dict[Any, int] = {}
    # A boolean and a number may be equal; as keys they must not be taken for each other.
    numbers = [codes.setdefault((type(value), value), len(codes)) for value in column.tolist()]
    return "w", [_packed(np.array(numbers, dtype="<u2").tobytes())], [value for _, value in codes]


def decode(device: int, data: bytes) -> Page:
    """Undo ``encode``; numbers that are not finite come back as None."""
    begin = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
    head = json.loads(data[_LENGTH_BYTES:begin])
    decoded: dict[str, list[Any]] = {}
    times: list[int] = []
    for place, (name, kind, lengths, *words) in enumerate(head["columns"]):
        raw = b""
        for length in lengths:
            raw += _unpacked(data[begin : begin + length])
            begin += length
        if kind == "b":
            values = np.frombuffer(raw, dtype=np.bool_).tolist()
        elif kind == "w":
            values = [words[0][code] for code in np.frombuffer(raw, dtype="<u2").tolist()]
        else:
            values = finite(_unshuffled(raw, "<f8" if kind == "f" else "<i8"))
        if place == 0:
            times = values
        else:
            decoded[name] = values
    return Page(device, times, decoded)


def _numbers(array: Column) -> list[bytes]:
    """Return eight-byte numbers by the significance of their bytes: the low six of each, then the high two."""
    shuffled = np.ascontiguousarray(array).view(np.uint8).reshape(-1, 8).T.tobytes()
    low = len(array) * 6
    return [_packed(shuffled[:low]), _packed(shuffled[low:])]


def _unshuffled(data: bytes, dtype: str) -> Column:
    return np.ascontiguousarray(np.frombuffer(data, dtype=np.uint8).reshape(8, -1).T).view(dtype).reshape(-1)


def _packed(data: bytes) -> bytes:
    """Return bytes behind a mark, compressed where a sample of them says that it pays; noise costs much to find out."""
    middle = len(data) // 2
    sample = data[middle : middle + _SAMPLE]
    if len(zlib.compress(sample, _COMPRESSION)) > len(sample) * _WORTH_IT:
        return _RAW + data
    return _ZLIB + zlib.compress(data, _COMPRESSION)


def _unpacked(data: bytes) -> bytes:
    return zlib.decompress(data[1:]) if data[:1] == _ZLIB else data[1:]
