"""Scoring beside reading: a run's thread reads and writes the database, lanes score and make pages meanwhile.

A lane is one thread. All rows of a device go through one lane, hence in their order; batches of devices are dealt to
the lanes in turn, so that many devices with few rows cost few calls of the engine. What waits before a lane is
bounded: a fast source cannot fill the memory. Lanes do not touch the database.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from zementis import page_encoding, rows
from zementis.devices import Batch
from zementis.inference import Scorer, ScoringError
from zementis.page_encoding import Column, EncodedPage, PageMaker
from zementis.rows import Rows

_Outputs: TypeAlias = dict[str, Column]

logger = logging.getLogger(__name__)

# Batches that may wait before one lane, the one being scored included.
_DEPTH = 3


@dataclass(frozen=True)
class Piece:
    """Rows of a device for a lane; ``ended`` where the device has no more."""

    device: int
    rows: Rows | None
    ended: bool = False


@dataclass(frozen=True)
class Done:
    """What a lane has finished: pages of a device, and at its end how it went.

    ``error`` where its rows could not be scored: then its pages do not count, those given before included.
    """

    device: int
    pages: Sequence[EncodedPage]
    ended: bool = False
    left_out: int = 0
    error: ScoringError | None = None


class Lanes:
    """The lanes of one run. Use as a context; leaving it ends the threads once they have finished their batch."""

    def __init__(self, scorer: Scorer, places: dict[str, int], *, count: int) -> None:
        self._lanes = [_Lane(scorer, places) for _ in range(count)]

    def __enter__(self) -> Lanes:
        return self

    def __exit__(self, *_: object) -> None:
        for lane in self._lanes:
            lane.close()

    def score(self, turn: int, batch: Sequence[Piece] | Batch) -> Iterator[Done]:
        """Hand pieces, or whole devices, to lane ``turn``; give what that lane has finished.

        Waits where too much waits before it. A device that is cut by the end of a batch goes on in the next batch of
        the same turn.
        """
        lane = self._lanes[turn % len(self._lanes)]
        lane.submit(batch)
        return lane.finished(leave=_DEPTH)

    def rest(self) -> Iterator[Done]:
        """Wait for everything and give it."""
        for lane in self._lanes:
            yield from lane.finished(leave=0)


class _Lane:
    def __init__(self, scorer: Scorer, places: dict[str, int]) -> None:
        self._scorer = scorer
        self._places = places
        self._pages = PageMaker(scorer.words)
        self._left_out: dict[int, int] = {}
        self._errors: dict[int, ScoringError] = {}
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="scoring")
        self._waiting: deque[Future[list[Done]]] = deque()

    def submit(self, batch: Sequence[Piece] | Batch) -> None:
        if isinstance(batch, Batch):
            self._waiting.append(self._threads.submit(self._run_whole, batch))
        else:
            self._waiting.append(self._threads.submit(self._run, batch))

    def finished(self, *, leave: int) -> Iterator[Done]:
        """Give what is done, the oldest first; wait while more than ``leave`` batches are not."""
        while self._waiting and (len(self._waiting) > leave or self._waiting[0].done()):
            yield from self._waiting.popleft().result()

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    # -- In the lane's own thread ------------------------------------------------------------------------------------

    def _run_whole(self, batch: Batch) -> list[Done]:
        """Score devices that are whole: nothing is kept of them, and nothing is done per device but its pages."""
        every = rows.of_batch(batch)
        found = every if self._scorer.accepts_missing else every.complete()
        try:
            outputs = self._outputs(found.rows) if len(found.rows) else {}
        except ScoringError as error:
            if error.retryable:
                raise
            return self._run([Piece(device, part, ended=True) for device, part in every.apart()])
        pages = page_encoding.pages(found.devices, found.edges, found.rows.times, outputs, words=self._scorer.words)
        left_out = (np.diff(every.edges) - np.diff(found.edges)).tolist()
        return [
            Done(device, own, ended=True, left_out=missing)
            for device, own, missing in zip(found.devices, pages, left_out, strict=True)
        ]

    def _run(self, batch: Sequence[Piece]) -> list[Done]:
        usable = [(place, piece.device, kept) for place, piece in enumerate(batch) if (kept := self._usable(piece))]
        outputs = self._scored([(device, kept) for _, device, kept in usable])
        scored = {place: (kept, found) for (place, _, kept), found in zip(usable, outputs, strict=True)}
        return [done for place, piece in enumerate(batch) for done in self._paged(piece, scored.get(place))]

    def _usable(self, piece: Piece) -> Rows | None:
        """Return the rows that the model can take, None where there are none."""
        found = piece.rows
        if found is None or piece.device in self._errors:
            return None
        if not self._scorer.accepts_missing:
            complete = found.complete()
            if complete is not found:
                missing = len(found) - len(complete)
                self._left_out[piece.device] = self._left_out.get(piece.device, 0) + missing
                found = complete
        return found if len(found) else None

    def _scored(self, pieces: Sequence[tuple[int, Rows]]) -> list[_Outputs | None]:
        """Score all pieces in one call; where that is refused, one by one, to find out which device is at fault."""
        if not pieces:
            return []
        try:
            outputs = self._outputs(_joined([part for _, part in pieces]))
        except ScoringError as error:
            if error.retryable:
                raise
            return [self._blamed(device, part) for device, part in pieces]
        edges = np.cumsum([len(part) for _, part in pieces])[:-1]
        split = {name: np.split(column, edges) for name, column in outputs.items()}
        return [{name: parts[place] for name, parts in split.items()} for place in range(len(pieces))]

    def _blamed(self, device: int, part: Rows) -> _Outputs | None:
        try:
            return self._outputs(part)
        except ScoringError as error:
            if error.retryable:
                raise
            self._errors[device] = error
            self._pages.drop(device)
            return None

    def _paged(self, piece: Piece, scored: tuple[Rows, _Outputs | None] | None) -> Iterator[Done]:
        device = piece.device
        if scored is not None and scored[1] is not None and device not in self._errors:
            yield Done(device, self._pages.add(device, scored[0].times, scored[1]))
        if piece.ended:
            error, left_out = self._errors.pop(device, None), self._left_out.pop(device, 0)
            pages = () if error is not None else self._pages.end(device)
            yield Done(device, pages, ended=True, left_out=left_out, error=error)

    def _outputs(self, part: Rows) -> _Outputs:
        """Score; once more where the engine died under it, which starts it anew."""
        columns = {name: part.columns[place] for name, place in self._places.items()}
        try:
            return self._scorer.coded(columns)
        except ScoringError as error:
            if not error.retryable:
                raise
            logger.warning("model.engine_lost engine=%s why=%s", self._scorer.engine, error)
        return self._scorer.coded(columns)


def _joined(parts: Sequence[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    columns = zip(*(part.columns for part in parts), strict=True)
    return Rows(np.concatenate([part.times for part in parts]), tuple(np.concatenate(column) for column in columns))
