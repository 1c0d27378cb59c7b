"""Claims: due instants become executions, in one transaction with the next fire and the beat entry.

The cost of a claim depends on what is due: rows are found through the partial index on ``next_fire_at`` and locked with
SKIP LOCKED, so that any number of beats share the work and none waits for another.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from scheduler import job_types
from scheduler.exceptions import UnknownJobType
from scheduler.executions import REPUBLISH_SECONDS, end_queued_locked, release_held
from scheduler.messages import Hint
from scheduler.misfire import Plan, plan
from scheduler.models import Reason, Status, Trigger
from scheduler.overlap import Decision, decide
from scheduler.schedule import Schedule


@dataclass(frozen=True)
class Claimed:
    """What one claim did: hints to publish after its commit, and how many jobs were due."""

    hints: tuple[Hint, ...]
    jobs: int


@dataclass(slots=True)
class DueJob:
    """A locked job whose ``next_fire_at`` has passed, with what is needed to decide about it."""

    job_pk: int
    next_fire_at: datetime  # None only where ``lock`` returned it: nothing will fire
    recompute: bool
    last_number: int
    open_runs: int
    entry_id: int | None
    kind: str
    schedule: Schedule
    misfire: str
    grace: timedelta
    overlap: str
    priority: int
    queue: str
    headers: str
    concurrency_key: str
    frequency: str | None
    visible: bool
    retention_days: int


@dataclass(slots=True)
class Batch:
    """The rows that a claim will write."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    states: list[tuple[int, datetime | None, int]] = field(default_factory=list)
    entries: list[tuple[int, datetime | None, int]] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    headers: dict[int, str] = field(default_factory=dict)


_DUE = """
SELECT job_id, next_fire_at, recompute, last_number, open_runs, entry_id, now()
  FROM scheduler_jobstate WHERE next_fire_at <= now() ORDER BY next_fire_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
_DUE_ONE = """
SELECT job_id, next_fire_at, recompute, last_number, open_runs, entry_id, now()
  FROM scheduler_jobstate WHERE job_id = %s AND next_fire_at <= now() FOR UPDATE
"""
_LOCK_ONE = """
SELECT job_id, next_fire_at, recompute, last_number, open_runs, entry_id
  FROM scheduler_jobstate WHERE job_id = %s FOR UPDATE
"""
# A second statement, so that it sees what was committed before the lock was had: an edit holds the same lock.
_DEFINITIONS = """
SELECT id, kind, expression, zone, run_at, starts_at, ends_at, misfire, misfire_grace_seconds, overlap, priority, queue,
       headers::text, concurrency_key, coalesce(schedule_text, expression), history_strategy <> 'OFF', retention_days
  FROM scheduler_job WHERE id = ANY(%s)
"""


def claim(*, limit: int) -> Claimed:
    """Claim up to ``limit`` due jobs and commit. Publish the hints afterwards with ``messages.publish``."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_DUE, [limit])
        return _claim(cursor, cursor.fetchall())


def lock(cursor: Any, job_pk: int) -> DueJob | None:
    """Lock the state row of a job for the caller's transaction and return what decides about its runs; None: gone."""
    cursor.execute(_LOCK_ONE, [job_pk])
    state = cursor.fetchone()
    if state is None:
        return None
    cursor.execute(_DEFINITIONS, [[job_pk]])
    return _due_job(state, cursor.fetchone())


def settle(job_pk: int) -> tuple[Hint, ...]:
    """Claim what is due of one job inside the caller's transaction, which holds its state row.

    Whoever edits, pauses or resumes a job does this first: an instant that was due before the edit keeps its state.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DUE_ONE, [job_pk])
        return _claim(cursor, cursor.fetchall()).hints


def _claim(cursor: Any, locked: Sequence[tuple[Any, ...]]) -> Claimed:
    if not locked:
        return Claimed((), 0)
    now: datetime = locked[0][6]
    cursor.execute(_DEFINITIONS, [[row[0] for row in locked]])
    definitions = {row[0]: row for row in cursor.fetchall()}
    batch = Batch()
    for row in locked:
        _decide(_due_job(row, definitions[row[0]]), now, batch)
    for job_pk in batch.replaced:
        replace_open(cursor, job_pk)
    hints = _write(cursor, batch)
    return Claimed(hints, len(locked))


def _due_job(state: tuple[Any, ...], definition: tuple[Any, ...]) -> DueJob:
    grace = definition[8] if definition[8] is not None else settings.SCHEDULER_MISFIRE_GRACE_SECONDS
    job_pk, next_fire_at, recompute, last_number, open_runs, entry_id = state[:6]
    return DueJob(
        job_pk=job_pk,
        next_fire_at=next_fire_at,
        recompute=recompute,
        last_number=last_number,
        open_runs=open_runs,
        entry_id=entry_id,
        kind=definition[1],
        schedule=Schedule(*definition[2:7]),
        misfire=definition[7],
        grace=timedelta(seconds=grace),
        overlap=definition[9],
        priority=definition[10],
        queue=definition[11] or queue_of(definition[1]),
        headers=definition[12],
        concurrency_key=definition[13],
        frequency=definition[14],
        visible=definition[15],
        retention_days=definition[16],
    )


def queue_of(kind: str) -> str:
    """Return the default queue of a kind; the setting's default queue where no surface knows the kind any more."""
    try:
        return job_types.get(kind).queue
    except UnknownJobType:
        return str(settings.CELERY_TASK_DEFAULT_QUEUE)


def _decide(job: DueJob, now: datetime, batch: Batch) -> None:
    """Add to ``batch`` what becomes of the instants of one job that have passed."""
    if job.recompute:
        following = job.schedule.next_after(now)
        batch.states.append((job.job_pk, following, job.last_number))
        if job.entry_id is not None:
            batch.entries.append((job.entry_id, following, 0))
        return
    passed = plan(
        job.misfire,
        due=job.next_fire_at,
        now=now,
        grace=job.grace,
        next_after=job.schedule.next_after,
        previous_before=job.schedule.previous_before,
    )
    number, fired = _add_fires(job, passed, batch)
    if fired and job.headers != "{}":
        batch.headers[job.job_pk] = job.headers
    batch.states.append((job.job_pk, passed.next_fire_at, number))
    if job.entry_id is not None:
        batch.entries.append((job.entry_id, passed.next_fire_at, fired))


def _add_fires(job: DueJob, passed: Plan, batch: Batch) -> tuple[int, int]:
    """Add the executions of ``passed``; return the job's new last number and how many will run."""
    number, open_runs, fired = job.last_number, job.open_runs, 0
    if passed.span is not None:
        batch.rows.append(_skipped(job, passed.span[0], Reason.MISSED, until=passed.span[1]))
    for reason, instants in ((Reason.MISSED, passed.missed), (Reason.COALESCED, passed.coalesced)):
        batch.rows.extend(_skipped(job, instant, reason) for instant in instants)
    late = [(instant, Trigger.MISFIRE) for instant in passed.late]
    for instant, trigger in late + [(instant, Trigger.SCHEDULE) for instant in passed.on_time]:
        decision = decide(job.overlap, open_runs=open_runs)
        if decision is Decision.REPLACE and fired:
            # Several instants at once under "replace": the first of them stands, the run it replaces is ending.
            decision = Decision.SKIP
        if decision is Decision.SKIP:
            batch.rows.append(_skipped(job, instant, Reason.OVERLAP))
            continue
        if decision is Decision.REPLACE:
            batch.replaced.append(job.job_pk)
        number, open_runs, fired = number + 1, open_runs + 1, fired + 1
        batch.rows.append(_queued(job, instant, trigger, number, held=decision is not Decision.RUN))
    return number, fired


def _skipped(job: DueJob, instant: datetime, reason: Reason, *, until: datetime | None = None) -> tuple[Any, ...]:
    return (
        job.job_pk,
        None,
        Trigger.SCHEDULE.value,
        instant,
        until,
        Status.SKIPPED.value,
        reason.value,
        job.frequency,
        job.queue,
        job.priority,
        job.concurrency_key,
        False,
        job.visible,
        job.retention_days,
    )


def _queued(job: DueJob, instant: datetime, trigger: Trigger, number: int, *, held: bool) -> tuple[Any, ...]:
    return (
        job.job_pk,
        number,
        trigger.value,
        instant,
        None,
        Status.QUEUED.value,
        None,
        job.frequency,
        job.queue,
        job.priority,
        job.concurrency_key,
        not held,
        True,
        job.retention_days,
    )


_INSERT = """
INSERT INTO scheduler_execution
       (job_id, number, trigger, scheduled_for, until, status, reason, frequency, queue, priority, concurrency_key,
        ready_at, publish_at, ended_at, expires_at, attempt, rescues, cancel_requested, messages, visible, complete)
SELECT v.job_id, v.number, v.trigger, v.scheduled_for, v.until, v.status, v.reason, v.frequency, v.queue, v.priority,
       v.concurrency_key, CASE WHEN v.ready THEN now() END,
       CASE WHEN v.ready THEN now() + make_interval(secs => %s) END, CASE WHEN v.status = 5 THEN now() END,
       CASE WHEN v.status = 5 THEN now() + make_interval(days => v.days) END, 0, 0, false, '[]'::jsonb, v.visible, false
  FROM unnest(%s::bigint[], %s::bigint[], %s::smallint[], %s::timestamptz[], %s::timestamptz[], %s::smallint[],
              %s::text[], %s::text[], %s::text[], %s::smallint[], %s::text[], %s::bool[], %s::bool[], %s::int[])
       v(job_id, number, trigger, scheduled_for, until, status, reason, frequency, queue, priority, concurrency_key,
         ready, visible, days)
ON CONFLICT (job_id, scheduled_for) WHERE trigger IN (0, 2) DO NOTHING
RETURNING id, queue, priority, ready_at IS NOT NULL, job_id, status
"""
_STATES = """
UPDATE scheduler_jobstate s
   SET next_fire_at = v.next_fire_at, last_number = v.last_number, open_runs = s.open_runs + v.opened, recompute = false
  FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[], %s::int[]) v(job_id, next_fire_at, last_number, opened)
 WHERE s.job_id = v.job_id
"""
_ENTRIES = """
WITH fired AS (
    UPDATE django_celery_beat_periodictask p
       SET last_run_at = CASE WHEN v.runs > 0 THEN now() ELSE p.last_run_at END,
           total_run_count = p.total_run_count + v.runs
      FROM unnest(%s::int[], %s::timestamptz[], %s::int[]) v(entry_id, next_fire_at, runs)
     WHERE p.id = v.entry_id
    RETURNING p.clocked_id, v.next_fire_at
)
UPDATE django_celery_beat_clockedschedule c SET clocked_time = fired.next_fire_at
  FROM fired WHERE c.id = fired.clocked_id AND fired.next_fire_at IS NOT NULL
"""
_ENTRIES_OVER = "UPDATE django_celery_beat_periodictask SET enabled = false WHERE id = ANY(%s) AND enabled"


def _write(cursor: Any, batch: Batch) -> tuple[Hint, ...]:
    hints: list[Hint] = []
    opened: Counter[int] = Counter()
    if batch.rows:
        cursor.execute(_INSERT, [REPUBLISH_SECONDS, *(list(column) for column in zip(*batch.rows, strict=True))])
        for execution_id, queue, priority, ready, job_pk, status in cursor.fetchall():
            opened[job_pk] += status == Status.QUEUED
            if ready:
                hints.append(Hint(execution_id, queue, priority, batch.headers.get(job_pk, "{}")))
    # Opened runs are counted from what was inserted: an instant that had its row already (the database's clock was set
    # back) is not counted twice.
    states = [(*state, opened[state[0]]) for state in batch.states]
    cursor.execute(_STATES, [list(column) for column in zip(*states, strict=True)])
    for job_pk in batch.replaced:
        release_held(cursor, job_pk)
    if batch.entries:
        cursor.execute(_ENTRIES, [list(column) for column in zip(*batch.entries, strict=True)])
        over = [entry_id for entry_id, following, _ in batch.entries if following is None]
        if over:
            cursor.execute(_ENTRIES_OVER, [over])
    return tuple(hints)


def replace_open(cursor: Any, job_pk: int) -> None:
    """Cancel every open run of a job inside the caller's transaction, which holds its state row."""
    cursor.execute("SELECT id, status FROM scheduler_execution WHERE job_id = %s AND status < 2", [job_pk])
    for execution_id, status in cursor.fetchall():
        if status == Status.QUEUED:
            end_queued_locked(cursor, execution_id, job_pk, status=Status.CANCELLED, message="replaced by a newer run")
        else:
            cursor.execute(
                "UPDATE scheduler_execution SET cancel_requested = true WHERE id = %s AND status = 1", [execution_id]
            )


def insert_manual(
    cursor: Any, job: DueJob, *, by: str, arguments: dict[str, Any] | None, decision: Decision
) -> tuple[int, Hint | None]:
    """Write the execution of a request to run now; return its id and the hint to publish, if it may start at once."""
    skipped = decision is Decision.SKIP
    cursor.execute(
        """
        INSERT INTO scheduler_execution
               (job_id, number, trigger, scheduled_for, status, reason, frequency, queue, priority, concurrency_key,
                ready_at, publish_at, ended_at, expires_at, attempt, rescues, cancel_requested, messages, visible,
                complete, requested_by, arguments)
        VALUES (%s, %s, %s, clock_timestamp(), %s, %s, %s, %s, %s, %s,
                CASE WHEN %s THEN now() END, CASE WHEN %s THEN now() + make_interval(secs => %s) END,
                CASE WHEN %s THEN clock_timestamp() END, CASE WHEN %s THEN now() + make_interval(days => %s) END,
                0, 0, false, '[]'::jsonb, %s, false, %s, %s::jsonb)
        RETURNING id
        """,
        [
            job.job_pk,
            None if skipped else job.last_number + 1,
            Trigger.MANUAL.value,
            (Status.SKIPPED if skipped else Status.QUEUED).value,
            Reason.OVERLAP.value if skipped else None,
            job.frequency,
            job.queue,
            job.priority,
            job.concurrency_key,
            decision is Decision.RUN,
            decision is Decision.RUN,
            REPUBLISH_SECONDS,
            skipped,
            skipped,
            job.retention_days,
            job.visible or not skipped,
            by,
            None if arguments is None else json.dumps(arguments),
        ],
    )
    execution_id = cursor.fetchone()[0]
    if not skipped:
        cursor.execute(
            "UPDATE scheduler_jobstate SET last_number = last_number + 1, open_runs = open_runs + 1 WHERE job_id = %s",
            [job.job_pk],
        )
    ready = decision is Decision.RUN
    return execution_id, Hint(execution_id, job.queue, job.priority, job.headers) if ready else None
