"""From a device's measurements to the rows a model scores.

Each instant with at least one value gives one row; a series without a value at that instant carries its last value
inside the window. Works on columns, in chunks of any size, and gives the same rows whatever the chunks were.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from zementis.devices import Chunk

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


@dataclass
class RowBuilder:
    """Takes the chunks of one device in turn. The newest instant is held back: the next chunk may add to it."""

    _pending: Rows | None = field(default=None, init=False)

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
        columns = tuple(_carried(column) for column in columns)
        differ = times[1:] != times[:-1]
        if not differ.all():
            newest = np.append(differ, True)
            times, columns = times[newest], tuple(column[newest] for column in columns)
        self._pending = Rows(times[-1:], tuple(column[-1:] for column in columns))
        return Rows(times[:-1], tuple(column[:-1] for column in columns)) if len(times) > 1 else None

    def finish(self) -> Rows | None:
        """Give the row that was held back, None where no measurement came."""
        held, self._pending = self._pending, None
        return held


def _some_missing(column: Floats) -> bool:
    """Return whether a value is missing: a sum tells it, five times as fast as looking at each."""
    return bool(np.isnan(column.sum())) and bool(np.isnan(column).any())


def _carried(column: Floats) -> Floats:
    """Return the column with each missing value replaced by the last one before it."""
    if not _some_missing(column):
        return column
    missing = np.isnan(column)
    last_known = np.maximum.accumulate(np.where(missing, 0, np.arange(len(column))))
    return column[last_known]
