"""Looks at open incidents: which are over, and which are to be told now that their snooze has passed."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction

from scheduler.alerts import conditions, incidents
from scheduler.models.alert import Incident

# Failures are over with the first run that succeeds, whoever ran it.
_OVER = """
SELECT i.id FROM scheduler_incident i JOIN scheduler_alertrule r ON r.id = i.rule_id
  JOIN scheduler_jobstate s ON s.job_id = i.job_id
 WHERE i.closed_at IS NULL AND (NOT r.enabled OR r.condition IN ('failure', 'in_a_row')
       AND s.last_status IN (2, 3) AND s.last_ended_at > i.last_seen_at)
 LIMIT %s FOR UPDATE OF i SKIP LOCKED
"""
_DUE = """
SELECT i.id FROM scheduler_incident i JOIN scheduler_alertrule r ON r.id = i.rule_id
 WHERE i.closed_at IS NULL AND i.checked_at < now() - make_interval(secs => %s)
   AND r.condition IN ('rate', 'late', 'long', 'not_run')
 ORDER BY i.checked_at LIMIT %s FOR UPDATE OF i SKIP LOCKED
"""
CHECK_SECONDS = 2.0


def review(*, limit: int = 200) -> int:
    """Close incidents that are over and tell of those whose snooze is; return how many were closed."""
    closed = 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_OVER, [limit])
        closed += incidents.close(_locked(cursor), why="over")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_DUE, [CHECK_SECONDS, limit])
        due = _locked(cursor)
        over = [
            incident
            for incident in due
            if conditions.over(
                cursor, incident.rule, incident.job_id, number=incident.number or 0, seen_at=incident.last_seen_at
            )
        ]
        cursor.execute("UPDATE scheduler_incident SET checked_at = now() WHERE id = ANY(%s)", [[i.pk for i in due]])
        closed += incidents.close(over, why="over")
    incidents.tell_waiting()
    return closed


def _locked(cursor: Any) -> list[Incident]:
    ids = [row[0] for row in cursor.fetchall()]
    return list(Incident.objects.filter(pk__in=ids).select_related("rule", "job").order_by("pk")) if ids else []
