"""Reads devices' windows as columns: from blocks where there are some, from rows what is in none.

A window of a device is a list of pieces, blocks and the gaps between them, in the order of time. Blocks and gaps of
many devices are asked for together. A block that was removed since it was listed is read as a gap.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from django.db import connection

from zementis.arguments import SeriesName, Window
from zementis.devices import layouts as series_layouts
from zementis.devices import loose_rows
from zementis.devices.block_encoding import decode
from zementis.devices.loose_rows import Range, instant, microseconds
from zementis.devices.source import Batch, Chunk
from zementis.exact_arrays import Array

if TYPE_CHECKING:
    from zementis.devices.source import Floats, Instants

# Devices asked for at once: few at first, more as long as they turn out to have few rows.
_DEVICES_LEAST, _DEVICES_FIRST, _DEVICES_MOST = 4, 16, 128
# Blocks listed at once of each: what is waiting for its turn stays small.
_BLOCKS = 128
# Chunks of blocks fetched at once: one, so that scoring begins, then more, up to a few megabytes with each question.
_CHUNKS = 4

_LISTED = """
SELECT d.id, b.id, b.layout_id, b.first_time, b.last_time, b.rows
  FROM unnest(%(devices)s::bigint[]) d(id)
 CROSS JOIN LATERAL (
       SELECT * FROM zementis_measurementblock b
        WHERE b.device_id = d.id AND b.last_time >= %(start)s AND b.first_time < %(end)s
          AND b.layout_id = ANY(%(layouts)s)
        ORDER BY b.last_time
        LIMIT %(limit)s) b
"""


@dataclass(frozen=True)
class _Part:
    """What a piece gave, in the order of (time, id): times in microseconds since 1970, a column per series."""

    ids: Instants
    times: Instants
    columns: tuple[Floats | None, ...]

    def cut(self, start: int, end: int) -> _Part:
        """Return the rows from ``start`` on, before ``end``."""
        first, last = np.searchsorted(self.times, (start, end)).tolist()
        if first == 0 and last == len(self.times):
            return self
        inside = slice(first, last)
        columns = tuple(None if column is None else column[inside] for column in self.columns)
        return _Part(self.ids[inside], self.times[inside], columns)


@dataclass(frozen=True)
class _Piece:
    """A range that a block holds, or that is a gap (``block`` None). ``size``: rows of the block."""

    range: Range
    block: int | None = None
    size: int = 0


@dataclass(frozen=True)
class _Question:
    """What is asked of every device. ``places``: layout -> where it holds each of ``width`` series."""

    start: int
    end: int
    places: dict[int, list[int | None]]
    limit: int
    width: int

    def columns(self, layout: int, values: Floats) -> tuple[Floats | None, ...]:
        return tuple(None if place is None else values[:, place] for place in self.places[layout])


@dataclass(frozen=True)
class _Slice:
    """A part of one device's window: its pieces by their start, and where the next slice begins."""

    pieces: list[_Piece]
    end: int


def chunks(
    devices: Sequence[int], *, series: Sequence[SeriesName], window: Window, limit: int
) -> Iterator[tuple[int, Chunk | None] | Batch]:
    """Give devices' measurements: those of few rows together, others in chunks with None after the last."""
    start, end = microseconds(window.start), microseconds(window.end)
    place, count, most = 0, _DEVICES_FIRST, _DEVICES_MOST
    while place < len(devices):
        batch = devices[place : place + count]
        place += count
        question = _Question(start, end, series_layouts.positions(batch, series=series), limit, len(series))
        slices = _sliced(batch, question, start) if question.places else {}
        loader = _Loader(question, [piece for one in slices.values() for piece in one.pieces])
        if loader.short:
            most = max(_DEVICES_LEAST, count // 2)
        together = _Together(question)
        for device in batch:
            current = slices.get(device)
            if current is None or current.end >= end:
                parts = loader.whole(current.pieces) if current is not None else []
                if parts is not None:
                    if not together.takes(parts):
                        yield together.batch()
                        together = _Together(question)
                    together.add(device, parts)
                    continue
            if together.devices:
                yield together.batch()
                together = _Together(question)
            while current is not None:
                yield from ((device, chunk) for chunk in _merged(current.pieces, loader, question))
                if current.end >= end:
                    break
                current = _sliced([device], question, current.end)[device]
                loader = _Loader(question, current.pieces)
            yield device, None
        if together.devices:
            yield together.batch()
        count = min(2 * count, most)


def _sliced(devices: Sequence[int], question: _Question, start: int) -> dict[int, _Slice]:
    """Return a slice of each device from ``start`` on: no more than ``_BLOCKS`` blocks, and the gaps around them."""
    blocks: dict[int, list[_Piece]] = {device: [] for device in devices}
    with connection.cursor() as cursor:
        cursor.execute(
            _LISTED,
            {
                "devices": list(devices),
                "start": instant(start),
                "end": instant(question.end),
                "layouts": list(question.places),
                "limit": _BLOCKS,
            },
        )
        for device, block, layout, first, last, size in cursor.fetchall():
            span = Range(device, layout, microseconds(first), microseconds(last) + 1)
            blocks[device].append(_Piece(span, block, size))
    return {device: _slice(device, found, question, start) for device, found in blocks.items()}


def _slice(device: int, blocks: list[_Piece], question: _Question, start: int) -> _Slice:
    blocks.sort(key=lambda piece: piece.range.end)
    end = question.end if len(blocks) < _BLOCKS else min(question.end, blocks[-1].range.end)
    pieces: list[_Piece] = []
    for layout in question.places:
        reached = start
        for piece in blocks:
            if piece.range.layout == layout and piece.range.start < end:
                if piece.range.start > reached:
                    pieces.append(_Piece(Range(device, layout, reached, piece.range.start)))
                inside = replace(piece.range, start=max(piece.range.start, start), end=min(piece.range.end, end))
                pieces.append(replace(piece, range=inside))
                reached = piece.range.end
        if reached < end:
            pieces.append(_Piece(Range(device, layout, reached, end)))
    return _Slice(sorted(pieces, key=lambda piece: piece.range.start), end)


class _Loader:
    """Loads pieces, those that come next together. ``pieces`` in the order in which they will be asked for."""

    def __init__(self, question: _Question, pieces: list[_Piece]) -> None:
        self._question = question
        self._blocks = deque(piece for piece in pieces if piece.block is not None)
        self._asked: set[int] = set()
        self._chunks = 1
        self._data: dict[int, bytes] = {}
        gaps = [piece.range for piece in pieces if piece.block is None]
        self._share = max(1, 2 * question.limit // len(gaps)) if gaps else 0
        found = loose_rows.read(gaps, limit=self._share)
        self._gaps = {one: found.get(place) for place, one in enumerate(gaps)}
        # Whether there is more in a gap than its share.
        self.short = any(len(rows.times) == self._share for rows in found.values())

    def load(self, piece: _Piece) -> tuple[_Part | None, _Piece | None]:
        """Return what a piece holds, and what of it is left to be loaded. Each piece is asked for once."""
        if piece.block is not None:
            data = self._block(piece.block)
            if data is not None:
                block = decode(data, self._question.places[piece.range.layout])
                return _Part(block.ids, block.times, block.columns).cut(piece.range.start, piece.range.end), None
        if piece.range in self._gaps:
            limit, found = self._share, self._gaps.pop(piece.range)
        else:
            limit = self._question.limit
            found = loose_rows.read([piece.range], limit=limit).get(0)
        if found is None:
            return None, None
        rest = None
        if len(found.times) == limit:
            rest = _Piece(replace(piece.range, start=int(found.times[-1]), after=int(found.ids[-1])))
        return _Part(found.ids, found.times, self._question.columns(piece.range.layout, found.values)), rest

    def whole(self, pieces: Sequence[_Piece]) -> list[_Part] | None:
        """Return all that pieces hold; None, and nothing is loaded, where that may be more than ``limit`` rows."""
        rows = 0
        for piece in pieces:
            found = self._gaps.get(piece.range) if piece.block is None else None
            if found is not None and len(found.times) >= self._share:
                return None
            rows += piece.size if found is None else len(found.times)
        if rows > self._question.limit:
            return None
        parts: list[_Part] = []
        waiting = deque(pieces)
        while waiting:
            part, rest = self.load(waiting.popleft())
            if part is not None and len(part.times):
                parts.append(part)
            if rest is not None:
                # The block was removed meanwhile, and what is there now is more than was asked for at once.
                waiting.appendleft(rest)
        return parts

    def _block(self, wanted: int) -> bytes | None:
        if wanted not in self._asked:
            ids: list[int] = []
            rows = 0
            while self._blocks and (rows < self._chunks * self._question.limit or wanted not in ids):
                piece = self._blocks.popleft()
                if piece.block is not None:
                    ids.append(piece.block)
                    rows += piece.size
            self._asked.update(ids)
            self._chunks = min(2 * self._chunks, _CHUNKS)
            with connection.wrap_database_errors, loose_rows.binary_cursor() as cursor:
                cursor.execute("SELECT id, data FROM zementis_measurementblock WHERE id = ANY(%s)", [ids], binary=True)
                self._data.update(cursor.fetchall())
        return self._data.pop(wanted, None)


@dataclass
class _Buffer:
    """Parts of one device that wait until nothing earlier can come."""

    question: _Question
    parts: list[_Part] = field(default_factory=list)
    rows: int = 0

    def add(self, part: _Part) -> None:
        if len(part.times):
            self.parts.append(part)
            self.rows += len(part.times)

    def take(self, before: int) -> Iterator[Chunk]:
        """Give the rows before an instant in order, in chunks of at most ``limit`` rows, and keep the others."""
        beginning = -(2**63)
        ready = [cut for part in self.parts if len((cut := part.cut(beginning, before)).times)]
        held = [cut for part in self.parts if len((cut := part.cut(before, 2**63 - 1)).times)]
        self.parts, self.rows = held, sum(len(part.times) for part in held)
        if not ready:
            return
        times = _joined([part.times for part in ready])
        columns = [_column([part.columns[place] for part in ready], ready) for place in range(len(ready[0].columns))]
        # One layout's pieces follow each other; those of several are mixed, and at one instant the later id is last.
        if len(self.question.places) > 1:
            order = np.lexsort((_joined([part.ids for part in ready]), times))
            times, columns = times[order], [column[order] for column in columns]
        size = -(-len(times) // -(-len(times) // self.question.limit))
        for start in range(0, len(times), size):
            part = slice(start, start + size)
            # Nothing before the given instant is left to be loaded, so only a cut of ours can part an instant.
            settled = start + size >= len(times) or bool(times[start + size] != times[start + size - 1])
            yield Chunk(times[part], tuple(column[part] for column in columns), settled)


class _Together:
    """Whole devices that wait to be given as one batch."""

    def __init__(self, question: _Question) -> None:
        self._question = question
        self._parts: list[_Part] = []
        self._edges = [0]
        self.devices: list[int] = []

    def takes(self, parts: Sequence[_Part]) -> bool:
        """Whether there is room for another device's rows."""
        rows = sum(len(part.times) for part in parts)
        return not self.devices or self._edges[-1] + rows <= self._question.limit

    def add(self, device: int, parts: Sequence[_Part]) -> None:
        """Take a device, all of it."""
        self.devices.append(device)
        self._parts += parts
        self._edges.append(self._edges[-1] + sum(len(part.times) for part in parts))

    def batch(self) -> Batch:
        """Return the devices' measurements."""
        edges = np.array(self._edges)
        parts, places = self._parts, range(self._question.width)
        if not parts:
            empty = tuple(np.empty(0) for _ in places)
            return Batch(tuple(self.devices), edges, np.empty(0, dtype=np.int64), empty)
        times = _joined([part.times for part in parts])
        columns = [_column([part.columns[place] for part in parts], parts) for place in places]
        if len(self._question.places) > 1:
            owners = np.repeat(np.arange(len(self.devices)), np.diff(edges))
            order = np.lexsort((_joined([part.ids for part in parts]), times, owners))
            times, columns = times[order], [column[order] for column in columns]
        return Batch(tuple(self.devices), edges, times, tuple(columns))


def _joined(parts: Sequence[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _column(found: list[Floats | None], parts: list[_Part]) -> Floats:
    return _joined(
        [
            np.full(len(part.times), np.nan) if column is None else column
            for column, part in zip(found, parts, strict=True)
        ]
    )


def _merged(pieces: list[_Piece], loader: _Loader, question: _Question) -> Iterator[Chunk]:
    """Give the rows of pieces in the order of time."""
    waiting = [(piece.range.start, place, piece) for place, piece in enumerate(pieces)]
    turn = len(waiting)
    buffer = _Buffer(question)
    while waiting:
        part, rest = loader.load(heapq.heappop(waiting)[2])
        if part is not None:
            buffer.add(part)
        if rest is not None:
            turn += 1
            heapq.heappush(waiting, (rest.range.start, turn, rest))
        if not waiting:
            yield from buffer.take(question.end)
        elif buffer.rows >= question.limit:
            yield from buffer.take(waiting[0][0])
