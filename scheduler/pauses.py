"""Records what a pause on a job's own beat entry cut off: what was due then, and no beat had claimed.

The trigger on beat entries pauses a job at once and cannot work out instants. It leaves a row that says from when to
when the job was active unseen. Beats settle these rows, and whoever changes a job settles those of the job first, so
that each is read under the schedule that was in force.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from datetime import datetime
from functools import partial
from typing import Any

from django.db import DatabaseError, connection, transaction

from scheduler import claims, metrics, outbox
from scheduler.arrays import INSTANT, integers
from scheduler.connections import first_line
from scheduler.due import Batch, DueJob, Row, missed, to_microseconds

logger = logging.getLogger(__name__)

_MESSAGE = "paused on its beat entry before the clock had claimed it"
_NEXT = "SELECT id, job_id FROM scheduler_pause WHERE id > %s ORDER BY id LIMIT 1"
_HOLD = "SELECT 1 FROM scheduler_jobstate WHERE job_id = %s FOR UPDATE SKIP LOCKED"
# Of jobs that are gone: their runs are too.
_ORPHANS = """
DELETE FROM scheduler_pause p WHERE NOT EXISTS (SELECT FROM scheduler_jobstate s WHERE s.job_id = p.job_id)
"""
_TAKE = """
WITH taken AS (DELETE FROM scheduler_pause WHERE job_id = %s RETURNING id, since, resumed, until)
SELECT since, resumed, until FROM taken ORDER BY id
"""
_INSERT = f"""
INSERT INTO scheduler_execution
       (job_id, trigger, scheduled_for, until, status, reason, frequency, queue, priority, concurrency_key, ended_at,
        expires_at, attempt, rescues, cancel_requested, messages, visible, complete)
SELECT j.id, v.trigger, {INSTANT.format("v.due")}, {INSTANT.format("v.until")}, v.status, v.reason,
       coalesce(j.schedule_text, j.expression), coalesce(nullif(j.queue, ''), %s), j.priority, '', now(),
       now() + make_interval(days => j.retention_days), 0, 0, false,
       CASE WHEN v.reason = 'missed' THEN %s::jsonb ELSE '[]'::jsonb END, j.history_strategy <> 'OFF', false
  FROM unnest(%s::smallint[], %s::bigint[], %s::bigint[], %s::smallint[], %s::text[]) WITH ORDINALITY
       v(trigger, due, until, status, reason, place)
  JOIN scheduler_job j ON j.id = %s
 ORDER BY v.place
ON CONFLICT (job_id, scheduled_for) WHERE trigger IN (0, 2) DO NOTHING
RETURNING id, reason
"""


def settle_all() -> int:
    """Record what pauses cut off, of jobs that nobody else holds; return of how many. Costs a look where none waits.

    A job a transaction, for as long as a claim may take: after an outage a job may come to a thousand rows. What is
    left then, or what the database did not take, waits for the next call.
    """
    ends = time.monotonic() + claims.MOST_SECONDS
    settled = 0
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [0])
        waiting = cursor.fetchone()
        if waiting is not None:
            cursor.execute(_ORPHANS)
        while waiting is not None:
            pause_id, job_pk = waiting
            settled += _settle_free(cursor, job_pk)
            if time.monotonic() >= ends:
                break
            cursor.execute(_NEXT, [pause_id])
            waiting = cursor.fetchone()
    return settled


def _settle_free(cursor: Any, job_pk: int) -> bool:
    """Record what pauses of one job cut off, and commit; return False where somebody holds it, or it went wrong."""
    try:
        with transaction.atomic():
            cursor.execute(_HOLD, [job_pk])
            if not cursor.fetchall():
                return False
            settle(cursor, job_pk)
    except DatabaseError as error:
        if not connection.is_usable():
            raise
        # One job's trouble is not the others'.
        logger.warning("pause.not_settled job_pk=%s error=%s", job_pk, first_line(error))
        return False
    return True


def settle(cursor: Any, job_pk: int) -> None:
    """Record what pauses of one job cut off, inside the caller's transaction, which holds its state row."""
    cursor.execute(_TAKE, [job_pk])
    pauses = cursor.fetchall()
    if not pauses:
        return
    job = claims.lock(cursor, job_pk)
    if job is None:
        return
    for since, resumed, until in pauses:
        rows = _rows(job, since, resumed=resumed, until=until)
        if rows:
            _write(cursor, job, rows)


def _rows(job: DueJob, since: datetime, *, resumed: bool, until: datetime) -> list[Row]:
    """Return the rows of the instants from ``since`` up to and including ``until``: on a closed day, or missed."""
    first, last = to_microseconds(since), to_microseconds(until)
    try:
        return Batch.unclaimed(job, first, resumed=resumed, until=last)
    except Exception:
        # As where a claim cannot work a job out: nobody can say how many instants there were.
        logger.exception("pause.unreadable job_pk=%s", job.job_pk)
        return [] if resumed else [missed(job.job_pk, first, until=last)]


def _write(cursor: Any, job: DueJob, rows: list[Row]) -> None:
    _, _, triggers, dues, untils, statuses, reasons, _ = zip(*rows, strict=True)
    whole = [integers(column) for column in (triggers, dues, untils, statuses)]
    cursor.execute(_INSERT, [claims.queue_of(job.kind), json.dumps([_MESSAGE]), *whole, list(reasons), job.job_pk])
    inserted = cursor.fetchall()
    # The newest tells of all, as where a claim skips some.
    outbox.write_not_run(cursor, [id_ for id_, reason in inserted if reason in outbox.NOT_RUN][-1:])
    tally = Counter(reason for _, reason in inserted)
    transaction.on_commit(partial(metrics.unclaimed, job.kind, tally))
