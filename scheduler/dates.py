"""Expiry dates of a job's history after its days of retention were changed: moved in batches, not in the edit.

A row is passed once: numbered runs in the order of their numbers, then instants that did not run in theirs, through the
indexes on both; last the few requests to run now that were skipped, which have neither.
"""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction

_ASK = """
INSERT INTO scheduler_retentionchange (job_id, stage) VALUES (%s, 0)
ON CONFLICT (job_id) DO UPDATE SET stage = 0, after_number = NULL, after_instant = NULL
"""
# The state row first, as everywhere. A job that is busy this moment comes next time.
_NEXT = """
SELECT c.job_id, c.stage, c.after_number, c.after_instant, j.retention_days
  FROM scheduler_retentionchange c JOIN scheduler_jobstate s USING (job_id) JOIN scheduler_job j ON j.id = c.job_id
 ORDER BY c.job_id LIMIT 1 FOR UPDATE OF s SKIP LOCKED
"""
_PAGES = (
    """
    SELECT id, number, NULL::timestamptz FROM scheduler_execution
     WHERE job_id = %(job)s AND number > coalesce(%(number)s, 0) ORDER BY number LIMIT %(batch)s
    """,
    """
    SELECT id, NULL::bigint, scheduled_for FROM scheduler_execution
     WHERE job_id = %(job)s AND trigger IN (0, 2) AND number IS NULL
       AND scheduled_for > coalesce(%(instant)s, '-infinity'::timestamptz) ORDER BY scheduled_for LIMIT %(batch)s
    """,
    """
    SELECT id, NULL::bigint, NULL::timestamptz FROM scheduler_execution
     WHERE job_id = %(job)s AND number IS NULL AND trigger = 1
       AND expires_at IS DISTINCT FROM ended_at + make_interval(days => %(days)s) LIMIT %(batch)s
    """,
)
_MOVE = """
UPDATE scheduler_execution SET expires_at = ended_at + make_interval(days => %s)
 WHERE id = ANY(%s) AND ended_at IS NOT NULL AND expires_at IS DISTINCT FROM ended_at + make_interval(days => %s)
"""


def ask(cursor: Any, job_pk: int) -> None:
    """Note, inside the edit that changes a job's days, that the dates of its history are to be moved."""
    cursor.execute(_ASK, [job_pk])


def move(*, batch: int) -> bool:
    """Move the dates of up to ``batch`` rows of one job; return whether there may be more to do."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_NEXT)
        change = cursor.fetchone()
        if change is None:
            return False
        job_pk, stage, number, instant, days = change
        cursor.execute(
            _PAGES[stage], {"job": job_pk, "number": number, "instant": instant, "days": days, "batch": batch}
        )
        rows = cursor.fetchall()
        cursor.execute(_MOVE, [days, [row[0] for row in rows], days])
        following = (stage, rows[-1][1], rows[-1][2]) if len(rows) == batch else (stage + 1, None, None)
        if following[0] == len(_PAGES):
            cursor.execute("DELETE FROM scheduler_retentionchange WHERE job_id = %s", [job_pk])
        else:
            cursor.execute(
                "UPDATE scheduler_retentionchange SET stage = %s, after_number = %s, after_instant = %s"
                " WHERE job_id = %s",
                [*following, job_pk],
            )
    return True
