"""Starting, holding and cancelling executions. With ``scheduler.endings`` the only writer beside the clock.

Every verb is one short transaction. Locks are taken in one order everywhere, the job's state row before its executions,
so that they cannot deadlock.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction

from scheduler import deeds, limits, messages
from scheduler.connections import LOCK_TIMEOUT, LOST, gave_way
from scheduler.endings import (
    Ending,
    ask_to_stop,
    end_queued,
    end_queued_locked,
    finish,
    finish_many,
    lock_states,
)
from scheduler.history import storable_text
from scheduler.job_types import Outcome
from scheduler.models import Execution, Reason, Status
from scheduler.rescues import rescue
from scheduler.started import Started

__all__ = ["Renewal", "Started", "cancel", "finish", "finish_many", "give_back", "hand_on", "renew", "rescue", "start"]

logger = logging.getLogger(__name__)

_STARTED = """
e.id, e.job_id, j.kind, j.number, j.name, e.number, e.attempt, e.token, e.scheduled_for, e.created_at,
e.started_at, coalesce(e.arguments, j.arguments)::text, coalesce(j.timeout_seconds, %(timeout)s),
j.history_strategy, j.max_retries, j.retry_delay_seconds, j.retry_max_delay_seconds,
e.concurrency_key, e.request_id, e.rescues
"""
_START = f"""
UPDATE scheduler_execution e
   SET status = 1, attempt = e.attempt + 1, token = %(token)s, worker = %(worker)s, started_at = clock_timestamp(),
       lease_until = clock_timestamp() + make_interval(secs => %(lease)s), publish_at = NULL, in_line = false,
       progress_done = NULL, progress_total = NULL
  FROM scheduler_job j
 WHERE e.id = ANY(%(ids)s) AND e.status = 0 AND e.ready_at <= now() AND j.id = e.job_id
   AND (%(limited)s OR e.concurrency_key = '')
   AND (j.expires_seconds IS NULL OR e.attempt > 0
        OR e.scheduled_for + make_interval(secs => j.expires_seconds) > now())
   AND {{}}
RETURNING {_STARTED}
"""  # noqa: S608 - constant text
# Waits for a row that somebody holds for a moment at most: what has been started meanwhile is in nobody's hands.
_START_ALL = _START.format(f"(SELECT set_config('lock_timeout', '{LOCK_TIMEOUT}', true)) <> ''")
_START_FREE = f"""
WITH free AS MATERIALIZED (
    SELECT id FROM scheduler_execution WHERE id = ANY(%(ids)s) AND status = 0 FOR NO KEY UPDATE SKIP LOCKED
){_START.format("e.id IN (SELECT id FROM free)")}
"""  # noqa: S608 - constant text

_ADOPT = f"""
UPDATE scheduler_execution e SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
  FROM scheduler_job j
 WHERE e.id = ANY(%(ids)s) AND e.status = 1 AND e.token = %(token)s AND j.id = e.job_id
   AND (SELECT set_config('lock_timeout', '{LOCK_TIMEOUT}', true)) <> ''
RETURNING {_STARTED}
"""  # noqa: S608 - constant text


def new_token() -> int:
    """Return a token that nobody else starts runs under."""
    return secrets.randbits(62)


def start(ids: Sequence[int], *, worker: str, token: int | None = None) -> list[Started]:
    """Start those of ``ids`` that are queued and ready, and return them; the others are somebody else's or over.

    Those under a concurrency limit are started as far as it allows; the rest stand in line, and are called when runs of
    their key end. Where this raises, some may have been started under ``token`` all the same: see ``adopt``.
    """
    token = new_token() if token is None else token
    with connection.cursor() as cursor:
        try:
            started = _start(cursor, ids, worker=worker, token=token)
        except OperationalError as error:
            if connection.in_atomic_block or not gave_way(error):
                raise
            # The sweep has those looked at again that somebody holds.
            started = _start(cursor, ids, worker=worker, token=token, statement=_START_FREE)
    if len(started) < len(ids):
        left = _without(ids, started)
        try:
            for key, waiting in limits.waiting(left).items():
                with transaction.atomic(), connection.cursor() as cursor:
                    admitted = limits.admit(cursor, key, waiting)
                    more = _start_limited(cursor, admitted, worker=worker, token=token) if admitted else []
                    if len(admitted) < len(waiting):
                        limits.line_up(cursor, waiting[len(admitted) :])
                started += more
            _expire(_without(left, started))
        except LOST as error:
            if connection.in_atomic_block:
                raise
            # What has been started is the caller's to run, also where the answer was lost; the others are still queued.
            connection.close()
            logger.warning("run.start_failed executions=%d error=%s", len(left), type(error).__name__)
            return adopt(ids, token=token)
    return started


def adopt(ids: Sequence[int], *, token: int) -> list[Started]:
    """Return those of ``ids`` that run under ``token``: a start committed them, and its answer may have been lost.

    Their leases begin anew.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _ADOPT,
            {
                "ids": list(ids),
                "token": token,
                "lease": settings.SCHEDULER_LEASE_SECONDS,
                "timeout": settings.SCHEDULER_DEFAULT_TIMEOUT_SECONDS,
            },
        )
        return sorted((_started(row) for row in cursor.fetchall()), key=lambda run: run.execution_id)


def _without(ids: Sequence[int], started: Sequence[Started]) -> list[int]:
    taken = {run.execution_id for run in started}
    return [execution_id for execution_id in ids if execution_id not in taken]


def _start_limited(cursor: Any, ids: Sequence[int], *, worker: str, token: int) -> list[Started]:
    return _start(cursor, ids, worker=worker, token=token, limited=True, statement=_START_FREE)


def _start(
    cursor: Any, ids: Sequence[int], *, worker: str, token: int, limited: bool = False, statement: str = _START_ALL
) -> list[Started]:
    cursor.execute(
        statement,
        {
            "ids": list(ids),
            "limited": limited,
            "token": token,
            "worker": worker,
            "lease": settings.SCHEDULER_LEASE_SECONDS,
            "timeout": settings.SCHEDULER_DEFAULT_TIMEOUT_SECONDS,
        },
    )
    return [_started(row) for row in cursor.fetchall()]


def _started(row: tuple[Any, ...]) -> Started:
    values = list(row)
    values[11] = json.loads(values[11])
    return Started(*values)


def _expire(ids: Sequence[int]) -> None:
    """End those of ``ids`` that were not started in time, as their job's ``expires_seconds`` demands."""
    late = (
        Execution.objects.filter(pk__in=list(ids), status=Status.QUEUED, attempt=0, job__expires_seconds__isnull=False)
        .extra(  # noqa: S610 - constant text
            where=["scheduled_for + make_interval(secs => scheduler_job.expires_seconds) <= now()"]
        )
        .values_list("pk", "job_id")
    )
    for execution_id, job_id in late:
        try:
            end_queued(
                execution_id, job_id, status=Status.SKIPPED, reason=Reason.EXPIRED, message="not started in time"
            )
        except OperationalError as error:
            if not gave_way(error):
                raise
            # Nobody holds yet what has been started: it must not wait. The late ones are looked at again.
            return


def give_back(ids: Sequence[int]) -> None:
    """Have those of ``ids`` that are still queued published again at once: this worker will not start them."""
    gone = datetime.fromtimestamp(0, UTC)  # what the sweep takes for a message that is known to be lost
    left = Execution.objects.filter(pk__in=list(ids), status=Status.QUEUED, ready_at__isnull=False, in_line=False)
    left.update(publish_at=gone)


_NOT_BEGUN = """
WITH ours AS MATERIALIZED (
    SELECT e.id, e.cancel_requested FROM unnest(%s::bigint[], %s::bigint[]) v(id, token)
      JOIN scheduler_execution e ON e.id = v.id AND e.status = 1 AND e.token = v.token
     WHERE e.job_id = ANY(%s) ORDER BY e.id FOR UPDATE OF e
), back AS (
    UPDATE scheduler_execution e
       SET status = 0, attempt = e.attempt - 1, token = NULL, lease_until = NULL, worker = NULL, started_at = NULL,
           publish_at = now() + make_interval(secs => %s)
      FROM ours WHERE e.id = ours.id AND NOT ours.cancel_requested
)
SELECT id FROM ours WHERE cancel_requested
"""
_HINTS = """
SELECT e.id, e.queue, e.priority, j.headers::text FROM scheduler_execution e JOIN scheduler_job j ON j.id = e.job_id
 WHERE e.id = ANY(%s) AND e.status = 0 AND e.ready_at <= now() AND NOT e.in_line ORDER BY e.id
"""


def hand_on(ids: Sequence[int], runs: Sequence[Started]) -> None:
    """Publish those of ``ids`` that are still queued in front of what waits, and ``runs``, as if they had not started.

    Nobody has begun the work of ``runs``, so that starting them was no attempt; those that were to be cancelled end.
    Afterwards none of them is the caller's. Raises ``DatabaseError`` or ``InterfaceError``, having changed nothing,
    where the database is away or somebody holds a job of ``runs``: they are the caller's still, and so are ``ids``.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if runs:
            _put_back(cursor, runs)
        cursor.execute(_HINTS, [[*ids, *(run.execution_id for run in runs)]])
        hints = [messages.Hint(*row) for row in cursor.fetchall()]
    messages.publish(hints, front=True)
    logger.info("run.handed_on executions=%d", len(hints))


def _put_back(cursor: Any, runs: Sequence[Started]) -> None:
    """Queue those of ``runs`` again that are still held under their tokens; end those that were to be cancelled.

    Their jobs' state rows are held meanwhile: who cancels or replaces a run relies on none going back into the queue.
    """
    there = lock_states(cursor, [run.job_pk for run in runs])
    columns = [[run.execution_id for run in runs], [run.token for run in runs]]
    cursor.execute(_NOT_BEGUN, [*columns, list(there), messages.REPUBLISH_SECONDS])
    stopped = {row[0] for row in cursor.fetchall()}
    if stopped:
        finish_many([Ending(run, Outcome(Status.CANCELLED)) for run in runs if run.execution_id in stopped])


@dataclass(frozen=True)
class Renewal:
    """What a heartbeat learned of one held run.

    ``locked`` says that its lease was not renewed, because somebody holds its row at the moment: it is held still.
    """

    execution_id: int
    cancel_requested: bool
    locked: bool = False


# Whoever sits on one run must not cost the others their leases.
_RENEW = """
WITH ours AS MATERIALIZED (
    SELECT e.id, v.done, v.total
      FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[]) v(id, token, done, total)
      JOIN scheduler_execution e ON e.id = v.id AND e.token = v.token AND e.status = 1
     WHERE EXISTS (SELECT 1 FROM scheduler_jobstate s WHERE s.job_id = e.job_id)
       FOR NO KEY UPDATE OF e SKIP LOCKED
)
UPDATE scheduler_execution e
   SET lease_until = clock_timestamp() + make_interval(secs => %s), progress_done = ours.done,
       progress_total = ours.total
  FROM ours WHERE e.id = ours.id
RETURNING e.id, e.cancel_requested
"""
_STILL_HELD = """
SELECT e.id, e.cancel_requested, true FROM unnest(%s::bigint[], %s::bigint[]) v(id, token)
  JOIN scheduler_execution e ON e.id = v.id AND e.token = v.token AND e.status = 1
 WHERE EXISTS (SELECT 1 FROM scheduler_jobstate s WHERE s.job_id = e.job_id)
"""


def renew(held: Sequence[tuple[int, int, int | None, int | None]]) -> list[Renewal]:
    """Renew the leases of ``held`` (execution id, token, progress done, progress total).

    Return those still held, in the order of their ids; what is missing was taken away (rescued, or its job was
    deleted).
    """
    with connection.cursor() as cursor:
        columns = [list(column) for column in zip(*held, strict=True)]
        cursor.execute(_RENEW, [*columns, settings.SCHEDULER_LEASE_SECONDS])
        renewed = {row[0]: Renewal(*row) for row in cursor.fetchall()}
        if len(renewed) < len(held):
            left = [(run[0], run[1]) for run in held if run[0] not in renewed]
            cursor.execute(_STILL_HELD, [list(column) for column in zip(*left, strict=True)])
            renewed |= {row[0]: Renewal(*row) for row in cursor.fetchall()}
    return [renewed[execution_id] for execution_id in sorted(renewed)]


def cancel(execution: Execution, *, by: str) -> bool:
    """Cancel a run: a queued one never starts, a running one is told to stop and ends within seconds.

    Return False where it had ended already.
    """
    by = storable_text(by)
    message = f"cancelled by {by}"
    with transaction.atomic(), connection.cursor() as cursor:
        # With the state row held no run goes back into the queue: what is not queued now runs or is over.
        cursor.execute("SELECT 1 FROM scheduler_jobstate WHERE job_id = %s FOR UPDATE", [execution.job_id])
        if cursor.fetchone() is None:
            return False
        ended = end_queued_locked(cursor, execution.pk, execution.job_id, status=Status.CANCELLED, message=message)
        asked = not ended and ask_to_stop(cursor, execution.pk, message=message)
        if ended or asked:
            deeds.run_cancelled.send(sender=Execution, execution=execution, by=by)
    if ended or asked:
        logger.info("run.%s execution_id=%s by=%r", "cancelled" if ended else "cancel_requested", execution.pk, by)
    return ended or asked
