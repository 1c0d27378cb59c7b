"""What is counted for monitoring, by every process together.

Counting adds to numbers in memory. Every few seconds a process adds what it counted since to rows that all processes
share, in one statement: the sums outlive restarts, are the same whichever process is asked, and there are only as many
rows as series. A process that is killed takes what it counted in its last seconds with it.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import DatabaseError, InterfaceError, connection, transaction

from scheduler.connections import first_line
from scheduler.models import Metric
from scheduler.started import Started

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
# Upper bounds in seconds, from what a claim takes to what a night's batch takes.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400)


@dataclass(frozen=True)
class Counter:
    """A number that only grows. ``label`` names its third dimension, beside the kind of job."""

    name: str
    help: str
    kinds: bool = True
    label: str = ""

    def add(self, kind: str = "", label: str = "", by: int = 1) -> None:
        """Count ``by`` more."""
        _local.add(self.name, kind, label, float(by))


@dataclass(frozen=True)
class Histogram:
    """Durations in seconds, counted by the buckets between ``BOUNDS``."""

    name: str
    help: str
    kinds: bool = True

    def observe(self, seconds: float, kind: str = "") -> None:
        """Count one duration."""
        self.observe_all((seconds,), kind)

    def observe_all(self, seconds: Sequence[float], kind: str = "") -> None:
        """Count several durations."""
        _local.observe(self.name, kind, [one if one > 0 else 0.0 for one in seconds])


DUE = Counter("jobsite_instants_due_total", "Due instants that the beats settled, run or not.")
SKIPPED = Counter("jobsite_instants_skipped_total", "Due instants recorded without a run.", label="reason")
CLAIMED = Counter("jobsite_runs_claimed_total", "Due instants that became runs.")
REQUESTED = Counter("jobsite_runs_requested_total", "Runs asked for by people and programs.")
STARTED = Counter("jobsite_runs_started_total", "Attempts that workers started.")
ENDED = Counter("jobsite_runs_ended_total", "Runs that ended.", label="outcome")
RETRIED = Counter("jobsite_runs_retried_total", "Attempts that failed and are followed by another.")
RESCUED = Counter("jobsite_leases_expired_total", "Runs whose worker was lost, put back or failed.", label="outcome")
REFUSED = Counter("jobsite_messages_refused_total", "Messages that workers refused.", kinds=False, label="reason")
TICKS = Counter("jobsite_beat_ticks_total", "Claims that beats made, of nothing too.", kinds=False)
CLAIM_LATENESS = Histogram("jobsite_claim_lateness_seconds", "From due to claimed.")
START_LATENESS = Histogram("jobsite_start_lateness_seconds", "From due to the start of the first attempt.")
DURATION = Histogram("jobsite_run_duration_seconds", "How long attempts worked.")
TICK = Histogram("jobsite_beat_tick_seconds", "How long claims took, commit included.", kinds=False)
COUNTERS = (DUE, SKIPPED, CLAIMED, REQUESTED, STARTED, ENDED, RETRIED, RESCUED, REFUSED, TICKS)
HISTOGRAMS = (CLAIM_LATENESS, START_LATENESS, DURATION, TICK)


@dataclass
class Series:
    """What was counted of one series: a sum, and for a histogram its counts by bucket."""

    value: float = 0.0
    buckets: list[int] | None = None


Key = tuple[str, str, str]


@dataclass
class _Local:
    """What this process has counted and not yet added to the rows."""

    series: dict[Key, Series] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, kind: str, label: str, by: float) -> None:
        key = name, kind, label
        with self.lock:
            series = self.series.get(key)
            if series is None:
                series = self.series[key] = Series()
            series.value += by
        if _timed:
            _see_to_flush()

    def observe(self, name: str, kind: str, seconds: Sequence[float]) -> None:
        key = name, kind, ""
        with self.lock:
            series = self.series.get(key)
            if series is None:
                series = self.series[key] = Series(buckets=[0] * (len(BOUNDS) + 1))
            if series.buckets is not None:
                for one in seconds:
                    series.value += one
                    series.buckets[bisect_left(BOUNDS, one)] += 1
        if _timed:
            _see_to_flush()

    def take(self) -> dict[Key, Series]:
        with self.lock:
            taken, self.series = self.series, {}
        return taken

    def put_back(self, taken: dict[Key, Series]) -> None:
        with self.lock:
            for key, series in taken.items():
                kept = self.series.setdefault(key, Series())
                kept.value += series.value
                if series.buckets is not None:
                    kept.buckets = [
                        a + b for a, b in zip(kept.buckets or [0] * len(series.buckets), series.buckets, strict=True)
                    ]

    def forget(self) -> None:
        """In a forked child: what its parent has counted is the parent's."""
        self.series, self.lock = {}, threading.Lock()


_local = _Local()
os.register_at_fork(after_in_child=_local.forget)

# In the order of the keys, so that two processes that flush at once wait for each other and never for ever. Where the
# bounds were changed since, the series begins anew.
_ADD = """
INSERT INTO scheduler_metric AS m (name, kind, label, value, buckets)
SELECT name, kind, label, value, buckets::bigint[]
  FROM unnest(%s::text[], %s::text[], %s::text[], %s::float8[], %s::text[]) v(name, kind, label, value, buckets)
 ORDER BY name, kind, label
ON CONFLICT (name, kind, label) DO UPDATE
   SET value = CASE WHEN cardinality(m.buckets) IS NOT DISTINCT FROM cardinality(excluded.buckets)
                    THEN m.value + excluded.value ELSE excluded.value END,
       buckets = CASE WHEN cardinality(m.buckets) = cardinality(excluded.buckets)
                      THEN (SELECT array_agg(a + b ORDER BY place)
                              FROM unnest(m.buckets, excluded.buckets) WITH ORDINALITY u(a, b, place))
                      ELSE excluded.buckets END
"""


def flush(counted: _Local = _local) -> None:
    """Add what this process counted since the last time to the rows. Without a database it is kept for the next."""
    taken = counted.take()
    if not taken:
        return
    rows = [
        (*key, series.value, None if series.buckets is None else "{" + ",".join(map(str, series.buckets)) + "}")
        for key, series in sorted(taken.items())
    ]
    try:
        with connection.cursor() as cursor:
            cursor.execute(_ADD, [list(column) for column in zip(*rows, strict=True)])
    except (DatabaseError, InterfaceError):
        counted.put_back(taken)
        raise


def read() -> dict[Key, Series]:
    """Return the sums of all processes, up to their last flush."""
    rows = Metric.objects.values_list("name", "kind", "label", "value", "buckets")
    return {(name, kind, label): Series(value, buckets) for name, kind, label, value, buckets in rows}


# -- Flushing where no heartbeat does it -------------------------------------------------------------------------------

_timed = False
_timer: tuple[int, threading.Timer] | None = None


def flush_by_timer() -> None:
    """Have this process, and those that it forks, flush a few seconds after they have counted something."""
    global _timed
    _timed = True
    atexit.register(flush_at_end)


def _see_to_flush() -> None:
    global _timer
    if _timer is not None and _timer[0] == os.getpid():
        return
    timer = threading.Timer(FLUSH_SECONDS, _flush_in_time)
    timer.daemon = True
    _timer = (os.getpid(), timer)
    timer.start()


def _flush_in_time() -> None:
    global _timer
    _timer = None
    flush_at_end()


def flush_at_end() -> None:
    """Flush and close this thread's connection; a database that is away is only told of."""
    try:
        flush()
    except (DatabaseError, InterfaceError) as error:
        logger.warning("metrics.not_flushed error=%s", first_line(error))
    finally:
        connection.close()


# -- What is counted where ---------------------------------------------------------------------------------------------


def claimed(rows: Sequence[Any], kinds: Mapping[int, str], *, now: int) -> None:
    """Count the rows of a claim (job, number, trigger, due, until, status, reason, …; microseconds), once committed.

    A claim of hundreds of jobs must not wait for this: a few tallies are made of the rows.
    """
    tally = Tally((kinds[row[0]], row[6]) for row in rows)
    lates: dict[str, list[float]] = {}
    for row in rows:
        if row[6] is None:
            lates.setdefault(kinds[row[0]], []).append((now - row[3]) / 1e6)
    if tally:
        transaction.on_commit(partial(_count, tally, lates))


def _count(tally: Mapping[tuple[str, str | None], int], lates: Mapping[str, list[float]]) -> None:
    for (kind, reason), by in tally.items():
        DUE.add(kind, by=by)
        if reason is None:
            CLAIMED.add(kind, by=by)
        else:
            SKIPPED.add(kind, reason, by)
    for kind, seconds in lates.items():
        CLAIM_LATENESS.observe_all(seconds, kind)


def unclaimed(kind: str, tally: Mapping[str, int]) -> None:
    """Count instants of a kind that were recorded without a claim, by reason."""
    for reason, by in tally.items():
        DUE.add(kind, by=by)
        SKIPPED.add(kind, reason, by)


def started(runs: Sequence[Started]) -> None:
    """Count runs that this process has started."""
    for run in runs:
        STARTED.add(run.job_kind)
        if run.attempt == 1:
            START_LATENESS.observe((run.started_at - run.scheduled_for).total_seconds(), run.job_kind)


def ended(tally: Mapping[tuple[str, str], int], retried: Mapping[str, int]) -> None:
    """Count ends by kind and outcome, and attempts that are followed by another by kind, of a whole transaction."""
    for (kind, outcome), by in tally.items():
        ENDED.add(kind, outcome, by)
    for kind, by in retried.items():
        RETRIED.add(kind, by=by)
