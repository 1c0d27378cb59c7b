"""Deletes what outlived its job's days, in batches, oldest first, never a run that is open.

How the deleted runs ended stays counted, by job and UTC day, for a little more than a year: the statement that deletes
them counts them, so that none is counted twice or not at all.

Two more things are done in batches here because a long history makes them long: removing what a deleted job left, and
setting the dates of what a job has kept so far when its days are changed. Neither is waited for. A deleted job is gone
at its commit, and so are its runs for whoever asks for the job's; longer days hold at their commit, since nothing is
deleted that its job's days keep.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection, transaction

from scheduler import dates, job_types
from scheduler.arrays import integers
from scheduler.exceptions import UnknownJobType
from scheduler.models import JobDay, Removal

# Only ended rows carry ``expires_at``, so an open run cannot be among them.
_EXPIRED = """
SELECT e.id, e.job_id, j.kind FROM scheduler_execution e JOIN scheduler_job j ON j.id = e.job_id
 WHERE e.expires_at <= now() AND NOT e.job_id = ANY(%s::bigint[]) ORDER BY e.expires_at LIMIT %s
"""
# The state rows first, as everywhere; a job that is busy this moment is left for the next round.
_LOCK = """
SELECT job_id FROM scheduler_jobstate WHERE job_id = ANY(%s::bigint[]) ORDER BY job_id FOR UPDATE SKIP LOCKED
"""
_STILL_EXPIRED = """
SELECT e.id FROM scheduler_execution e JOIN scheduler_job j ON j.id = e.job_id
 WHERE e.id = ANY(%s::bigint[]) AND e.expires_at <= now()
   AND (e.ended_at + make_interval(days => j.retention_days) <= now()
        OR NOT EXISTS (SELECT 1 FROM scheduler_retentionchange c WHERE c.job_id = e.job_id))
"""
_KEEP = """
UPDATE scheduler_execution e SET expires_at = e.ended_at + make_interval(days => j.retention_days)
  FROM scheduler_job j WHERE e.id = ANY(%s::bigint[]) AND j.id = e.job_id
"""
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
# The jobs' state rows are locked, so nobody else adds to the same days.
_COUNT_AND_DELETE = """
WITH gone AS (
    DELETE FROM scheduler_execution WHERE id = ANY(%s::bigint[]) RETURNING job_id, status, ended_at
), counted AS (
    INSERT INTO scheduler_jobday AS d (job_id, day, succeeded, warned, failed, cancelled)
    SELECT job_id, (ended_at AT TIME ZONE 'UTC')::date, count(*) FILTER (WHERE status = 2),
           count(*) FILTER (WHERE status = 3), count(*) FILTER (WHERE status = 4), count(*) FILTER (WHERE status = 6)
      FROM gone
     WHERE status IN (2, 3, 4, 6) AND ended_at >= (now() AT TIME ZONE 'UTC')::date - %s
     GROUP BY 1, 2
    ON CONFLICT (job_id, day) DO UPDATE
       SET succeeded = d.succeeded + excluded.succeeded, warned = d.warned + excluded.warned,
           failed = d.failed + excluded.failed, cancelled = d.cancelled + excluded.cancelled
)
SELECT count(*) FROM gone
"""
_DAYS_OVER = """
DELETE FROM scheduler_jobday
 WHERE id IN (SELECT id FROM scheduler_jobday WHERE day < (now() AT TIME ZONE 'UTC')::date - %s LIMIT %s)
"""
# How long the figures of a day are kept.
DAYS_KEPT = 400


def purge(*, batch: int = 1000) -> int:
    """Delete up to ``batch`` expired executions with all that hangs on them; return how many."""
    return _purge(batch, set())[0]


def _purge(batch: int, busy: set[int]) -> tuple[int, int]:
    """Do what ``purge`` does, leaving out the jobs in ``busy``, to which those are added that are busy now.

    Return how many were deleted, and how many looked at: fewer than ``batch`` means done.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_EXPIRED, [integers(busy), batch])
        rows = cursor.fetchall()
        found = {row[1] for row in rows}
        cursor.execute(_LOCK, [integers(found)])
        locked = {row[0] for row in cursor.fetchall()}
        busy |= found - locked
        ours = [row for row in rows if row[1] in locked]
        # Looked at again under the lock: a longer retention may have been granted in between.
        cursor.execute(_STILL_EXPIRED, [integers(row[0] for row in ours)])
        still = {row[0] for row in cursor.fetchall()}
        kept = [row[0] for row in ours if row[0] not in still]
        if kept:
            cursor.execute(_KEEP, [integers(kept)])
        by_kind: dict[str, list[int]] = defaultdict(list)
        for execution_id, _, kind in ours:
            if execution_id in still:
                by_kind[kind].append(execution_id)
        for kind, members in by_kind.items():
            _forget(kind, members)
        ids = [execution_id for members in by_kind.values() for execution_id in members]
        if ids:
            cursor.execute(_COUNTS, [integers(ids)])
            _strip(cursor, ids)
            cursor.execute(_COUNT_AND_DELETE, [integers(ids), DAYS_KEPT])
            return int(cursor.fetchone()[0]), len(rows)
        return 0, len(rows)


def _forget(kind: str, ids: Sequence[int]) -> None:
    try:
        job_types.get(kind).forget(ids)
    except UnknownJobType:
        # The surface was uninstalled; what it kept goes with its tables.
        return


def _strip(cursor: Any, ids: Sequence[int]) -> None:
    """Delete what hangs on executions that are about to be deleted."""
    gone = [integers(ids)]
    cursor.execute("DELETE FROM scheduler_payload WHERE execution_id = ANY(%s::bigint[])", gone)
    cursor.execute("DELETE FROM scheduler_attempt WHERE execution_id = ANY(%s::bigint[])", gone)


def _delete(cursor: Any, ids: Sequence[int]) -> int:
    if not ids:
        return 0
    _strip(cursor, ids)
    cursor.execute("DELETE FROM scheduler_execution WHERE id = ANY(%s::bigint[])", [integers(ids)])
    return int(cursor.rowcount)


def purge_all(*, batch: int = 2000, until: Callable[[], bool] = lambda: False) -> int:
    """Purge batch after batch until one comes back short or ``until`` says so; return how many rows went."""
    total = 0
    busy: set[int] = set()
    while not until():
        gone, seen = _purge(batch, busy)
        total += gone
        if seen < batch:
            break
    return total


def leave(job_pk: int, kind: str) -> None:
    """Note, inside the transaction that deletes a job, that its executions are to be removed; delete its figures."""
    Removal.objects.create(job_id=job_pk, kind=kind)
    JobDay.objects.filter(job_id=job_pk).delete()


def forget_days(*, batch: int = 1000) -> int:
    """Delete the figures of up to ``batch`` days that are kept no longer; return how many went."""
    with connection.cursor() as cursor:
        cursor.execute(_DAYS_OVER, [DAYS_KEPT, batch])
        return int(cursor.rowcount)


def remove(*, batch: int = 1000) -> int:
    """Remove up to ``batch`` executions of one deleted job with all that hangs on them.

    Return how many, or -1 where no deleted job has left anything.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        removal = Removal.objects.select_for_update(skip_locked=True).order_by("pk").first()
        if removal is None:
            return -1
        cursor.execute("SELECT id FROM scheduler_execution WHERE job_id = %s LIMIT %s", [removal.job_id, batch])
        ids = [row[0] for row in cursor.fetchall()]
        _forget(removal.kind, ids)
        if len(ids) < batch:
            removal.delete()
        return _delete(cursor, ids)


def clean(*, batch: int = 2000, until: Callable[[], bool] = lambda: False) -> None:
    """Do all that there is to do here, in turns of one batch, until it is done or ``until`` says so."""
    busy: set[int] = set()
    chores: list[Callable[[], bool]] = [
        lambda: _purge(batch, busy)[1] >= batch,
        lambda: remove(batch=batch) >= 0,
        lambda: dates.move(batch=batch),
        lambda: forget_days(batch=batch) >= batch,
    ]
    while chores and not until():
        chores = [chore for chore in chores if not until() and chore()]
