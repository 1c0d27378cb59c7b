"""Deletes what outlived its job's days, in batches, oldest first, never a run that is open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from django.db import connection, transaction

from scheduler import job_types
from scheduler.arrays import integers
from scheduler.exceptions import UnknownJobType

# Only ended rows carry ``expires_at``, so an open run cannot be among them.
_EXPIRED = """
SELECT e.id, e.job_id, j.kind FROM scheduler_execution e JOIN scheduler_job j ON j.id = e.job_id
 WHERE e.expires_at <= now() ORDER BY e.expires_at LIMIT %s
"""
# The state rows first, as everywhere; a job that is busy this moment is left for the next batch.
_LOCK = """
SELECT job_id FROM scheduler_jobstate WHERE job_id = ANY(%s::bigint[]) ORDER BY job_id FOR UPDATE SKIP LOCKED
"""
_STILL_EXPIRED = "SELECT id FROM scheduler_execution WHERE id = ANY(%s::bigint[]) AND expires_at <= now()"
_COUNTS = """
UPDATE scheduler_jobstate s
   SET total_count = s.total_count - v.total, success_count = s.success_count - v.success,
       warning_count = s.warning_count - v.warning, failure_count = s.failure_count - v.failure
  FROM (SELECT job_id, count(*) total, count(*) FILTER (WHERE status = 2) success,
               count(*) FILTER (WHERE status = 3) warning, count(*) FILTER (WHERE status IN (4, 6)) failure
          FROM scheduler_execution
         WHERE id = ANY(%s::bigint[]) AND visible AND status IN (2, 3, 4, 6) GROUP BY job_id) v
 WHERE s.job_id = v.job_id
"""


def purge(*, batch: int = 1000) -> int:
    """Delete up to ``batch`` expired executions with all that hangs on them; return how many. Short means done."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_EXPIRED, [batch])
        rows = cursor.fetchall()
        cursor.execute(_LOCK, [integers({row[1] for row in rows})])
        locked = {row[0] for row in cursor.fetchall()}
        # Looked at again under the lock: a longer retention may have been granted in between.
        cursor.execute(_STILL_EXPIRED, [integers(row[0] for row in rows if row[1] in locked)])
        still = {row[0] for row in cursor.fetchall()}
        by_kind: dict[str, list[int]] = defaultdict(list)
        for execution_id, _, kind in rows:
            if execution_id in still:
                by_kind[kind].append(execution_id)
        ids = [execution_id for members in by_kind.values() for execution_id in members]
        if not ids:
            return 0
        for kind, members in by_kind.items():
            try:
                job_types.get(kind).forget(members)
            except UnknownJobType:
                # The surface was uninstalled; what it kept goes with its tables.
                continue
        gone = [integers(ids)]
        cursor.execute("DELETE FROM scheduler_payload WHERE execution_id = ANY(%s::bigint[])", gone)
        cursor.execute("DELETE FROM scheduler_attempt WHERE execution_id = ANY(%s::bigint[])", gone)
        cursor.execute(_COUNTS, gone)
        cursor.execute("DELETE FROM scheduler_execution WHERE id = ANY(%s::bigint[])", gone)
        return int(cursor.rowcount)


def purge_all(*, batch: int = 2000, until: Callable[[], bool] = lambda: False) -> int:
    """Purge batch after batch until one comes back short or ``until`` says so; return how many rows went."""
    total = 0
    while not until():
        gone = purge(batch=batch)
        total += gone
        if gone < batch:
            break
    return total
