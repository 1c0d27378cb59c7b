"""Jobs whose fires cannot be worked out: their zone left the time zone database, or their row was edited by hand."""

from __future__ import annotations

import json
from typing import Any

from scheduler import outbox
from scheduler.arrays import INSTANT
from scheduler.due import DueJob, Row, missed

_PAUSE = f"""
WITH paused AS (
    UPDATE scheduler_job SET active = false, version = version + 1, updated_at = now(), updated_by = 'clock'
     WHERE id = %(job)s RETURNING *
), state AS (
    UPDATE scheduler_jobstate SET next_fire_at = NULL, recompute = false WHERE job_id = %(job)s RETURNING entry_id
), entry AS (
    UPDATE django_celery_beat_periodictask SET enabled = false WHERE id = (SELECT entry_id FROM state)
), missed AS (
    INSERT INTO scheduler_execution
           (job_id, trigger, scheduled_for, until, status, reason, frequency, queue, priority, concurrency_key,
            ended_at, expires_at, attempt, rescues, cancel_requested, messages, visible, complete)
    SELECT id, 0, {INSTANT.format("%(due)s::bigint")}, {INSTANT.format("%(now)s::bigint")}, 5, 'missed',
           coalesce(schedule_text, expression), coalesce(nullif(queue, ''), %(queue)s), priority, '', now(),
           now() + make_interval(days => retention_days), 0, 0, false, %(messages)s::jsonb, history_strategy <> 'OFF',
           false
      FROM paused WHERE %(due)s::bigint IS NOT NULL
    ON CONFLICT (job_id, scheduled_for) WHERE trigger IN (0, 2) DO NOTHING
    RETURNING id
)
INSERT INTO scheduler_jobchange (job_id, kind, number, at, by, verb, changes)
SELECT id, kind, number, {INSTANT.format("%(now)s::bigint")}, 'clock', 'deactivated', %(changes)s::jsonb FROM paused
RETURNING (SELECT id FROM missed)
"""


def pause(cursor: Any, job: DueJob, problem: Exception, *, queue: str, now: int) -> list[Row]:
    """Pause a job whose fires cannot be worked out, say why among its changes, and record as missed what it had due.

    Returns the row of that. Nobody can say how many instants it stands for: it begins with the one known to be due, and
    there is none where the job was only just resumed and its first fire is what cannot be worked out.
    """
    text = f"{type(problem).__name__}: {problem}"[:1000]
    due = None if job.recompute else job.next_fire
    cursor.execute(
        _PAUSE,
        {
            "job": job.job_pk,
            "due": due,
            "now": now,
            "queue": queue,
            "messages": json.dumps([f"the clock could not work out its fires and paused the job: {text}"]),
            "changes": json.dumps({"active": [True, False], "problem": [None, text]}),
        },
    )
    outbox.write_not_run(cursor, [row[0] for row in cursor.fetchall() if row[0] is not None])
    return [] if due is None else [missed(job.job_pk, due, until=now)]
