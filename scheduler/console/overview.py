"""What the dashboard shows: how the last day went, what runs now, what comes next, who is alive.

Every question has a bound: counts of what is open end at a cap, and the day is read from the beats' tallies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from scheduler import clock, tallies
from scheduler.calendars.days import Closure
from scheduler.console import runs, words
from scheduler.console.charts import Bar
from scheduler.console.closures import next_closures
from scheduler.models import Execution, JobState, Process, Status
from scheduler.models.process import ALIVE_WITHIN

DAY = timedelta(hours=24)
CAP = 10_000
LISTED = 12
PROCESSES = 50

_CAPPED = {
    "coming": "SELECT 1 FROM scheduler_jobstate WHERE next_fire_at < now() + interval '24 hours' LIMIT %s",
    "scheduled": "SELECT 1 FROM scheduler_jobstate WHERE next_fire_at IS NOT NULL LIMIT %s",
    "queued": "SELECT 1 FROM scheduler_execution WHERE status = 0 LIMIT %s",
    "running": "SELECT 1 FROM scheduler_execution WHERE status = 1 LIMIT %s",
}
_ALIVE = "SELECT kind, count(*) FROM scheduler_process WHERE beat_at > now() - make_interval(secs => %s) GROUP BY kind"
_SLOTS = """
SELECT queue, sum(slots) FROM scheduler_process, unnest(queues) queue
 WHERE beat_at > now() - make_interval(secs => %s) GROUP BY queue
"""
_QUEUES = """
SELECT queue, count(*), min(created_at)
  FROM (SELECT queue, created_at FROM scheduler_execution WHERE status = 0 LIMIT %s) waiting
 GROUP BY queue ORDER BY queue
"""
_STACK = ("succeeded", "warned", "failed", "cancelled", "skipped", "running", "queued")


@dataclass(frozen=True)
class Capped:
    """A count that ends at a cap."""

    value: int

    def __str__(self) -> str:
        return f"{CAP:,}+" if self.value > CAP else f"{self.value:,}"


@dataclass(frozen=True)
class LastDay:
    """How the runs since ``since``, 24 hours ago, went. ``is_cut``: there are more, which no beat has counted yet."""

    since: datetime
    hours: tuple[Bar, ...]
    counts: Counter[Status]
    p95_lateness: float | None
    failures: tuple[int, ...]
    is_cut: bool

    @property
    def runs(self) -> int:
        """Those that ended or are under way; skipped instants ran nothing."""
        return self.counts.total() - self.skipped

    @property
    def skipped(self) -> int:
        return self.counts[Status.SKIPPED]

    @property
    def link(self) -> str:
        """What of an address narrows the list of runs to those that are counted."""
        return f"scheduled_for_from_0={self.since:%Y-%m-%d}&scheduled_for_from_1={self.since:%H:%M:%S}"

    @property
    def failed(self) -> int:
        return self.counts[Status.FAILED]

    @property
    def success_percent(self) -> str:
        """The share of ended runs that succeeded, warnings included; empty where none ended.

        It is 100.0 % where all did.
        """
        good = self.counts[Status.SUCCEEDED] + self.counts[Status.WARNED]
        ended = good + self.counts[Status.FAILED] + self.counts[Status.CANCELLED]
        if not ended:
            return words.NOTHING
        return f"{100.0 if good == ended else min(100 * good / ended, 99.9):.1f} %"


@dataclass(frozen=True)
class Running:
    """A run under way, how long already, how long it usually takes, and how far it is (in per cent)."""

    execution: Execution
    elapsed: timedelta
    usual_seconds: float | None
    percent: int | None
    is_guess: bool


@dataclass(frozen=True)
class Waiting:
    """A queue with what waits in it and how many slots alive workers have for it."""

    name: str
    waiting: int
    oldest: datetime | None
    slots: int


def last_day(now: datetime) -> LastDay:
    """Return how the last 24 hours went, by the hour."""
    since = tallies.begin(now - DAY)
    figures = tallies.read(since)
    found: Counter[tuple[datetime, Status]] = Counter()
    for begun, slot in figures.slots.items():
        for status, count in slot.counts.items():
            found[_hour(begun), status] += count
    hours = tuple(_bar(_hour(since) + timedelta(hours=offset), found) for offset in range(25))
    total = figures.total
    p95 = tallies.percentile(total.lateness, 0.95)
    return LastDay(since, hours, total.counts, p95, tuple(total.failures), figures.is_cut)


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def _bar(hour: datetime, found: Mapping[tuple[datetime, Status], int]) -> Bar:
    by_tone = {words.TONES[status]: found.get((hour, status), 0) for status in Status}
    parts = {tone: by_tone[tone] for tone in _STACK}
    told = ", ".join(f"{count} {tone}" for tone, count in parts.items() if count) or "nothing"
    return Bar(f"{hour:%H:%M}" if hour.hour % 3 == 0 else "", f"{hour:%m-%d %H:00} UTC: {told}", parts)


def capped(name: str) -> Capped:
    """Return how many jobs are scheduled, or runs are queued or running, counted up to the cap."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({_CAPPED[name]}) found", [CAP + 1])  # noqa: S608 - constants
        return Capped(int(cursor.fetchone()[0]))


def running(now: datetime) -> list[Running]:
    """Return the runs under way that began first."""
    open_runs = list(
        Execution.objects.filter(status=Status.RUNNING).select_related("job").order_by("started_at")[:LISTED]
    )
    usual = runs.usual_seconds(execution.job_id for execution in open_runs)
    return [_running(execution, now, usual.get(execution.job_id)) for execution in open_runs]


def _running(execution: Execution, now: datetime, usual: float | None) -> Running:
    elapsed = max(now - (execution.started_at or now), timedelta(0))
    if execution.progress_total:
        percent = min(100, 100 * (execution.progress_done or 0) // execution.progress_total)
        return Running(execution, elapsed, usual, percent, False)
    guessed = min(99, int(100 * elapsed.total_seconds() / usual)) if usual else None
    return Running(execution, elapsed, usual, guessed, True)


def coming(now: datetime) -> list[tuple[JobState, Closure | None]]:
    """Return the states of the jobs that are due next, within 24 hours, and why one will not run where it will not."""
    due = JobState.objects.filter(next_fire_at__isnull=False, next_fire_at__lt=now + DAY)
    states = list(due.select_related("job").order_by("next_fire_at")[:LISTED])
    closures = next_closures([state.job for state in states])
    return [(state, closures.get(state.job_id)) for state in states]


def failures(day: LastDay) -> list[Execution]:
    """Return the newest failed runs of the day."""
    found = Execution.objects.filter(pk__in=day.failures, status=Status.FAILED)
    return list(found.select_related("job").order_by("-pk")[:LISTED])


def alive() -> Counter[str]:
    """Return how many processes of each kind are alive."""
    with connection.cursor() as cursor:
        cursor.execute(_ALIVE, [ALIVE_WITHIN.total_seconds()])
        return Counter(dict(cursor.fetchall()))


def queues() -> list[Waiting]:
    """Return each queue that something waits in or somebody works on."""
    with connection.cursor() as cursor:
        cursor.execute(_SLOTS, [ALIVE_WITHIN.total_seconds()])
        slots: Counter[str] = Counter({queue: int(count) for queue, count in cursor.fetchall()})
        cursor.execute(_QUEUES, [CAP])
        waiting = {queue: (count, oldest) for queue, count, oldest in cursor.fetchall()}
    return [Waiting(name, *waiting.get(name, (0, None)), slots=slots[name]) for name in sorted({*waiting, *slots})]


def overview() -> dict[str, Any]:
    """Return everything that the dashboard shows."""
    now = clock.now().astimezone(UTC)
    day = last_day(now)
    by_kind = alive()
    return {
        "now": now,
        "day": day,
        "scheduled": capped("scheduled"),
        "queued": capped("queued"),
        "running_count": capped("running"),
        "running": running(now),
        "coming": coming(now),
        "coming_count": capped("coming"),
        "failures": failures(day),
        "processes": list(Process.objects.alive().order_by("kind", "name")[:PROCESSES]),
        "alive": by_kind.total(),
        "beats": by_kind[Process.Kind.BEAT],
        "workers": by_kind[Process.Kind.WORKER],
        "queues": queues(),
    }
