"""Runs as the rules look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scheduler.models.execution import Status

# A run began when its first attempt did: attempts before the last have rows of their own.
_COLUMNS = """
SELECT e.id, e.job_id, j.kind, j.name, j.number, e.number, e.status, e.scheduled_for,
       coalesce((SELECT a.started_at FROM scheduler_attempt a WHERE a.execution_id = e.id ORDER BY a.number LIMIT 1),
                e.started_at),
       e.started_at, e.ended_at, e.until, e.reason, e.messages::text, now()
  FROM scheduler_execution e JOIN scheduler_job j ON j.id = e.job_id
"""
_BY_ID = f"{_COLUMNS} WHERE e.id = ANY(%s::bigint[]) ORDER BY e.id"
_NEWEST_STARTED = f"""{_COLUMNS}
 WHERE e.job_id = %s AND e.number IS NOT NULL AND e.number > %s AND e.started_at IS NOT NULL
 ORDER BY e.number DESC LIMIT 1
"""
_NEWEST_ENDED = f"""{_COLUMNS}
 WHERE e.job_id = %s AND e.number IS NOT NULL AND e.number > %s AND e.status IN (2, 3, 4)
 ORDER BY e.number DESC LIMIT 1
"""
_LAST = """
SELECT count(*), count(*) FILTER (WHERE status = 4)
  FROM (SELECT status FROM scheduler_execution
         WHERE job_id = %s AND number IS NOT NULL AND status IN (2, 3, 4) ORDER BY number DESC LIMIT %s) last
"""
_OVERDUE = """
SELECT EXISTS (SELECT 1 FROM scheduler_execution
                WHERE job_id = %s AND status < 2
                  AND (status = 0 AND attempt = 0 AND scheduled_for < now() - make_interval(secs => %s)
                       OR status = 1 AND started_at < now() - make_interval(secs => %s)))
"""


@dataclass(frozen=True)
class Run:
    """A run and how it went, open or ended. Instants are UTC; ``now`` is when it was looked at.

    One without a number is an instant that a claim skipped, or, with ``until``, all of them from the first to the last.
    """

    execution_id: int
    job_pk: int
    kind: str
    job_name: str
    job_number: int
    number: int | None
    status: Status
    scheduled_for: datetime
    began_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    until: datetime | None
    reason: str | None
    messages: str
    now: datetime

    @property
    def late_seconds(self) -> float:
        """How long after its instant it began; for one that has not begun, how long it waits or waited."""
        return ((self.began_at or self.ended_at or self.now) - self.scheduled_for).total_seconds()

    @property
    def took_seconds(self) -> float:
        """How long its last attempt took, or has taken so far; 0 for one that has not begun."""
        if self.started_at is None or self.status is Status.QUEUED:
            return 0.0
        return ((self.ended_at or self.now) - self.started_at).total_seconds()


def load(cursor: Any, ids: Sequence[int]) -> list[Run]:
    """Return those of the executions that are still there, the oldest first."""
    cursor.execute(_BY_ID, [list(ids)])
    return [_run(row) for row in cursor.fetchall()]


def newest_started(cursor: Any, job_pk: int, *, after: int) -> Run | None:
    """Return the newest run of the job that has begun, if its number is above ``after``."""
    return _one(cursor, _NEWEST_STARTED, job_pk, after)


def newest_ended(cursor: Any, job_pk: int, *, after: int) -> Run | None:
    """Return the newest run of the job that succeeded or failed, if its number is above ``after``."""
    return _one(cursor, _NEWEST_ENDED, job_pk, after)


def last(cursor: Any, job_pk: int, *, count: int) -> tuple[int, int]:
    """Return how many of the last ``count`` runs that succeeded or failed there are, and how many failed."""
    cursor.execute(_LAST, [job_pk, count])
    found, failed = cursor.fetchone()
    return found, failed


def any_overdue(cursor: Any, job_pk: int, *, late: int | None = None, long: int | None = None) -> bool:
    """Whether an open run of the job waits for more than ``late`` or has run for more than ``long`` seconds."""
    cursor.execute(_OVERDUE, [job_pk, late, long])
    return bool(cursor.fetchone()[0])


def _one(cursor: Any, query: str, job_pk: int, after: int) -> Run | None:
    cursor.execute(query, [job_pk, after])
    row = cursor.fetchone()
    return None if row is None else _run(row)


def _run(row: tuple[Any, ...]) -> Run:
    values = list(row)
    values[6] = Status(values[6])
    return Run(*values)
