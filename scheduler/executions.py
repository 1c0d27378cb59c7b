"""The life of an execution: start, renew, finish, cancel, rescue. The only writer of ``Execution`` beside the clock.

Every verb is one short transaction. Ends are conditional updates: a run ends once, under the token it was started with.
Locks are taken in one order everywhere, the job's state row before its executions, so that they cannot deadlock.
"""

from __future__ import annotations

import json
import logging
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from scheduler import history, messages
from scheduler.job_types import Outcome
from scheduler.messages import Hint
from scheduler.models import Execution, Reason, Status

logger = logging.getLogger(__name__)

# A message that nobody took within this long is published again.
REPUBLISH_SECONDS = 3


@dataclass(frozen=True)
class Started:
    """A run that this process has started and now holds the lease of. Instants are UTC."""

    execution_id: int
    job_pk: int
    job_kind: str
    job_number: int
    job_name: str
    number: int
    attempt: int
    token: int
    scheduled_for: datetime
    created_at: datetime
    started_at: datetime
    arguments: dict[str, Any]
    timeout_seconds: int
    history_strategy: str
    retention_days: int
    max_retries: int
    retry_delay_seconds: int
    retry_max_delay_seconds: int


_START = """
UPDATE scheduler_execution e
   SET status = 1, attempt = e.attempt + 1, token = %(token)s, worker = %(worker)s, started_at = clock_timestamp(),
       lease_until = clock_timestamp() + make_interval(secs => %(lease)s), publish_at = NULL, progress_done = NULL,
       progress_total = NULL
  FROM scheduler_job j
 WHERE e.id = ANY(%(ids)s) AND e.status = 0 AND e.ready_at <= now() AND j.id = e.job_id
   AND (j.expires_seconds IS NULL OR e.scheduled_for + make_interval(secs => j.expires_seconds) > now())
RETURNING e.id, e.job_id, j.kind, j.number, j.name, e.number, e.attempt, e.token, e.scheduled_for, e.created_at,
          e.started_at, coalesce(e.arguments, j.arguments)::text, coalesce(j.timeout_seconds, %(timeout)s),
          j.history_strategy, j.retention_days, j.max_retries, j.retry_delay_seconds, j.retry_max_delay_seconds
"""


def start(ids: Sequence[int], *, worker: str) -> list[Started]:
    """Start those of ``ids`` that are queued and ready, and return them; the others are somebody else's or over."""
    with connection.cursor() as cursor:
        cursor.execute(
            _START,
            {
                "ids": list(ids),
                "token": secrets.randbits(62),
                "worker": worker,
                "lease": settings.SCHEDULER_LEASE_SECONDS,
                "timeout": settings.SCHEDULER_DEFAULT_TIMEOUT_SECONDS,
            },
        )
        rows = cursor.fetchall()
    started = [_started(row) for row in rows]
    if len(started) < len(ids):
        _expire([execution for execution in ids if execution not in {run.execution_id for run in started}])
    return started


def _started(row: tuple[Any, ...]) -> Started:
    values = list(row)
    values[11] = json.loads(values[11])
    return Started(*values)


def _expire(ids: Sequence[int]) -> None:
    """End those of ``ids`` that were not started in time, as their job's ``expires_seconds`` demands."""
    late = (
        Execution.objects.filter(pk__in=list(ids), status=Status.QUEUED, job__expires_seconds__isnull=False)
        .extra(  # noqa: S610 - constant text
            where=["scheduled_for + make_interval(secs => scheduler_job.expires_seconds) <= now()"]
        )
        .values_list("pk", "job_id")
    )
    for execution_id, job_id in late:
        _end_queued(execution_id, job_id, status=Status.SKIPPED, reason=Reason.EXPIRED, message="not started in time")


@dataclass(frozen=True)
class Renewal:
    """What a heartbeat learned of one held run."""

    execution_id: int
    cancel_requested: bool


def renew(held: Sequence[tuple[int, int, int | None, int | None]]) -> list[Renewal]:
    """Renew the leases of ``held`` (execution id, token, progress done, progress total).

    Return those still held; what is missing was taken away (rescued, deleted).
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE scheduler_execution e
               SET lease_until = clock_timestamp() + make_interval(secs => %s), progress_done = v.done,
                   progress_total = v.total
              FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[]) v(id, token, done, total)
             WHERE e.id = v.id AND e.token = v.token AND e.status = 1
            RETURNING e.id, e.cancel_requested
            """,
            [settings.SCHEDULER_LEASE_SECONDS, *(list(column) for column in zip(*held, strict=True))],
        )
        return [Renewal(*row) for row in cursor.fetchall()]


def finish(run: Started, outcome: Outcome) -> bool:
    """Write how ``run`` ended, or queue its next attempt where it failed and its job retries.

    Return False, and write nothing, where the run is no longer held under its token: it was rescued, cancelled by
    force or deleted meanwhile.
    """
    if outcome.status is Status.FAILED and outcome.retryable and run.attempt <= run.max_retries:
        return _retry(run, outcome)
    kept = history.kept(run.history_strategy, failed=outcome.status in (Status.FAILED, Status.CANCELLED))
    request = response = history.Capped(None, False)
    if kept.payload:
        limit = settings.SCHEDULER_PAYLOAD_LIMIT_BYTES
        request = history.capped(outcome.request, limit=limit)
        response = history.capped(outcome.response, limit=limit)
    messages_text = history.capped(list(outcome.messages), limit=settings.SCHEDULER_PAYLOAD_LIMIT_BYTES).text or "[]"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT open_runs FROM scheduler_jobstate WHERE job_id = %s FOR UPDATE", [run.job_pk])
        state = cursor.fetchone()
        if state is None:
            return _refused(run, "the job is gone")
        cursor.execute(
            """
            UPDATE scheduler_execution
               SET status = %s, ended_at = clock_timestamp(), token = NULL, lease_until = NULL, messages = %s::jsonb,
                   visible = %s, complete = %s, expires_at = clock_timestamp() + make_interval(days => %s)
             WHERE id = %s AND status = 1 AND token = %s
            """,
            [
                outcome.status.value,
                messages_text,
                kept.visible,
                kept.payload,
                run.retention_days,
                run.execution_id,
                run.token,
            ],
        )
        if cursor.rowcount == 0:
            return _refused(run, "the lease was lost")
        if kept.payload:
            cursor.execute(
                "INSERT INTO scheduler_payload (execution_id, request, response, truncated)"
                " VALUES (%s, %s::jsonb, %s::jsonb, %s)",
                [run.execution_id, request.text, response.text, request.truncated or response.truncated],
            )
        _count_end(cursor, run.job_pk, run.execution_id, outcome.status, visible=kept.visible)
        release_held(cursor, run.job_pk)
    logger.info(
        "run.finished kind=%s job=%s execution=%s attempt=%s outcome=%s",
        run.job_kind,
        run.job_number,
        run.number,
        run.attempt,
        outcome.status.label,
    )
    return True


def _refused(run: Started, why: str) -> bool:
    logger.warning(
        "run.end_refused kind=%s job=%s execution=%s attempt=%s why=%s",
        run.job_kind,
        run.job_number,
        run.number,
        run.attempt,
        why,
    )
    return False


def backoff_seconds(attempt: int, *, first: int, longest: int) -> float:
    """Return the seconds to wait after the failed ``attempt`` (from 1): doubling, capped, with half of it jitter."""
    whole = min(first * 2.0 ** min(attempt - 1, 30), longest)
    return whole / 2 + random.uniform(0, whole / 2)  # noqa: S311 - jitter, not a secret


def _retry(run: Started, outcome: Outcome) -> bool:
    delay = backoff_seconds(run.attempt, first=run.retry_delay_seconds, longest=run.retry_max_delay_seconds)
    message = "; ".join(outcome.messages) or "failed"
    with transaction.atomic(), connection.cursor() as cursor:
        if not _requeue(cursor, run.execution_id, run.token, message, delay, rescue=False):
            return _refused(run, "the lease was lost")
    logger.info(
        "run.retried kind=%s job=%s execution=%s attempt=%s in_seconds=%.1f",
        run.job_kind,
        run.job_number,
        run.number,
        run.attempt,
        delay,
    )
    return True


def _requeue(cursor: Any, execution_id: int, token: int, message: str, delay: float, *, rescue: bool) -> bool:
    """Put a running execution back into the queue, due in ``delay`` seconds, and record the attempt that ended."""
    cursor.execute(
        """
        WITH was AS (
            SELECT id, attempt, worker, started_at FROM scheduler_execution
             WHERE id = %(id)s AND status = 1 AND token = %(token)s AND (%(rescue)s = 0 OR lease_until < now())
               FOR UPDATE
        ), back AS (
            UPDATE scheduler_execution e
               SET status = 0, token = NULL, lease_until = NULL, worker = NULL, cancel_requested = false,
                   rescues = e.rescues + %(rescue)s,
                   ready_at = clock_timestamp() + make_interval(secs => %(delay)s),
                   publish_at = clock_timestamp() + make_interval(secs => %(delay)s)
              FROM was WHERE e.id = was.id
            RETURNING e.id, e.ready_at
        )
        INSERT INTO scheduler_attempt (execution_id, number, worker, started_at, ended_at, message, retry_at)
        SELECT was.id, was.attempt, was.worker, was.started_at, clock_timestamp(), %(message)s, back.ready_at
          FROM was JOIN back USING (id)
        """,
        {"id": execution_id, "token": token, "message": message[:10_000], "delay": delay, "rescue": int(rescue)},
    )
    return bool(cursor.rowcount)


def _count_end(cursor: Any, job_pk: int, execution_id: int, status: Status, *, visible: bool) -> None:
    """Move the job's counters for one ended run. The state row is locked by the caller."""
    success = int(visible and status is Status.SUCCEEDED)
    warning = int(visible and status is Status.WARNED)
    failure = int(visible and status in (Status.FAILED, Status.CANCELLED))
    cursor.execute(
        """
        UPDATE scheduler_jobstate s
           SET open_runs = s.open_runs - 1, total_count = s.total_count + %s, success_count = s.success_count + %s,
               warning_count = s.warning_count + %s, failure_count = s.failure_count + %s, last_status = %s,
               last_started_at = coalesce(e.started_at, e.ended_at), last_ended_at = e.ended_at
          FROM scheduler_execution e
         WHERE s.job_id = %s AND e.id = %s
        """,
        [success + warning + failure, success, warning, failure, status.value, job_pk, execution_id],
    )


def release_held(cursor: Any, job_pk: int) -> None:
    """Let the oldest run that was held behind another go, where no other run of the job is open."""
    cursor.execute(
        """
        UPDATE scheduler_execution SET ready_at = now(), publish_at = now() + make_interval(secs => %s)
         WHERE id = (SELECT id FROM scheduler_execution
                      WHERE job_id = %s AND status = 0 AND ready_at IS NULL ORDER BY id LIMIT 1)
           AND NOT EXISTS (SELECT 1 FROM scheduler_execution
                            WHERE job_id = %s AND status < 2 AND ready_at IS NOT NULL)
        RETURNING id, queue, priority
        """,
        [REPUBLISH_SECONDS, job_pk, job_pk],
    )
    hints = [Hint(*row) for row in cursor.fetchall()]
    if hints:
        transaction.on_commit(lambda: messages.publish(hints))


def _end_queued(execution_id: int, job_pk: int, *, status: Status, message: str, reason: Reason | None = None) -> bool:
    """End an execution that is still queued. Return False where it is not."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM scheduler_jobstate WHERE job_id = %s FOR UPDATE", [job_pk])
        return end_queued_locked(cursor, execution_id, job_pk, status=status, message=message, reason=reason)


def end_queued_locked(
    cursor: Any, execution_id: int, job_pk: int, *, status: Status, message: str, reason: Reason | None = None
) -> bool:
    """End a queued execution inside the caller's transaction, which holds the job's state row."""
    cursor.execute(
        """
        UPDATE scheduler_execution e
           SET status = %s, reason = %s, ended_at = clock_timestamp(), publish_at = NULL, messages = %s::jsonb,
               visible = j.history_strategy <> 'OFF',
               expires_at = clock_timestamp() + make_interval(days => j.retention_days)
          FROM scheduler_job j
         WHERE e.id = %s AND e.status = 0 AND j.id = e.job_id
        RETURNING e.visible
        """,
        [status.value, reason.value if reason else None, json.dumps([message]), execution_id],
    )
    row = cursor.fetchone()
    if row is None:
        return False
    if status is Status.SKIPPED:
        cursor.execute("UPDATE scheduler_jobstate SET open_runs = open_runs - 1 WHERE job_id = %s", [job_pk])
    else:
        _count_end(cursor, job_pk, execution_id, status, visible=row[0])
    release_held(cursor, job_pk)
    return True


def cancel(execution: Execution, *, by: str) -> bool:
    """Cancel a run: a queued one never starts, a running one is told to stop and ends within seconds.

    Return False where it had ended already.
    """
    message = f"cancelled by {by}"
    if _end_queued(execution.pk, execution.job_id, status=Status.CANCELLED, message=message):
        logger.info("run.cancelled execution_id=%s by=%s", execution.pk, by)
        return True
    asked = Execution.objects.filter(pk=execution.pk, status=Status.RUNNING).update(
        cancel_requested=True, requested_by=by
    )
    if asked:
        logger.info("run.cancel_requested execution_id=%s by=%s", execution.pk, by)
    return bool(asked)


def rescue(*, limit: int = 200) -> int:
    """Fail or queue again up to ``limit`` runs whose lease ran out; return how many.

    A lost worker is no fault of the run, so it is tried again up to the setting SCHEDULER_MAX_RESCUES, beside the
    job's own retries, where the job allows repeating at all (``max_retries`` above 0); else it fails, saying why.
    """
    lost = list(
        Execution.objects.filter(status=Status.RUNNING)
        .extra(where=["lease_until < now()"])  # noqa: S610 - constant text
        .order_by("lease_until")
        .values_list("pk", "job_id", "token", "worker", "attempt", "rescues", "job__max_retries")[:limit]
    )
    rescued = 0
    for execution_id, job_pk, token, worker, attempt, rescues, max_retries in lost:
        message = f"worker {worker} was lost during attempt {attempt}: its lease ran out"
        again = max_retries > 0 and rescues < settings.SCHEDULER_MAX_RESCUES
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM scheduler_jobstate WHERE job_id = %s FOR UPDATE SKIP LOCKED", [job_pk])
            if cursor.fetchone() is None:
                continue
            if again:
                done = _requeue(cursor, execution_id, token, message, 0.0, rescue=True)
            else:
                done = _fail_lost(cursor, execution_id, job_pk, token, message)
        if done:
            rescued += 1
            logger.warning("run.rescued execution_id=%s again=%s why=%s", execution_id, again, message)
    return rescued


def _fail_lost(cursor: Any, execution_id: int, job_pk: int, token: int, message: str) -> bool:
    cursor.execute(
        """
        UPDATE scheduler_execution e
           SET status = CASE WHEN e.cancel_requested THEN %s ELSE %s END, ended_at = clock_timestamp(), token = NULL,
               lease_until = NULL, messages = %s::jsonb, visible = j.history_strategy <> 'OFF',
               expires_at = clock_timestamp() + make_interval(days => j.retention_days)
          FROM scheduler_job j
         WHERE e.id = %s AND e.status = 1 AND e.token = %s AND e.lease_until < now() AND j.id = e.job_id
        RETURNING e.visible, e.status
        """,
        [Status.CANCELLED.value, Status.FAILED.value, json.dumps([message]), execution_id, token],
    )
    row = cursor.fetchone()
    if row is None:
        return False
    _count_end(cursor, job_pk, execution_id, Status(row[1]), visible=row[0])
    release_held(cursor, job_pk)
    return True
