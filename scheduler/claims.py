"""Claims: due instants become executions, in one transaction with the next fire and the beat entry.

The cost of a claim depends on what is due: rows are found through the partial index on ``next_fire_at`` and locked with
SKIP LOCKED, so that any number of beats share the work and none waits for another.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from scheduler import broken, job_types, limits, metrics, outbox, request_id
from scheduler.arrays import INSTANT, integers
from scheduler.calendars import store as calendars
from scheduler.due import Batch, DueJob, Row, to_microseconds
from scheduler.endings import ask_to_stop, end_queued_locked, release_held
from scheduler.exceptions import UnknownJobType
from scheduler.held import DUE_BY_KEY, held
from scheduler.messages import REPUBLISH_SECONDS, Hint
from scheduler.models import Reason, Status, Trigger
from scheduler.overlap import REPLACED, Decision
from scheduler.reach import EVERYTHING_SECONDS

logger = logging.getLogger(__name__)

# A claim ends with the job at which it has either. After an outage a job may come to a thousand rows and take long to
# work out, and PostgreSQL ends a transaction that is silent for too long (``connections.IDLE_IN_TRANSACTION``).
MOST_ROWS = 5000
MOST_SECONDS = 1.0


class _AlreadyRecorded(Exception):
    """An instant of a claim has its row already."""


@dataclass(frozen=True)
class Claimed:
    """What one claim did: hints to publish after its commit, how many jobs were due, and how many of them it left due.

    Not among them are those it passed over, of which somebody holds something. ``freed`` were others' and known to be.
    ``look_seconds``: what the look took.
    """

    hints: tuple[Hint, ...]
    jobs: int
    passed_over: tuple[int, ...] = ()
    left: int = 0
    freed: int = 0
    look_seconds: float = 0.0


_STATE = """
SELECT job_id, (extract(epoch FROM next_fire_at) * 1000000)::bigint, recompute, last_number, open_runs, entry_id,
       (extract(epoch FROM now()) * 1000000)::bigint
  FROM scheduler_jobstate
"""
_IN_REACH = "next_fire_at > now() - make_interval(secs => %s) AND next_fire_at <= now()"
_DUE = f"{_STATE} WHERE {_IN_REACH} ORDER BY next_fire_at LIMIT %s FOR UPDATE SKIP LOCKED"
_DUE_PAST = (
    f"{_STATE} WHERE {_IN_REACH} AND job_id <> ALL(%s::bigint[]) ORDER BY next_fire_at LIMIT %s FOR UPDATE SKIP LOCKED"
)
# What others held a moment ago, however long ago it fell due.
_DUE_KNOWN = f"""
{_STATE} WHERE job_id = ANY(%s::bigint[]) AND {DUE_BY_KEY} AND job_id <> ALL(%s::bigint[])
 ORDER BY next_fire_at - now() LIMIT %s FOR UPDATE SKIP LOCKED
"""
_DUE_ONE = f"{_STATE} WHERE job_id = %s AND next_fire_at <= %s FOR UPDATE"
_LOCK_ONE = f"{_STATE} WHERE job_id = %s FOR UPDATE"
# A second statement, so that it sees what was committed before the lock was had: an edit holds the same lock.
_DEFINITIONS = """
SELECT id, expression, zone, run_at, starts_at, ends_at, misfire, misfire_grace_seconds, overlap, calendars, kind
  FROM scheduler_job WHERE id = ANY(%s::bigint[])
"""


# OFFSET: job by job; joined, PostgreSQL looked at all rows of all jobs where its statistics knew of none.
_RECORDED = """
SELECT v.job_id, (extract(epoch FROM e.scheduled_for) * 1000000)::bigint
  FROM unnest(%s::bigint[], %s::bigint[]) v(job_id, since)
 CROSS JOIN LATERAL (
       SELECT scheduled_for FROM scheduler_execution
        WHERE job_id = v.job_id AND trigger IN (0, 2) AND scheduled_for BETWEEN {} AND {} OFFSET 0) e
""".format(INSTANT.format("v.since"), INSTANT.format("%s::bigint"))


def claim(
    *,
    limit: int,
    past: Collection[int] | None = None,
    back: float = EVERYTHING_SECONDS,
    known: Collection[int] = (),
) -> Claimed:
    """Claim up to ``limit`` jobs that fell due in the last ``back`` seconds, or are due and among ``known``; commit.

    Publish the hints afterwards with ``messages.publish``.

    A claim waits for whoever holds a beat entry it writes, or a run it replaces, for as long as its connection lets it.
    With ``past`` it asks first and waits for none: it passes over the jobs of which something is held, and looks past
    those named.
    """
    began = time.perf_counter()
    try:
        claimed = _claim_due(limit, past, back, known)
    except _AlreadyRecorded:
        # Rare enough not to be asked every time: the database's clock was set back, and jobs were edited since.
        logger.warning("claim.already_recorded")
        claimed = _claim_due(limit, past, back, known, ask=True)
    metrics.TICKS.add()
    metrics.TICK.observe(time.perf_counter() - began)
    return claimed


def _claim_due(
    limit: int, past: Collection[int] | None, back: float, known: Collection[int], *, ask: bool = False
) -> Claimed:
    began = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        found, freed = _look(cursor, limit, past, back, known)
        looked = time.perf_counter()
        # Nobody is known to hold anything of a job, or: ask.
        passed_over = held(cursor, {state[0]: state[5] for state in found}) if found and past is not None else set()
        locked = [state for state in found if state[0] not in passed_over] if passed_over else found
        claimed = _claim(cursor, locked, now=locked[0][6], ask=ask) if locked else Claimed((), 0)
    return replace(claimed, passed_over=tuple(passed_over), freed=freed, look_seconds=looked - began)


def _look(
    cursor: Any, limit: int, past: Collection[int] | None, back: float, known: Collection[int]
) -> tuple[list[tuple[Any, ...]], int]:
    """Lock and return the state rows of jobs that are due, and how many of them were ``known``."""
    if past is None and not known:
        cursor.execute(_DUE, [back, limit])
        return cursor.fetchall(), 0
    found: list[tuple[Any, ...]] = []
    if known:
        cursor.execute(_DUE_KNOWN, [integers(known), integers(past or ()), limit])
        found = cursor.fetchall()
    cursor.execute(_DUE_PAST, [back, integers([*(past or ()), *known]), limit - len(found)])
    return [*found, *cursor.fetchall()], len(found)


def lock(cursor: Any, job_pk: int) -> DueJob | None:
    """Lock the state row of a job for the caller's transaction and return what decides about its runs; None: gone."""
    cursor.execute(_LOCK_ONE, [job_pk])
    states = cursor.fetchall()
    return _due_jobs(cursor, states)[0] if states else None


def settle(job_pk: int, *, now: datetime) -> tuple[Hint, ...]:
    """Claim what one job has due at ``now`` inside the caller's transaction, which holds its state row.

    Whoever edits, pauses or resumes a job does this first: an instant that was due before the edit keeps its state.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DUE_ONE, [job_pk, now])
        locked = cursor.fetchall()
        return _claim(cursor, locked, now=to_microseconds(now), ask=True).hints if locked else ()


def _claim(cursor: Any, locked: Sequence[tuple[Any, ...]], *, now: int, ask: bool) -> Claimed:
    """Write what becomes of locked jobs. ``ask`` which instants have a row; else ``_AlreadyRecorded`` where one has."""
    batch = Batch(recorded=_recorded(cursor, locked, now) if ask else frozenset())
    unreadable: list[Row] = []
    jobs = _due_jobs(cursor, locked)
    ends = time.monotonic() + MOST_SECONDS
    left = 0
    for place, job in enumerate(jobs):
        rows = len(batch.rows)
        if place and (rows >= MOST_ROWS or time.monotonic() >= ends):
            # The others stay due as they are: whoever claims next takes them.
            left = len(jobs) - place
            logger.info("claim.cut_short jobs=%d left=%d rows=%d", place, left, rows)
            break
        try:
            batch.add(job, now)
        except Exception as problem:
            # One job whose schedule cannot be worked out (its zone left the time zone database, its row was edited by
            # hand) must not keep the others from firing, nor be tried again for ever.
            logger.exception("claim.job_paused job_pk=%s", job.job_pk)
            del batch.rows[rows:]
            unreadable.extend(broken.pause(cursor, job, problem, queue=queue_of(job.kind), now=now))
    for job_pk in batch.replaced:
        replace_open(cursor, job_pk)
    hints = _write(cursor, batch, asked=ask)
    metrics.claimed([*batch.rows, *unreadable], {job.job_pk: job.kind for job in jobs}, now=now)
    return Claimed(hints, len(locked), left=left)


def _due_jobs(cursor: Any, states: Sequence[tuple[Any, ...]]) -> list[DueJob]:
    """Return the jobs of locked state rows, in their order."""
    cursor.execute(_DEFINITIONS, [integers(state[0] for state in states)])
    definitions = {row[0]: row for row in cursor.fetchall()}
    keeping = [row for row in definitions.values() if row[9]]
    closed = dict(
        zip(
            [row[0] for row in keeping],
            calendars.all_closed(cursor, [(row[9], row[2]) for row in keeping]) if keeping else (),
            strict=True,
        )
    )
    default_grace: int = settings.SCHEDULER_MISFIRE_GRACE_SECONDS
    jobs = []
    for job_pk, next_fire, recompute, last_number, open_runs, entry_id, _ in states:
        _, expression, zone, run_at, starts_at, ends_at, misfire, grace, overlap, _, kind = definitions[job_pk]
        jobs.append(
            DueJob(
                job_pk,
                next_fire,
                recompute,
                last_number,
                open_runs,
                entry_id,
                expression,
                zone,
                run_at,
                starts_at,
                ends_at,
                misfire,
                default_grace if grace is None else grace,
                overlap,
                closed.get(job_pk),
                kind,
            )
        )
    return jobs


def _default_queues() -> str:
    """Return kind -> queue as JSON text, for the statements that fill a row's queue in."""
    return json.dumps({job_type.kind: job_type.queue for job_type in job_types.all_types()})


# In order: the older of two executions has the smaller id, which the order of a backlog and of lost messages goes by.
_INSERT = f"""
INSERT INTO scheduler_execution
       (job_id, number, trigger, scheduled_for, until, status, reason, frequency, queue, priority, concurrency_key,
        ready_at, publish_at, ended_at, expires_at, attempt, rescues, cancel_requested, messages, visible, complete)
SELECT v.job_id, v.number, v.trigger, {INSTANT.format("v.due")}, {INSTANT.format("v.until")}, v.status, v.reason,
       coalesce(j.schedule_text, j.expression), coalesce(nullif(j.queue, ''), %s::jsonb ->> j.kind, %s), j.priority,
       CASE WHEN %s OR l.key IS NOT NULL THEN j.concurrency_key ELSE '' END, CASE WHEN v.ready THEN now() END,
       CASE WHEN v.ready THEN now() + make_interval(secs => %s) END, CASE WHEN v.status = 5 THEN now() END,
       CASE WHEN v.status = 5 THEN now() + make_interval(days => j.retention_days) END, 0, 0, false, '[]'::jsonb,
       v.status <> 5 OR j.history_strategy <> 'OFF', false
  FROM unnest(%s::bigint[], %s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[], %s::smallint[], %s::text[],
              %s::bool[]) WITH ORDINALITY
       v(job_id, number, trigger, due, until, status, reason, ready, place)
  JOIN scheduler_job j ON j.id = v.job_id LEFT JOIN scheduler_limit l ON l.key = j.concurrency_key
 ORDER BY v.place
ON CONFLICT (job_id, scheduled_for) WHERE trigger IN (0, 2) DO NOTHING
RETURNING id, queue, priority, ready_at IS NOT NULL, job_id, status, reason
"""
_STATES = f"""
UPDATE scheduler_jobstate s
   SET next_fire_at = {INSTANT.format("v.next_fire")}, last_number = v.last_number, open_runs = s.open_runs + v.opened,
       recompute = false
  FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::int[]) v(job_id, next_fire, last_number, opened)
 WHERE s.job_id = v.job_id
"""
_ENTRIES = f"""
WITH fired AS (
    UPDATE django_celery_beat_periodictask p
       SET last_run_at = CASE WHEN v.runs > 0 THEN now() ELSE p.last_run_at END,
           total_run_count = p.total_run_count + v.runs
      FROM unnest(%s::int[], %s::bigint[], %s::int[]) v(entry_id, next_fire, runs)
     WHERE p.id = v.entry_id
    RETURNING p.clocked_id, v.next_fire
)
UPDATE django_celery_beat_clockedschedule c SET clocked_time = {INSTANT.format("fired.next_fire")}
  FROM fired WHERE c.id = fired.clocked_id AND fired.next_fire IS NOT NULL
"""
_ENTRIES_OVER = (
    "UPDATE django_celery_beat_periodictask SET enabled = false WHERE id = ANY(%s::int[]) AND enabled RETURNING id"
)
_HEADERS = "SELECT id, headers::text FROM scheduler_job WHERE id = ANY(%s::bigint[]) AND headers <> '{}'::jsonb"


def _recorded(cursor: Any, locked: Sequence[tuple[Any, ...]], now: int) -> frozenset[tuple[int, int]]:
    """Return which instants of each locked job, from its own next fire on, have a row."""
    # Not from the oldest next fire of all on: for one job due since yesterday a day of all others' rows would be read.
    cursor.execute(_RECORDED, [integers(state[0] for state in locked), integers(state[1] for state in locked), now])
    return frozenset(cursor.fetchall())


def _write(cursor: Any, batch: Batch, *, asked: bool) -> tuple[Hint, ...]:
    """Write the rows of a batch; return the hints of the executions that may start at once."""
    hints: list[Hint] = []
    opened: Counter[int] = Counter()
    if batch.rows:
        cursor.execute(
            _INSERT,
            [_default_queues(), default_queue(), limits.all_limited(), REPUBLISH_SECONDS, *_row_columns(batch)],
        )
        inserted = cursor.fetchall()
        if len(inserted) < len(batch.rows) and not asked:
            raise _AlreadyRecorded
        cursor.execute(_HEADERS, [integers(row[0] for row in batch.rows)])
        headers = dict(cursor.fetchall())
        not_run: dict[int, int] = {}
        for execution_id, queue, priority, ready, job_pk, status, reason in inserted:
            if status == Status.QUEUED.value:
                opened[job_pk] += 1
                if ready:
                    hints.append(Hint(execution_id, queue, priority, headers.get(job_pk, "{}")))
            elif reason in outbox.NOT_RUN:
                # The newest of a job tells of all: after an outage there are a thousand.
                not_run[job_pk] = execution_id
        outbox.write_not_run(cursor, not_run.values())
    if not batch.states:
        return ()
    jobs, fires, numbers = zip(*batch.states, strict=True)
    opens = [opened[job_pk] for job_pk in jobs]
    cursor.execute(_STATES, [integers(jobs), integers(fires), integers(numbers), integers(opens)])
    for job_pk in batch.replaced:
        release_held(cursor, job_pk)
    if batch.entries:
        entries, fires, runs = zip(*batch.entries, strict=True)
        cursor.execute(_ENTRIES, [integers(entries), integers(fires), integers(runs)])
        over = [entry_id for entry_id, following, _ in batch.entries if following is None]
        if over:
            cursor.execute(_ENTRIES_OVER, [integers(over)])
    return tuple(hints)


def _row_columns(batch: Batch) -> list[str]:
    jobs, numbers, triggers, dues, untils, statuses, reasons, readies = zip(*batch.rows, strict=True)
    whole = [integers(column) for column in (jobs, numbers, triggers, dues, untils, statuses)]
    # Reasons are words of our own, without a character that an array literal would need quoted.
    words = "{" + ",".join(["NULL" if reason is None else reason for reason in reasons]) + "}"
    flags = "{" + ",".join(["t" if ready else "f" for ready in readies]) + "}"
    return [*whole, words, flags]


def default_queue() -> str:
    """Return the queue of a job that names none and whose kind no installed surface knows."""
    return str(settings.CELERY_TASK_DEFAULT_QUEUE)


def queue_of(kind: str) -> str:
    """Return the queue of a kind's jobs that name none themselves."""
    try:
        return job_types.get(kind).queue
    except UnknownJobType:
        return default_queue()


def replace_open(cursor: Any, job_pk: int) -> None:
    """Cancel every open run of a job inside the caller's transaction, which holds its state row."""
    message = REPLACED
    cursor.execute("SELECT id FROM scheduler_execution WHERE job_id = %s AND status < 2 ORDER BY id", [job_pk])
    for (execution_id,) in cursor.fetchall():
        # A worker may start it between the two statements, so the second one looks at what the first did not take.
        if not end_queued_locked(cursor, execution_id, job_pk, status=Status.CANCELLED, message=message):
            ask_to_stop(cursor, execution_id, message=message)


_INSERT_MANUAL = """
INSERT INTO scheduler_execution
       (job_id, number, trigger, scheduled_for, status, reason, frequency, queue, priority, concurrency_key,
        ready_at, publish_at, ended_at, expires_at, attempt, rescues, cancel_requested, messages, visible,
        complete, requested_by, request_id, arguments)
SELECT j.id, %(number)s, %(trigger)s, clock_timestamp(), %(status)s, %(reason)s,
       coalesce(j.schedule_text, j.expression), coalesce(nullif(j.queue, ''), %(queue)s), j.priority,
       CASE WHEN %(limited)s OR l.key IS NOT NULL THEN j.concurrency_key ELSE '' END,
       CASE WHEN %(ready)s THEN now() END,
       CASE WHEN %(ready)s THEN now() + make_interval(secs => %(again)s) END,
       CASE WHEN %(skipped)s THEN clock_timestamp() END,
       CASE WHEN %(skipped)s THEN now() + make_interval(days => j.retention_days) END,
       0, 0, false, '[]'::jsonb, NOT %(skipped)s OR j.history_strategy <> 'OFF', false, %(by)s,
       %(request_id)s, %(arguments)s::jsonb
  FROM scheduler_job j LEFT JOIN scheduler_limit l ON l.key = j.concurrency_key WHERE j.id = %(job)s
RETURNING id, queue, priority, (SELECT headers::text FROM scheduler_job WHERE id = %(job)s)
"""


def insert_manual(
    cursor: Any, job: DueJob, *, kind: str, by: str, arguments: dict[str, Any] | None, decision: Decision
) -> tuple[int, Hint | None]:
    """Write the execution of a request to run now; return its id and the hint, where it may start at once."""
    skipped = decision is Decision.SKIP
    ready = decision is Decision.RUN
    cursor.execute(
        _INSERT_MANUAL,
        {
            "job": job.job_pk,
            "number": None if skipped else job.last_number + 1,
            "trigger": Trigger.MANUAL.value,
            "status": (Status.SKIPPED if skipped else Status.QUEUED).value,
            "reason": Reason.OVERLAP.value if skipped else None,
            "queue": queue_of(kind),
            "limited": limits.all_limited(),
            "ready": ready,
            "again": REPUBLISH_SECONDS,
            "skipped": skipped,
            "by": by,
            "request_id": request_id.current(),
            "arguments": None if arguments is None else json.dumps(arguments),
        },
    )
    hint = Hint(*cursor.fetchone())
    if not skipped:
        cursor.execute(
            "UPDATE scheduler_jobstate SET last_number = last_number + 1, open_runs = open_runs + 1 WHERE job_id = %s",
            [job.job_pk],
        )
    return hint.execution_id, hint if ready else None
