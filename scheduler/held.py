"""What somebody else holds of due jobs, asked without waiting for any of it: beat entries, clocks, open runs, the jobs.

Only claims that had to give way ask for the first three: who holds one of these for long must not stop the jobs of
everybody else. Only beats whose looks for what is due have become slow ask for the jobs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from scheduler.arrays import integers

_FREE_ENTRIES = (
    "SELECT id, clocked_id FROM django_celery_beat_periodictask WHERE id = ANY(%s::int[]) FOR NO KEY UPDATE SKIP LOCKED"
)
_FREE_CLOCKS = (
    "SELECT id FROM django_celery_beat_clockedschedule WHERE id = ANY(%s::int[]) FOR NO KEY UPDATE SKIP LOCKED"
)
# Of a job whose fire replaces its open runs, since a claim of it writes these.
_HELD_RUNS = """
WITH found AS (
    SELECT e.id, e.job_id FROM scheduler_execution e JOIN scheduler_job j ON j.id = e.job_id
     WHERE j.id = ANY(%s::bigint[]) AND j.overlap = 'replace' AND e.status < 2
), free AS (
    SELECT id FROM scheduler_execution WHERE id IN (SELECT id FROM found) FOR NO KEY UPDATE SKIP LOCKED
)
SELECT DISTINCT job_id FROM found WHERE id NOT IN (SELECT id FROM free)
"""


def held(cursor: Any, entry_of: Mapping[int, int | None]) -> set[int]:
    """Lock what a claim of these jobs (job -> beat entry) would write; return the jobs of which somebody holds any."""
    entries = {entry for entry in entry_of.values() if entry is not None}
    cursor.execute(_FREE_ENTRIES, [integers(entries)])
    clock_of: dict[int, int | None] = dict(cursor.fetchall())
    clocks = {clock for clock in clock_of.values() if clock is not None}
    cursor.execute(_FREE_CLOCKS, [integers(clocks)])
    held_clocks = clocks - {row[0] for row in cursor.fetchall()}
    held_entries = {entry for entry in entries if entry not in clock_of or clock_of[entry] in held_clocks}
    cursor.execute(_HELD_RUNS, [integers(entry_of)])
    held_runs = {row[0] for row in cursor.fetchall()}
    return held_runs | {job_pk for job_pk, entry in entry_of.items() if entry in held_entries}


# Known jobs are found by their keys: that this may be NULL keeps PostgreSQL from the index of what is due, whatever it
# believes to be cheap.
DUE_BY_KEY = "coalesce(next_fire_at - now() <= interval '0', false)"
# A look claims what is due and free: what is still due after it is somebody else's, or fell due a moment ago.
_STILL_DUE = f"""
(SELECT job_id FROM scheduler_jobstate
  WHERE next_fire_at > now() - make_interval(secs => %s) AND next_fire_at <= now() AND job_id <> ALL(%s::bigint[])
  ORDER BY next_fire_at LIMIT %s)
 UNION
(SELECT job_id FROM scheduler_jobstate
  WHERE job_id = ANY(%s::bigint[]) AND {DUE_BY_KEY} AND job_id <> ALL(%s::bigint[]))
"""  # noqa: S608 - constant text


def still_due(cursor: Any, back: float, *, among: Collection[int], past: Collection[int], limit: int) -> list[int]:
    """Return up to ``limit`` jobs that fell due in the last ``back`` seconds, and those of ``among`` that are due.

    Locks nothing. ``past`` are known otherwise, and left out.
    """
    known = integers(past)
    cursor.execute(_STILL_DUE, [back, known, limit, integers(among), known])
    return [row[0] for row in cursor.fetchall()]
