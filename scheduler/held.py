"""What somebody else holds of due jobs, asked without waiting for any of it: beat entries, clocks, open runs.

Only claims that had to give way ask: who holds one of these for long must not stop the jobs of everybody else.
"""

from __future__ import annotations

from collections.abc import Mapping
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
