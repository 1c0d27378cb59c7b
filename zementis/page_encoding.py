"""Pages of inferences as bytes. No database here: pages are made beside the thread that talks to it.

A page holds its columns as raw arrays, their bytes sorted by significance (neighbouring numbers share their high
bytes), texts as numbers into a list of the different ones, all compressed.
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
    """Return a page's columns as compressed bytes: a JSON head that names the columns, then their arrays."""
    head: list[list[Any]] = []
    arrays: list[bytes] = [_shuffled(np.asarray(times, dtype="<i8"))]
    for name, column in columns.items():
        kind, data, words = _encoded(column)
        head.append([name, kind, len(data), *([words] if words is not None else [])])
        arrays.append(data)
    first = json.dumps({"rows": len(times), "columns": head}).encode()
    return zlib.compress(b"".join([len(first).to_bytes(_LENGTH_BYTES, "big"), first, *arrays]), _COMPRESSION)


def _encoded(column: Column) -> tuple[str, bytes, list[Any] | None]:
    """Return a column's kind, its bytes, and the different words of a column of texts."""
    if column.dtype.kind == "b":
        return "b", column.astype(np.uint8).tobytes(), None
    if column.dtype.kind == "f":
        return "f", _shuffled(column.astype("<f8")), None
    if column.dtype.kind in "iu":
        return "i", _shuffled(column.astype("<i8")), None
    codes: dict[Any, int] = {}
    # A boolean and a number may be equal; as keys they must not be taken for each other.
    numbers = [codes.setdefault((type(value), value), len(codes)) for value in column.tolist()]
    return "w", np.array(numbers, dtype="<u2").tobytes(), [value for _, value in codes]


def decode(device: int, data: bytes) -> Page:
    """Undo ``encode``; numbers that are not finite come back as None."""
    raw = zlib.decompress(data)
    begin = _LENGTH_BYTES + int.from_bytes(raw[:_LENGTH_BYTES], "big")
    head = json.loads(raw[_LENGTH_BYTES:begin])
    times = _unshuffled(raw[begin : begin + 8 * head["rows"]], "<i8").tolist()
    begin += 8 * head["rows"]
    columns: dict[str, list[Any]] = {}
    for name, kind, length, *words in head["columns"]:
        part = raw[begin : begin + length]
        begin += length
        if kind == "b":
            columns[name] = np.frombuffer(part, dtype=np.bool_).tolist()
        elif kind == "w":
            known = words[0]
            columns[name] = [known[code] for code in np.frombuffer(part, dtype="<u2").tolist()]
        else:
            columns[name] = finite(_unshuffled(part, "<f8" if kind == "f" else "<i8"))
    return Page(device, times, columns)


def _shuffled(array: Column) -> bytes:
    return np.ascontiguousarray(array).view(np.uint8).reshape(-1, 8).T.tobytes()


def _unshuffled(data: bytes, dtype: str) -> Column:
    return np.ascontiguousarray(np.frombuffer(data, dtype=np.uint8).reshape(8, -1).T).view(dtype).reshape(-1)
