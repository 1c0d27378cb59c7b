"""Pages of inferences as bytes. No database here: pages are made beside the thread that talks to it.

A page holds its columns as arrays: instants at a steady pace as first and step, numbers in the fewest bytes that hold
them exactly, booleans as bits, texts as numbers into a list of the different ones. What needs all eight bytes is
sorted by significance and compressed where that pays.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np

from zementis import exact_arrays
from zementis.page_decoding import LENGTH_BYTES, RAW, ZLIB

Column: TypeAlias = np.ndarray[Any, np.dtype[Any]]

ROWS_PER_PAGE = 2000
_COMPRESSION = 1
_SAMPLE = 512
_WORTH_IT = 0.9
# Of eight bytes, the low ones are mostly noise and the high ones shared by neighbours.
_LOW_BYTES = 6
# Setting up a compression takes as long as writing a page of a hundred rows, and would save a few of its bytes.
_LEAST_COMPRESSED = 1024


@dataclass(frozen=True)
class EncodedPage:
    """A page ready to be stored. ``number`` counts from 1 per device."""

    device: int
    number: int
    rows: int
    data: bytes


@dataclass
class PageMaker:
    """Cuts the inferences of devices into pages. The rows of a device come in the order of time.

    ``words``: the texts of the columns that come as numbers into them.
    """

    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
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
        writer = _Writer(times[:whole], {name: column[:whole] for name, column in columns.items()}, self.words)
        found: list[EncodedPage] = []
        for start in range(0, whole, ROWS_PER_PAGE):
            end = min(start + ROWS_PER_PAGE, whole)
            opened.pages += 1
            found.append(EncodedPage(device, opened.pages, end - start, writer.page(start, end)))
        # Copies: a slice would keep the whole chunk in memory.
        left = (times[whole:].copy(), {name: column[whole:].copy() for name, column in columns.items()})
        opened.parts, opened.rows = [left] if len(times) > whole else [], len(times) - whole
        return found


@dataclass
class _Open:
    """Rows of one device that do not fill a page yet."""

    parts: list[tuple[Column, dict[str, Column]]] = field(default_factory=list)
    rows: int = 0
    pages: int = 0


def pages(
    devices: Sequence[int],
    edges: Column,
    times: Column,
    columns: Mapping[str, Column],
    *,
    words: Mapping[str, Sequence[str]] | None = None,
) -> list[list[EncodedPage]]:
    """Return the pages of devices all whose rows are here, device after device; ``edges`` tell where each one's are.

    ``words``: as in ``PageMaker``.
    """
    if not len(times):
        return [[] for _ in devices]
    writer = _Writer(times, columns, words or {})
    ends = edges.tolist()
    made: list[list[EncodedPage]] = []
    for device, first, end in zip(devices, ends, ends[1:], strict=False):
        own = []
        for number, start in enumerate(range(first, end, ROWS_PER_PAGE), start=1):
            last = min(start + ROWS_PER_PAGE, end)
            own.append(EncodedPage(device, number, last - start, writer.page(start, last)))
        made.append(own)
    return made


def encode(times: Column, columns: Mapping[str, Column]) -> bytes:
    """Return a page's columns as bytes: a JSON head that names the columns and their pieces, then the pieces."""
    return _Writer(times, columns, {}).page(0, len(times))


class _Writer:
    """Writes columns once, however many pages they make."""

    def __init__(self, times: Column, columns: Mapping[str, Column], words: Mapping[str, Sequence[str]]) -> None:
        self._columns: list[tuple[str, _Piece]] = [('""', _Instants.of(times))]
        for name, column in columns.items():
            written = _coded(column, words[name]) if name in words else _written(column)
            self._columns.append((json.dumps(name), written))

    def page(self, first: int, last: int) -> bytes:
        """Return the rows from place ``first`` on, before ``last``, as a page."""
        head: list[str] = []
        pieces: list[bytes] = []
        for name, column in self._columns:
            kind, code, found = column.part(first, last)
            lengths = ",".join([str(len(piece)) for piece in found])
            head.append(f'[{name},"{kind}",[{lengths}],{code}]')
            pieces += found
        first_bytes = f'{{"rows":{last - first},"columns":[{",".join(head)}]}}'.encode()
        return b"".join([len(first_bytes).to_bytes(LENGTH_BYTES, "big"), first_bytes, *pieces])


class _Piece(Protocol):
    """A written column. ``part``: the kind, what is needed to read it as JSON, and its bytes."""

    def part(self, first: int, last: int) -> tuple[str, str, list[bytes]]: ...


@dataclass(frozen=True)
class _Instants:
    """Instants of one device or several. ``turns``: how often the pace changed before each place, None for never."""

    times: Column
    turns: Column | None

    @classmethod
    def of(cls, times: Column) -> _Instants:
        times = np.ascontiguousarray(times, dtype="<i8")
        steps = times[1:] - times[:-1]
        changes = steps[1:] != steps[:-1]
        if not changes.any():
            return cls(times, None)
        turns = np.zeros(len(times), dtype=np.int64)
        np.cumsum(changes, out=turns[2:])
        return cls(times, turns)

    def part(self, first: int, last: int) -> tuple[str, str, list[bytes]]:
        if last - first > 1 and (self.turns is None or self.turns[first + 1] == self.turns[last - 1]):
            start = int(self.times[first])
            return "n", f'["s",{start},{int(self.times[first + 1]) - start}]', [b""]
        written = exact_arrays.integers(self.times[first:last])
        return "n", json.dumps(written.code), [written.data]


@dataclass(frozen=True)
class _Bits:
    column: Column

    def part(self, first: int, last: int) -> tuple[str, str, list[bytes]]:
        return "t", "null", [np.packbits(self.column[first:last]).tobytes()]


class _Numbers:
    """Numbers that fewer bytes hold exactly."""

    def __init__(self, written: exact_arrays.Written) -> None:
        self._written = written
        self._code = json.dumps(written.code)

    def part(self, first: int, last: int) -> tuple[str, str, list[bytes]]:
        code, data = self._written.part(first, last)
        return "n", self._code if code is self._written.code else json.dumps(code), [data]


class _Doubles:
    """Numbers that need all their bytes: sorted by significance, neighbours share the high ones.

    Whether it pays to compress is looked up once in the middle of the column; noise costs much to find out.
    """

    def __init__(self, column: Column) -> None:
        self._column = np.ascontiguousarray(column)
        middle = max(0, len(column) // 2 - _SAMPLE // 2)
        low, high = _by_significance(self._column[middle : middle + _SAMPLE])
        self._low_pays, self._high_pays = _pays(low), _pays(high)

    def part(self, first: int, last: int) -> tuple[str, str, list[bytes]]:
        low, high = _by_significance(self._column[first:last])
        return "f", "null", [_packed(low, pays=self._low_pays), _packed(high, pays=self._high_pays)]


class _Words:
    """Numbers into a list of the different values."""

    def __init__(self, codes: Column, words: list[Any]) -> None:
        self._codes = codes
        self._kind = f"w{codes.itemsize}"
        self._words = json.dumps(words)

    def part(self, first: int, last: int) -> tuple[str, str, list[bytes]]:
        return self._kind, self._words, [self._codes[first:last].tobytes()]


def _written(column: Column) -> _Piece:
    if column.dtype.kind == "b":
        return _Bits(column)
    if column.dtype.kind in "iu":
        return _Numbers(exact_arrays.integers(column))
    if column.dtype == np.float32:
        return _Numbers(exact_arrays.singles(column))
    if column.dtype.kind == "f":
        column = column.astype("<f8", copy=False)
        written = exact_arrays.floats(column)
        return _Numbers(written) if written.width < column.itemsize else _Doubles(column)
    return _words(column)


class _Codes(dict[str, int]):
    """Numbers texts in the order in which they are first asked for; for anything else it raises ``TypeError``."""

    def __missing__(self, word: str) -> int:
        # A boolean and a number may be equal, and then one would be taken for the other.
        if type(word) is not str:
            raise TypeError
        number = self[word] = len(self)
        return number


def _words(column: Column) -> _Words:
    values = column.tolist()
    try:
        texts = _Codes()
        numbers = np.fromiter(map(texts.__getitem__, values), dtype="<u4", count=len(values))
        words: list[Any] = list(texts)
    except TypeError:
        codes: dict[Any, int] = {}
        numbers = np.array([codes.setdefault((type(value), value), len(codes)) for value in values], dtype="<u4")
        words = [value for _, value in codes]
    return _coded(numbers, words)


def _coded(numbers: Column, words: Sequence[Any]) -> _Words:
    narrowest = next(dtype for dtype in ("<u1", "<u2", "<u4") if len(words) <= 1 << 8 * np.dtype(dtype).itemsize)
    return _Words(numbers.astype(narrowest, copy=False), list(words))


def _joined(parts: list[Column]) -> Column:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _by_significance(array: Column) -> tuple[bytes, bytes]:
    """Return eight-byte numbers by the significance of their bytes: the low six of each, then the high two."""
    planes = array.view(np.uint8).reshape(-1, 8).T
    return planes[:_LOW_BYTES].tobytes(), planes[_LOW_BYTES:].tobytes()


def _pays(data: bytes) -> bool:
    middle = max(0, len(data) // 2 - _SAMPLE)
    sample = data[middle : middle + 2 * _SAMPLE]
    return len(zlib.compress(sample, _COMPRESSION)) <= len(sample) * _WORTH_IT


def _packed(data: bytes, *, pays: bool) -> bytes:
    """Return bytes behind a mark, compressed where that pays."""
    if pays and len(data) >= _LEAST_COMPRESSED:
        return ZLIB + zlib.compress(data, _COMPRESSION)
    return RAW + data
