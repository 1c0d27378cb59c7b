"""Scoring beside reading: a run's thread reads and writes the database, lanes score and make pages meanwhile.

A lane is one thread. All rows of a device go through one lane, hence in their order; devices are dealt to the lanes in
turn. What waits before a lane is bounded, so that a fast source cannot fill the memory. Lanes do not touch the
database.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from zementis.inference import Scorer, ScoringError
from zementis.page_encoding import EncodedPage, PageMaker
from zementis.rows import Rows

logger = logging.getLogger(__name__)

# Chunks that may wait before one lane, the one being scored included.
_DEPTH = 3


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
    """The lanes of one run. Use as a context; leaving it ends the threads once they have finished their chunk."""

    def __init__(self, scorer: Scorer, places: dict[str, int], *, count: int) -> None:
        self._lanes = [_Lane(scorer, places) for _ in range(count)]

    def __enter__(self) -> Lanes:
        return self

    def __exit__(self, *_: object) -> None:
        for lane in self._lanes:
            lane.close()

    def score(self, turn: int, device: int, rows: Rows) -> Iterator[Done]:
        """Hand rows of the ``turn``-th device over; give what that lane has finished, waiting where it is full."""
        lane = self._lanes[turn % len(self._lanes)]
        lane.submit(lambda: lane.score(device, rows))
        return lane.finished(leave=_DEPTH)

    def end(self, turn: int, device: int) -> Iterator[Done]:
        """Tell that the ``turn``-th device has no more rows."""
        lane = self._lanes[turn % len(self._lanes)]
        lane.submit(lambda: lane.end(device))
        return lane.finished(leave=_DEPTH)

    def rest(self) -> Iterator[Done]:
        """Wait for everything and give it."""
        for lane in self._lanes:
            yield from lane.finished(leave=0)


class _Lane:
    def __init__(self, scorer: Scorer, places: dict[str, int]) -> None:
        self._scorer = scorer
        self._places = places
        self._pages = PageMaker()
        self._left_out = 0
        self._error: ScoringError | None = None
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="scoring")
        self._waiting: deque[Future[Done]] = deque()

    def submit(self, work: Callable[[], Done]) -> None:
        self._waiting.append(self._threads.submit(work))

    def finished(self, *, leave: int) -> Iterator[Done]:
        """Give what is done, the oldest first; wait while more than ``leave`` are not."""
        while self._waiting and (len(self._waiting) > leave or self._waiting[0].done()):
            yield self._waiting.popleft().result()

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    # -- In the lane's own thread ------------------------------------------------------------------------------------

    def score(self, device: int, rows: Rows) -> Done:
        if self._error is not None:
            return Done(device, ())
        try:
            return Done(device, self._scored(device, rows))
        except ScoringError as error:
            if error.retryable:
                raise
            self._error = error
            self._pages.drop(device)
            return Done(device, ())

    def end(self, device: int) -> Done:
        error, left_out = self._error, self._left_out
        self._error, self._left_out = None, 0
        pages = () if error is not None else self._pages.end(device)
        return Done(device, pages, ended=True, left_out=left_out, error=error)

    def _scored(self, device: int, rows: Rows) -> Sequence[EncodedPage]:
        if not self._scorer.accepts_missing:
            complete = rows.complete()
            if not complete.all():
                self._left_out += len(rows) - int(complete.sum())
                rows = rows.where(complete)
        if not len(rows):
            return ()
        columns = {name: rows.columns[place] for name, place in self._places.items()}
        return self._pages.add(device, rows.times, self._outputs(columns))

    def _outputs(self, columns: dict[str, Any]) -> dict[str, Any]:
        """Score; once more where the engine died under it, which starts it anew."""
        try:
            return self._scorer.score(columns)
        except ScoringError as error:
            if not error.retryable:
                raise
            logger.warning("model.engine_lost engine=%s why=%s", self._scorer.engine, error)
        return self._scorer.score(columns)
