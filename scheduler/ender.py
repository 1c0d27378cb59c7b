"""Writes the ends of runs: whatever has come together while the last transaction was under way.

An end is tried again while its lease may still be ours, whoever waits beside it goes on: the database being away holds
up all, a row that the database refuses only itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from django.conf import settings
from django.db import Error, NotSupportedError, connection

from scheduler.connections import LOST, close_quietly, gave_way
from scheduler.endings import Busy, Ending
from scheduler.job_types import Outcome
from scheduler.models import Status

logger = logging.getLogger(__name__)

UNWRITABLE = "the end of the run could not be recorded"
# An end that was refused this often together with others, by a database that answers, is written on its own.
TOGETHER_TRIES = 2
# In leases: how long an end is tried as it is where the database refuses it, and how long at all.
AS_IT_IS_LEASES = 1
GIVE_UP_LEASES = 6
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 2.0
# Without ends for this long the thread closes its database connection.
IDLE_SECONDS = 10.0

Write = Callable[[list[Ending]], object]


@dataclass(slots=True)
class Entry:
    """An end that waits to be written, and what to call afterwards, written or given up."""

    ending: Ending
    then: Callable[[], None]
    since: float = field(default_factory=time.monotonic)
    tries: int = 0
    due: float = 0.0
    away: int = 0

    def over(self) -> None:
        try:
            self.then()
        except Exception:
            # The ends of the others must be written, whatever one of them meets.
            logger.exception("run.end_not_told execution_id=%s", self.ending.run.execution_id)


class Ender:
    """Writes ends in a thread of its own."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: list[Entry] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, ending: Ending, then: Callable[[], None]) -> None:
        """Write ``ending`` soon, and call ``then`` afterwards, written or given up."""
        with self._changed:
            self._waiting.append(Entry(ending, then))
            # A thread does not survive a fork either.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="scheduler-ender", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            taken = self._take()
            try:
                left = _round(taken, self._write)
            except BaseException:
                # Nobody else writes ends: what comes here is ours, and is tried again like any other failure.
                logger.exception("run.ends_delayed runs=%d", len(taken))
                close_quietly()
                left = _later(taken)
            with self._changed:
                self._waiting += left

    def _take(self) -> list[Entry]:
        """Return the ends that are due, as soon as there are any."""
        with self._changed:
            while True:
                now = time.monotonic()
                taken = [entry for entry in self._waiting if entry.due <= now]
                if taken:
                    self._waiting = [entry for entry in self._waiting if entry.due > now]
                    return taken
                if self._waiting:
                    self._changed.wait(min(entry.due for entry in self._waiting) - now)
                elif not self._changed.wait(IDLE_SECONDS):
                    close_quietly()
                    while not self._waiting:
                        self._changed.wait()


def write_now(endings: Iterable[Ending], write: Write) -> None:
    """Write ``endings`` in this thread; return when each is written or given up."""
    left = [Entry(ending, lambda: None) for ending in endings]
    while left:
        time.sleep(max(0.0, min(entry.due for entry in left) - time.monotonic()))
        left = _round(left, write)


def _round(entries: Sequence[Entry], write: Write) -> list[Entry]:
    """Try to write ``entries``, most of them together; return those to be tried again, each when it is due."""
    together = [entry for entry in entries if entry.tries < TOGETHER_TRIES]
    alone = [[entry] for entry in entries if entry.tries >= TOGETHER_TRIES]
    left: list[Entry] = []
    for part in [together, *alone] if together else alone:
        left += _try(part, write)
    return left


def _try(entries: list[Entry], write: Write) -> list[Entry]:
    try:
        write([entry.ending for entry in entries])
    except Busy as busy:
        left = [entry for entry, written in zip(entries, busy.written, strict=True) if written is None]
        logger.warning("run.ends_delayed runs=%d error=Busy", len(left))
        for entry, written in zip(entries, busy.written, strict=True):
            if written is not None:
                entry.over()
        return _later(left)
    # Not supported: a migration that changed a column's type has made a prepared statement useless.
    except (*LOST, NotSupportedError) as error:
        close_quietly()
        logger.warning("run.ends_delayed runs=%d error=%s", len(entries), type(error).__name__)
        return _after_refusal(entries, error) if _database_answers() else _while_away(entries)
    except Exception as error:
        close_quietly()
        return _after_failure(entries, error)
    for entry in entries:
        entry.over()
    return []


def _while_away(entries: list[Entry]) -> list[Entry]:
    """Wait a moment: nothing can be written now, which is no fault of ``entries``, nor of the time they have."""
    longest = max(entry.away for entry in entries)
    time.sleep(min(FIRST_WAIT_SECONDS * 2.0 ** min(longest, 10), LONGEST_WAIT_SECONDS))
    for entry in entries:
        entry.away, entry.since = entry.away + 1, time.monotonic()
    return entries


def _after_refusal(entries: list[Entry], error: Exception) -> list[Entry]:
    """Put ``entries`` back. One that is refused again and again without waiting for anybody is ended as a failure."""
    as_it_is = AS_IT_IS_LEASES * settings.SCHEDULER_LEASE_SECONDS
    for entry in entries:
        if len(entries) == 1 and not gave_way(error) and time.monotonic() - entry.since > as_it_is:
            _end_as_failure(entry, error)
    return _later(entries)


def _after_failure(entries: list[Entry], error: Exception) -> list[Entry]:
    """Find out which of ``entries`` cannot be written as it is, and end that one as a failure which says so."""
    if len(entries) > 1:
        for entry in entries:
            entry.tries = max(entry.tries, TOGETHER_TRIES)
        return entries
    [entry] = entries
    logger.exception("run.end_unwritable execution_id=%s", entry.ending.run.execution_id)
    if _end_as_failure(entry, error):
        return entries
    entry.over()
    return []


def _end_as_failure(entry: Entry, error: Exception) -> bool:
    """Make ``entry`` the end of a run that could not be recorded. Return False where it was that already."""
    if entry.ending.outcome.messages[:1] == (UNWRITABLE,):
        return False
    problem = f"{type(error).__name__}: {error}"[:1000]
    entry.ending = replace(entry.ending, outcome=Outcome(Status.FAILED, (UNWRITABLE, problem)))
    return True


def _later(entries: list[Entry]) -> list[Entry]:
    for entry in entries:
        wait = min(FIRST_WAIT_SECONDS * 2.0 ** min(entry.tries, 10), LONGEST_WAIT_SECONDS)
        entry.tries, entry.due = entry.tries + 1, time.monotonic() + wait
    return _not_given_up(entries)


def _not_given_up(entries: list[Entry]) -> list[Entry]:
    limit = time.monotonic() - GIVE_UP_LEASES * settings.SCHEDULER_LEASE_SECONDS
    lost = [entry for entry in entries if entry.since < limit]
    if lost:
        logger.error("run.ends_lost executions=%s", [entry.ending.run.execution_id for entry in lost])
    for entry in lost:
        entry.over()
    return [entry for entry in entries if entry.since >= limit]


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        close_quietly()
        return False
    return True
