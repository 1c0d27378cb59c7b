"""From a device's measurements to the rows a model scores.

Each instant with at least one value gives one row; a series without a value at that instant carries its last value
inside the window. Works on columns, in chunks of any size, and gives the same rows whatever the chunks were.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from zementis.devices import Batch, Chunk

if TYPE_CHECKING:
    from zementis.devices.source import Floats, Instants


@dataclass(frozen=True)
class Rows:
    """Finished rows of one device. ``times`` in microseconds since 1970, strictly ascending; NaN is a missing value."""

    times: Instants
    columns: tuple[Floats, ...]

    def __len__(self) -> int:
        return len(self.times)

    def where(self, kept: np.ndarray[Any, np.dtype[np.bool_]]) -> Rows:
        """Return the rows that ``kept`` marks."""
        return Rows(self.times[kept], tuple(column[kept] for column in self.columns))

    def complete(self) -> Rows:
        """Return the rows that have a value in every column."""
        incomplete = [np.isnan(column) for column in self.columns if _some_missing(column)]
        return self.where(~np.logical_or.reduce(incomplete)) if incomplete else self


@dataclass(frozen=True)
class ManyRows:
    """Finished rows of several devices, one after the other. ``edges``: where each one's begin, and where all end."""

    devices: tuple[int, ...]
    edges: Instants
    rows: Rows

    def complete(self) -> ManyRows:
        """Return the rows that have a value in every column."""
        incomplete = [np.isnan(column) for column in self.rows.columns if _some_missing(column)]
        return self.where(~np.logical_or.reduce(incomplete)) if incomplete else self

    def where(self, kept: np.ndarray[Any, np.dtype[np.bool_]]) -> ManyRows:
        """Return the rows that ``kept`` marks."""
        before = np.concatenate([[0], np.cumsum(kept)])
        return ManyRows(self.devices, before[self.edges], self.rows.where(kept))

    def apart(self) -> Iterator[tuple[int, Rows]]:
        """Give each device's rows."""
        edges = self.edges.tolist()
        for device, first, last in zip(self.devices, edges, edges[1:], strict=False):
            part = slice(first, last)
            yield device, Rows(self.rows.times[part], tuple(column[part] for column in self.rows.columns))


def of_batch(batch: Batch) -> ManyRows:
    """Return the rows of devices that came whole."""
    times, edges = batch.times, batch.edges
    firsts: Instants | None = None
    columns: list[Floats] = []
    for column in batch.columns:
        if _some_missing(column):
            # Where the rows of a row's device begin: further back nothing is carried from.
            firsts = np.repeat(edges[:-1], np.diff(edges)) if firsts is None else firsts
            missing = np.isnan(column)
            column = column[np.maximum.accumulate(np.where(missing, firsts, np.arange(len(column))))]
        columns.append(column)
    found = ManyRows(batch.devices, edges, Rows(times, tuple(columns)))
    last = np.ones(len(times), dtype=np.bool_)
    last[:-1] = times[1:] != times[:-1]
    last[edges[1:][edges[1:] > 0] - 1] = True
    return found if last.all() else found.where(last)


@dataclass
class RowBuilder:
    """Takes the chunks of one device in turn. An instant to which the next chunk may add is held back."""

    _pending: Rows | None = field(default=None, init=False)
    _known: tuple[float, ...] | None = field(default=None, init=False)

    def feed(self, chunk: Chunk) -> Rows | None:
        """Take a chunk and give the rows that cannot change any more, None where there are none yet."""
        times, columns = chunk.times, chunk.columns
        if self._pending is not None:
            times = np.concatenate([self._pending.times, times])
            columns = tuple(
                np.concatenate([held, new]) for held, new in zip(self._pending.columns, columns, strict=True)
            )
        if len(times) == 0:
            return None
        known = self._known if self._known is not None else (np.nan,) * len(columns)
        columns = tuple(_carried(column, before) for column, before in zip(columns, known, strict=True))
        self._known = tuple(float(column[-1]) for column in columns)
        differ = times[1:] != times[:-1]
        if not differ.all():
            newest = np.append(differ, True)
            times, columns = times[newest], tuple(column[newest] for column in columns)
        if chunk.settled:
            self._pending = None
            return Rows(times, columns)
        self._pending = Rows(times[-1:], tuple(column[-1:] for column in columns))
        return Rows(times[:-1], tuple(column[:-1] for column in columns)) if len(times) > 1 else None

    def finish(self) -> Rows | None:
        """Give the row that was held back, None where there is none; the next chunk is another device's."""
        held, self._pending, self._known = self._pending, None, None
        return held


def _some_missing(column: Floats) -> bool:
    """Return whether a value is missing: a sum tells it, five times as fast as looking at each."""
    return bool(np.isnan(column.sum())) and bool(np.isnan(column).any())


def _carried(column: Floats, before: float) -> Floats:
    """Return the column with each missing value replaced by the last one before it, the first ones by ``before``."""
    if not _some_missing(column):
        return column
    missing = np.isnan(column)
    last_known = np.maximum.accumulate(np.where(missing, 0, np.arange(len(column))))
    carried = column[last_known]
    if missing[0] and before == before:
        carried[: len(column) if missing.all() else int(np.argmin(missing))] = before
    return carried
