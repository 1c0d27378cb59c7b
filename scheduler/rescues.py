"""Rescues: runs whose worker was lost are queued again, or fail saying so."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from scheduler import metrics, request_id
from scheduler.endings import count, listed, publish_next, requeue
from scheduler.models import Execution, Status

logger = logging.getLogger(__name__)

# What somebody holds is looked at again a moment later.
_LOCK = """
SELECT 1 FROM scheduler_jobstate s JOIN scheduler_execution e ON e.job_id = s.job_id
 WHERE s.job_id = %s AND e.id = %s FOR UPDATE SKIP LOCKED
"""


def rescue(*, limit: int = 200, sure: Callable[[], bool] = lambda: True) -> int:
    """Fail or queue again up to ``limit`` runs whose lease ran out; return how many.

    A lost worker is no fault of the run, so it is tried again up to the setting SCHEDULER_MAX_RESCUES, beside the
    job's own retries, where the job allows repeating at all (``max_retries`` above 0); else it fails, saying why.
    ``sure`` is asked after each answer of the database, whether that came in time for a lease to mean anything.
    """
    lost = list(
        Execution.objects.filter(status=Status.RUNNING)
        .extra(where=["lease_until < now()"])  # noqa: S610 - constant text
        .order_by("lease_until")
        .values_list(
            "pk",
            "job_id",
            "token",
            "worker",
            "attempt",
            "rescues",
            "job__max_retries",
            "concurrency_key",
            "job__kind",
            "request_id",
        )[:limit]
    )
    rescued = 0
    for execution_id, job_pk, token, worker, attempt, rescues, max_retries, key, kind, asked in lost:
        if not sure():
            break
        message = f"worker {worker} was lost during attempt {attempt}: its lease ran out"
        again = max_retries > 0 and rescues < settings.SCHEDULER_MAX_RESCUES
        ended: Status | None = None
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_LOCK, [job_pk, execution_id])
            if cursor.fetchone() is None:
                continue
            if again:
                again = requeue(cursor, execution_id, token, message, 0.0, rescue=True, lapsed=True)
            if not again:
                ended = _end_lost(cursor, execution_id, job_pk, token, message)
            publish_next(cursor, [key] if again or ended else [])
        if again or ended:
            rescued += 1
            metrics.RESCUED.add(kind, "requeued" if again else "failed")
            if ended:
                metrics.ENDED.add(kind, ended.label)
            with request_id.bound(request_id.of_run(execution_id, asked)):
                logger.warning("run.rescued execution_id=%s again=%s why=%s", execution_id, again, message)
    return rescued


def _end_lost(cursor: Any, execution_id: int, job_pk: int, token: int, message: str) -> Status | None:
    """End a run as failed, or as cancelled where that was asked for; return which. None: it is not lost any more."""
    cursor.execute(
        """
        UPDATE scheduler_execution e
           SET status = CASE WHEN e.cancel_requested THEN %s ELSE %s END, ended_at = clock_timestamp(), token = NULL,
               lease_until = NULL, messages = e.messages || %s::jsonb, visible = j.history_strategy <> 'OFF',
               expires_at = clock_timestamp() + make_interval(days => j.retention_days)
          FROM scheduler_job j
         WHERE e.id = %s AND e.status = 1 AND e.token = %s AND e.lease_until < now() AND j.id = e.job_id
        RETURNING e.visible, e.status
        """,
        [Status.CANCELLED.value, Status.FAILED.value, listed(message), execution_id, token],
    )
    row = cursor.fetchone()
    if row is None:
        return None
    count(cursor, [(execution_id, job_pk, row[1], row[0])])
    return Status(row[1])
