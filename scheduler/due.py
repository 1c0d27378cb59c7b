"""A job that is due, and what becomes of its instants: the decisions of a claim, free of SQL.

Instants are whole microseconds since 1970 in UTC here: a claim makes thousands of them a second, and integers cost a
fraction of what datetimes do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from scheduler.calendars.days import Closed
from scheduler.calendars.fires import DueFires
from scheduler.misfire import Misfire, Plan, plan
from scheduler.models import Reason, Status, Trigger
from scheduler.overlap import Decision, decide
from scheduler.schedule import Schedule, zone_of
from scheduler.schedule_text import parse_schedule

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# A grace that no instant is within, be it late by nothing.
_ALL_LATE = -1

_SCHEDULE = Trigger.SCHEDULE.value
_QUEUED = Status.QUEUED.value
_SKIPPED = Status.SKIPPED.value


@dataclass(slots=True)
class DueJob:
    """A locked job with what is needed to decide about it. ``next_fire`` None: nothing will fire."""

    job_pk: int
    next_fire: int | None
    recompute: bool
    last_number: int
    open_runs: int
    entry_id: int | None
    expression: str | None
    zone: str
    run_at: datetime | None
    starts_at: datetime | None
    ends_at: datetime | None
    misfire: str
    grace_seconds: int
    overlap: str
    closed: Closed | None = None
    kind: str = ""

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.expression, self.zone, self.run_at, self.starts_at, self.ends_at)


# A row of ``scheduler_execution`` to be: job, number, trigger, scheduled for, until, status, reason, may start at once.
Row = tuple[int, int | None, int, int, int | None, int, str | None, bool]


@dataclass(slots=True)
class Batch:
    """The rows that a claim will write. ``recorded``: instants (job, due) that have theirs, and get nothing else."""

    recorded: frozenset[tuple[int, int]] = frozenset()
    rows: list[Row] = field(default_factory=list)
    # job, next fire, last number
    states: list[tuple[int, int | None, int]] = field(default_factory=list)
    # entry, next fire, how many of its runs were fired
    entries: list[tuple[int, int | None, int]] = field(default_factory=list)
    # jobs whose open runs give way
    replaced: list[int] = field(default_factory=list)

    def add(self, job: DueJob, now: int) -> None:
        """Add what becomes of the instants of ``job`` up to and including ``now``."""
        if job.next_fire is None:
            return
        if job.recompute:
            # ``next_fire`` is when the job was resumed: what fell due since is not lost because no beat was there.
            resumed = _optional(job.schedule.next_after(to_datetime(job.next_fire)))
            if resumed is None or resumed > now:
                self._advance(job, resumed, job.last_number, 0)
                return
            job.next_fire, job.recompute = resumed, False
        following = _following(job) if job.expression is not None and job.closed is None else None
        if following is not None and following > now and now - job.next_fire <= job.grace_seconds * SECOND:
            # What nearly every claim is: one instant, in time, of a job that has another.
            late: tuple[int, ...] = ()
            on_time: tuple[int, ...] = (job.next_fire,)
        else:
            passed = self._plan(job, now) if job.closed is None else self._plan_around(job, job.closed, now)
            following = _optional(passed.next_fire_at)
            late, on_time = _instants(passed.late), _instants(passed.on_time)
            self.rows.extend(row for row in _not_run(job, passed) if (row[0], row[3]) not in self.recorded)
        if self.recorded:
            late, on_time = (self._unrecorded(job, instants) for instants in (late, on_time))
        number, fired = job.last_number, 0
        for instant, trigger in _with_triggers(late, on_time):
            decision = decide(job.overlap, open_runs=job.open_runs + fired)
            if decision is Decision.REPLACE and fired:
                # Several instants at once: the first stands, and nothing has begun that the others could replace.
                decision = Decision.SKIP
            if decision is Decision.SKIP:
                self.rows.append((job.job_pk, None, trigger, instant, None, _SKIPPED, Reason.OVERLAP.value, False))
                continue
            if decision is Decision.REPLACE:
                self.replaced.append(job.job_pk)
            fired += 1
            number += 1
            self.rows.append((job.job_pk, number, trigger, instant, None, _QUEUED, None, decision is Decision.RUN))
        self._advance(job, following, number, fired)

    @classmethod
    def unclaimed(cls, job: DueJob, first: int, *, resumed: bool, until: int) -> list[Row]:
        """Return the rows of what ``job`` had due up to and including ``until`` and cannot run any more.

        ``first`` is the first of these, or when the job was resumed. On closed days they are so recorded, else missed.
        """
        batch = cls()
        batch.add(
            replace(job, next_fire=first, recompute=resumed, misfire=Misfire.SKIP.value, grace_seconds=_ALL_LATE), until
        )
        return batch.rows

    def _plan(self, job: DueJob, now: int) -> Plan:
        return _planned(job, job.schedule, to_datetime(job.next_fire or now), now)

    def _plan_around(self, job: DueJob, closed: Closed, now: int) -> Plan:
        """Add the rows of the instants on closed days; return the plan for the others, with the fire after now."""
        fires = DueFires(job.schedule, closed, due=to_datetime(job.next_fire or now), now=to_datetime(now))
        for first, last in fires.closed():
            until = _optional(last)
            due = to_microseconds(first)
            if (job.job_pk, due) not in self.recorded:
                self.rows.append((job.job_pk, None, _SCHEDULE, due, until, _SKIPPED, Reason.CALENDAR.value, False))
        first_open = fires.first_open()
        following = job.schedule.following(to_datetime(now))
        if first_open is None:
            return Plan(following)
        return replace(_planned(job, fires, first_open, now), next_fire_at=following)

    def _unrecorded(self, job: DueJob, instants: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(instant for instant in instants if (job.job_pk, instant) not in self.recorded)

    def _advance(self, job: DueJob, following: int | None, number: int, fired: int) -> None:
        self.states.append((job.job_pk, following, number))
        if job.entry_id is not None:
            self.entries.append((job.entry_id, following, fired))


def _planned(job: DueJob, fires: Schedule | DueFires, due: datetime, now: int) -> Plan:
    return plan(
        job.misfire,
        due=due,
        now=to_datetime(now),
        grace=timedelta(seconds=job.grace_seconds),
        next_after=fires.next_after,
        previous_before=fires.previous_before,
    )


def missed(job_pk: int, first: int, *, until: int) -> Row:
    """Return the row that stands for all instants of a job from ``first`` to ``until``, which did not run."""
    return job_pk, None, _SCHEDULE, first, until, _SKIPPED, Reason.MISSED.value, False


def to_datetime(instant: int) -> datetime:
    """Return microseconds since 1970 as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=instant)


def to_microseconds(instant: datetime) -> int:
    """Return an aware datetime as microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def _optional(instant: datetime | None) -> int | None:
    return None if instant is None else to_microseconds(instant)


def _instants(instants: tuple[datetime, ...]) -> tuple[int, ...]:
    return tuple(to_microseconds(instant) for instant in instants)


def _with_triggers(late: tuple[int, ...], on_time: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    for instant in late:
        yield instant, Trigger.MISFIRE.value
    for instant in on_time:
        yield instant, _SCHEDULE


def _not_run(job: DueJob, passed: Plan) -> Iterator[Row]:
    """Yield the rows of instants that a misfire policy does not run."""
    if passed.span is not None:
        first, last = _instants(passed.span)
        reason = Reason.COALESCED if job.misfire == Misfire.FIRE_ONCE else Reason.MISSED
        yield job.job_pk, None, _SCHEDULE, first, last, _SKIPPED, reason.value, False
    for reason, instants in ((Reason.MISSED, passed.missed), (Reason.COALESCED, passed.coalesced)):
        for instant in _instants(instants):
            yield job.job_pk, None, _SCHEDULE, instant, None, _SKIPPED, reason.value, False


def _following(job: DueJob) -> int | None:
    """Return the fire after the due one; None where there is none or the schedule is bounded (the long way then)."""
    if job.next_fire is None or job.starts_at is not None or job.ends_at is not None:
        return None
    seconds = _next_epoch(job.expression or "", job.zone, job.next_fire // SECOND)
    return None if seconds is None else seconds * SECOND


@lru_cache(maxsize=65536)
def _next_epoch(expression: str, zone: str, after: int) -> int | None:
    """Remembered, because jobs that share a schedule are due together."""
    return parse_schedule(expression).next_after_epoch(after, zone_of(zone))
