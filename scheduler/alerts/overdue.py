"""Finds open runs that have not begun in time or take too long, before they end, also when no worker is left.

Goes through the open runs page by page in the order of their jobs, by the index that holds nothing else, one beat at a
time. A pass reads a bounded number of rows; the next one goes on where it stopped.
"""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction

from scheduler.alerts import evaluation, incidents, rules, runs
from scheduler.models.alert import AlertRule, Condition, Incident
from scheduler.models.execution import Status

PAGE = 5000
PAGES = 4

_PAGE = """
SELECT e.job_id, e.id, e.status, e.attempt, extract(epoch FROM now() - e.scheduled_for)::float8,
       extract(epoch FROM now() - e.started_at)::float8
  FROM scheduler_execution e WHERE e.status < 2 AND e.job_id >= %s AND (e.job_id, e.id) > (%s, %s)
 ORDER BY e.job_id, e.id LIMIT %s
"""
_NO_KEY = (0, 0)


class Overdue:
    """Remembers how far the last pass went."""

    def __init__(self) -> None:
        self._after = _NO_KEY

    def __call__(self) -> int:
        """Look at open runs and open incidents for those that are overdue; return how many opened."""
        late, long = _least()
        if late is None and long is None:
            return 0
        opened = 0
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('jobsite overdue runs', 0))")
            if not cursor.fetchone()[0]:
                return 0
            for _ in range(PAGES):
                cursor.execute(_PAGE, [self._after[0], *self._after, PAGE])
                rows = cursor.fetchall()
                overdue = [row[:2] for row in rows if _is_overdue(row, late, long)]
                opened += _record(cursor, [execution_id for _job, execution_id in overdue])
                self._after = rows[-1][:2] if len(rows) == PAGE else _NO_KEY
                if len(rows) < PAGE:
                    break
        return opened


def _least() -> tuple[int | None, int | None]:
    """Return the fewest seconds that any rule about late, and any about long runs cares about."""
    least: dict[str, int] = {}
    found = AlertRule.objects.filter(enabled=True, condition__in=(Condition.LATE, Condition.LONG))
    for condition, seconds in found.values_list("condition", "seconds"):
        least[condition] = min(seconds or 0, least.get(condition, seconds or 0))
    return least.get(Condition.LATE), least.get(Condition.LONG)


def _is_overdue(row: tuple[Any, ...], late: int | None, long: int | None) -> bool:
    _job, _id, status, attempt, waited, taken = row
    if status == Status.QUEUED:
        # A run that waits for its next attempt has begun.
        return late is not None and attempt == 0 and waited >= late
    return long is not None and taken is not None and taken >= long


def _record(cursor: Any, ids: list[int]) -> int:
    if not ids:
        return 0
    found = runs.load(cursor, ids)
    known = set(
        Incident.objects.filter(job_id__in={run.job_pk for run in found}, closed_at__isnull=True).values_list(
            "rule_id", "job_id"
        )
    )
    holding = rules.holding({run.job_pk: run.kind for run in found})
    fresh = [
        finding
        for finding in evaluation.findings(cursor, found, holding)
        if (finding.rule.pk, finding.job_pk) not in known
    ]
    return incidents.record(cursor, fresh)
