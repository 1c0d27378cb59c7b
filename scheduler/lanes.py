"""Lanes: the threads of a worker that run executions beside each other, sharing starts (and ends: see ``ender``).

A message may name many executions. They go into one queue of the process, from which as many lanes as the worker has
slots take them: one UPDATE starts a handful, one transaction ends whatever has finished meanwhile. With work that takes
microseconds this is what makes the difference; with work that takes seconds each lane has one run at a time. What no
lane has begun a second after its message came is handed on, to where an idle worker finds it, and a higher priority
goes first.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from django.db import DatabaseError, InterfaceError, connection

from scheduler.run import Run

logger = logging.getLogger(__name__)

# How far ahead of the lanes runs may be started, in seconds of work at the present pace.
AHEAD_SECONDS = 0.02
MOST_AT_ONCE = 64
# How long what a message names may wait for a lane of this process.
HOLD_SECONDS = 1.0
USUAL_PRIORITY = 5


class Errand:
    """The executions of one message; ``done`` is set when each has ended or turned out not to be ours."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._left = len(ids)
        self._lock = threading.Lock()
        self.done = threading.Event()
        if not ids:
            self.done.set()

    def one_less(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left <= 0:
                self.done.set()


# Priority, arrival, execution id, and whose it is.
Entry = tuple[int, int, int, Errand]


class Lanes:
    """Runs executions in ``slots`` threads."""

    def __init__(
        self,
        slots: int,
        *,
        start: Callable[[Sequence[int]], list[Run]],
        work: Callable[[Run, Callable[[], None], Callable[[], None]], None],
        hand_on: Callable[[list[int], list[Run]], None],
        full: Callable[[], None] = lambda: None,
    ) -> None:
        """``work`` is given a run, what to call when it is over, and what to call instead where its thread is stuck.

        ``hand_on`` raises only where nothing has changed: what it was given is then ours still. ``full`` is called
        whenever as many threads are stuck as there are slots or more: the process had better leave.
        """
        self._slots = slots
        self._full = full
        # Threads whose lanes others have now; they end when they come back.
        self._replaced: list[threading.Thread] = []
        self._start = start
        self._work = work
        self._hand_on = hand_on
        # A heap: the lowest priority number first, then in the order of arrival.
        self._pending: list[Entry] = []
        self._arrivals = itertools.count()
        self._started: deque[tuple[Run, Errand]] = deque()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._names = itertools.count(1)
        self._idle = 0
        self._drained = False
        self._seconds_per_run = 1.0

    def run(self, ids: Sequence[int], *, priority: int = USUAL_PRIORITY) -> list[int]:
        """Run ``ids`` as far as they are still queued; return when all of them are over or handed on.

        After ``drain`` nothing is taken any more: a message that was on its way then comes back whole.
        """
        errand = Errand(ids)
        with self._changed:
            if self._drained:
                return list(ids)
            for execution_id in ids:
                heapq.heappush(self._pending, (priority, next(self._arrivals), execution_id, errand))
            waiting = len(self._pending) + len(self._started)
            for _ in range(min(self._slots - len(self._threads), waiting - self._idle)):
                self._open_lane()
            self._changed.notify(len(ids))
        while not errand.done.wait(HOLD_SECONDS):
            self._hand_rest_on(errand)
        return []

    def _hand_rest_on(self, errand: Errand) -> None:
        """Give away what of ``errand`` no lane has begun."""
        with self._changed:
            entries = sorted(entry for entry in self._pending if entry[3] is errand)
            self._pending = [entry for entry in self._pending if entry[3] is not errand]
            heapq.heapify(self._pending)
            runs = [run for run, whose in self._started if whose is errand]
            self._started = deque(entry for entry in self._started if entry[1] is not errand)
        if not entries and not runs:
            return
        try:
            self._hand_on([execution_id for _, _, execution_id, _ in entries], runs)
        except Exception as error:
            connection.close()
            logger.warning("run.not_handed_on executions=%d error=%s", len(entries) + len(runs), type(error).__name__)
            entries, runs = self._take_back(errand, entries, runs), []
        for _ in (*entries, *runs):
            errand.one_less()

    def _take_back(self, errand: Errand, entries: list[Entry], runs: list[Run]) -> list[Entry]:
        """Keep what could not be handed on: a lane may begin it, or it is handed on later. Return what is not kept."""
        with self._changed:
            self._started.extendleft((run, errand) for run in reversed(runs))
            # A worker that stops begins nothing more that is still queued: the sweep publishes it.
            kept = [] if self._drained else entries
            for entry in kept:
                heapq.heappush(self._pending, entry)
            self._changed.notify(len(kept) + len(runs))
        return [] if kept else entries

    def drain(self) -> list[int]:
        """Forget what no lane has begun to start, and return it: the rows are still queued."""
        with self._changed:
            self._drained = True
            left, self._pending = sorted(self._pending, key=lambda entry: entry[:2]), []
        for _, _, _, errand in left:
            errand.one_less()
        return [execution_id for _, _, execution_id, _ in left]

    @property
    def stuck(self) -> int:
        """How many threads have not come back yet from runs that have been ended without them."""
        return sum(thread.is_alive() for thread in tuple(self._replaced))

    def _open_lane(self) -> None:
        thread = threading.Thread(target=self._lane, name=f"lane-{next(self._names)}", daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError:
            # No thread is to be had: the place must not be lost with it.
            self._threads.remove(thread)
            raise

    def _lane(self) -> None:
        thread = threading.current_thread()
        while True:
            run, errand = self._take()
            began = time.monotonic()
            try:
                self._work(run, errand.one_less, partial(self._replace, thread, errand))
            except BaseException:
                # A run's own failures are its outcome; what comes here is ours, and must not cost the worker a lane.
                logger.exception("run.lane_failed execution_id=%s", run.execution_id)
                if not run.given_up:
                    errand.one_less()
            if run.given_up:
                break
            took = time.monotonic() - began
            self._seconds_per_run += 0.1 * (took - self._seconds_per_run)
        # Another thread has this one's lane.
        connection.close()

    def _replace(self, thread: threading.Thread, errand: Errand) -> None:
        """Open another lane for one whose thread is stuck in a run of ``errand`` that is over."""
        with self._changed:
            self._threads.remove(thread)
            self._replaced = [*(one for one in self._replaced if one.is_alive()), thread]
            self._open_lane()
        errand.one_less()
        if self.stuck >= self._slots:
            self._full()

    def _take(self) -> tuple[Run, Errand]:
        """Return a run that has been started for this lane, starting some where none waits."""
        while True:
            with self._changed:
                self._idle += 1
                while not self._started and not self._pending:
                    self._changed.wait()
                self._idle -= 1
                if self._started:
                    return self._started.popleft()
                taken = [heapq.heappop(self._pending)[2:] for _ in range(min(len(self._pending), self._chunk()))]
            self._start_all(taken)

    def _chunk(self) -> int:
        """Return how many runs to start at once: one for each idle lane, and as many as are soon worked off."""
        ahead = int(self._slots * AHEAD_SECONDS / max(self._seconds_per_run, 1e-6))
        return max(1, min(1 + self._idle + ahead, MOST_AT_ONCE))

    def _start_all(self, taken: list[tuple[int, Errand]]) -> None:
        # The same execution may have come in two messages: the first one's errand waits for it, the other has nothing.
        errands: dict[int, Errand] = {}
        for execution_id, errand in taken:
            if errands.setdefault(execution_id, errand) is not errand:
                errand.one_less()
        try:
            started = self._start(list(errands))
        except (DatabaseError, InterfaceError) as error:
            # The rows stay queued, and the sweep publishes them again.
            connection.close()
            logger.warning("run.start_failed executions=%d error=%s", len(errands), type(error).__name__)
            started = []
        except Exception:
            # Whatever it is, it must not cost the worker a lane; what was started is rescued.
            connection.close()
            logger.exception("run.start_failed executions=%d", len(errands))
            started = []
        with self._changed:
            self._started.extend((run, errands.pop(run.execution_id)) for run in started)
            self._changed.notify(len(started))
        for errand in errands.values():
            errand.one_less()
