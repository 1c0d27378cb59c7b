"""Pages of inferences as bytes. No database here: pages are made beside the thread that talks to it.

A page holds its columns as arrays: instants at a steady pace as first and step, numbers in the fewest bytes that hold
them exactly, booleans as bits, texts as numbers into a list of the different ones. What needs all eight bytes is
sorted by significance and compressed where that pays.
"""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np

from zementis import exact_arrays
from zementis.inference_columns import finite

Column: TypeAlias = np.ndarray[Any, np.dtype[Any]]

ROWS_PER_PAGE = 2000
_LENGTH_BYTES = 4
_COMPRESSION = 1
_SAMPLE = 512
_WORTH_IT = 0.9
_FEW_WORDS = 8
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
        return self._cut(device, opened, rest=True) if opened is not None and opened.rows else []

    def drop(self, device: int) -> None:
        """Forget what is left of a device."""
        self._open.pop(device, None)

    def _cut(self, device: int, opened: _Open, *, rest: bool) -> list[EncodedPage]:
        times = _joined([part[0] for part in opened.parts])
        columns = {name: _joined([part[1][name] for part in opened.parts]) for name in opened.parts[0][1]}
        whole = len(times) if rest else len(times) - len(times) % ROWS_PER_PAGE
        writer = _Writer(times[:whole], {name: column[:whole] for name, column in columns.items()})
        pages: list[EncodedPage] = []
        for start in range(0, whole, ROWS_PER_PAGE):
            end = min(start + ROWS_PER_PAGE, whole)
            opened.pages += 1
            pages.append(EncodedPage(device, opened.pages, end - start, writer.page(start, end)))
        # Copies: a slice would keep the whole chunk in memory.
        left = (times[whole:].copy(), {name: column[whole:].copy() for name, column in columns.items()})
        opened.parts, opened.rows = [left] if len(times) > whole else [], len(times) - whole
        return pages


@dataclass
class _Open:
    """Rows of one device that do not fill a page yet."""

    parts: list[tuple[Column, dict[str, Column]]] = field(default_factory=list)
    rows: int = 0
    pages: int = 0


def encode(times: Column, columns: Mapping[str, Column]) -> bytes:
    """Return a page's columns as bytes: a JSON head that names the columns and their pieces, then the pieces."""
    return _Writer(times, columns).page(0, len(times))


class _Writer:
    """Writes columns once, however many pages they make."""

    def __init__(self, times: Column, columns: Mapping[str, Column]) -> None:
        self._columns = [("", _written(np.asarray(times, dtype="<i8")))]
        self._columns += [(name, _written(column)) for name, column in columns.items()]

    def page(self, first: int, last: int) -> bytes:
        """Return the rows from place ``first`` on, before ``last``, as a page."""
        head: list[list[Any]] = []
        pieces: list[bytes] = []
        for name, column in self._columns:
            kind, code, found = column.part(first, last)
            head.append([name, kind, [len(piece) for piece in found], code])
            pieces += found
        first_bytes = json.dumps({"rows": last - first, "columns": head}).encode()
        return b"".join([len(first_bytes).to_bytes(_LENGTH_BYTES, "big"), first_bytes, *pieces])


class _Piece(Protocol):
    """A written column. ``part``: the kind, what is needed to read it, and its bytes."""

    def part(self, first: int, last: int) -> tuple[str, Any, list[bytes]]: ...


@dataclass(frozen=True)
class _Bits:
    column: Column

    def part(self, first: int, last: int) -> tuple[str, Any, list[bytes]]:
        return "t", None, [np.packbits(self.column[first:last]).tobytes()]


@dataclass(frozen=True)
class _Numbers:
    """Numbers that fewer bytes hold exactly."""

    written: exact_arrays.Written

    def part(self, first: int, last: int) -> tuple[str, Any, list[bytes]]:
        code, data = self.written.part(first, last)
        return "n", code, [data]


@dataclass(frozen=True)
class _Doubles:
    """Numbers that need all their bytes: sorted by significance, neighbours share the high ones."""

    column: Column

    def part(self, first: int, last: int) -> tuple[str, Any, list[bytes]]:
        return "f", None, _shuffled(self.column[first:last])


@dataclass(frozen=True)
class _Words:
    """Numbers into a list of the different values."""

    codes: Column
    words: list[Any]

    def part(self, first: int, last: int) -> tuple[str, Any, list[bytes]]:
        return f"w{self.codes.itemsize}", self.words, [self.codes[first:last].tobytes()]


def _written(column: Column) -> _Piece:
    if column.dtype.kind == "b":
        return _Bits(column)
    if column.dtype.kind in "iu":
        return _Numbers(exact_arrays.integers(column))
    if column.dtype.kind == "f":
        column = column.astype("<f8", copy=False)
        written = exact_arrays.floats(column)
        return _Numbers(written) if written.width < column.itemsize else _Doubles(column)
    return _words(column)


def _words(column: Column) -> _Words:
    found = _few_words(column)
    if found is not None:
        return found
    # A boolean and a number may be equal; as keys they must not be taken for each other.
    codes: dict[Any, int] = {}
    numbers = [codes.setdefault((type(value), value), len(codes)) for value in column.tolist()]
    words = [value for _, value in codes]
    narrowest = next(dtype for dtype in ("<u1", "<u2", "<u4") if len(words) <= 1 << 8 * np.dtype(dtype).itemsize)
    return _Words(np.array(numbers, dtype=narrowest), words)


def _few_words(column: Column) -> _Words | None:
    """Return a column of a few texts, as labels are, without a Python object per row; None where it is another."""
    codes = np.empty(len(column), dtype=np.uint8)
    words: list[Any] = []
    rest = np.arange(len(column))
    while len(rest):
        word = column[rest[0]]
        if not isinstance(word, str) or len(words) == _FEW_WORDS:
            return None
        same = column[rest] == word
        codes[rest[same]] = len(words)
        words.append(word)
        rest = rest[~same]
    return _Words(codes, words)


def decode(device: int, data: bytes) -> Page:
    """Undo ``encode``; numbers that are not finite come back as None."""
    begin = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
    head = json.loads(data[_LENGTH_BYTES:begin])
    decoded: dict[str, list[Any]] = {}
    times: list[int] = []
    for place, (name, kind, lengths, code) in enumerate(head["columns"]):
        ends = np.cumsum([begin, *lengths]).tolist()
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
        return np.unpackbits(np.frombuffer(pieces[0], dtype=np.uint8), count=rows).astype(np.bool_).tolist()
    if kind[0] == "w":
        return [code[number] for number in np.frombuffer(pieces[0], dtype=f"<u{kind[1]}").tolist()]
    if kind == "f":
        return finite(_unshuffled(b"".join(map(_unpacked, pieces))))
    return finite(exact_arrays.read(code, pieces[0], rows))


def _joined(parts: list[Column]) -> Column:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _shuffled(array: Column) -> list[bytes]:
    """Return eight-byte numbers by the significance of their bytes: the low six of each, then the high two."""
    shuffled = np.ascontiguousarray(array).view(np.uint8).reshape(-1, 8).T.tobytes()
    low = len(array) * 6
    return [_packed(shuffled[:low]), _packed(shuffled[low:])]


def _unshuffled(data: bytes) -> Column:
    return np.ascontiguousarray(np.frombuffer(data, dtype=np.uint8).reshape(8, -1).T).view("<f8").reshape(-1)


def _packed(data: bytes) -> bytes:
    """Return bytes behind a mark, compressed where a sample of them says that it pays; noise costs much to find out."""
    middle = len(data) // 2
    sample = data[middle : middle + _SAMPLE]
    if len(zlib.compress(sample, _COMPRESSION)) > len(sample) * _WORTH_IT:
        return _RAW + data
    return _ZLIB + zlib.compress(data, _COMPRESSION)


def _unpacked(data: bytes) -> bytes:
    return zlib.decompress(data[1:]) if data[:1] == _ZLIB else data[1:]
