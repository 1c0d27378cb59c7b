"""Incidents: opened by the first finding, told once, closed when it is over. The database decides between beats."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from scheduler import clock, deeds
from scheduler.alerts import wording
from scheduler.models.alert import AlertRule, Delivery, Incident

logger = logging.getLogger(__name__)

_OPEN = """
INSERT INTO scheduler_incident AS i
       (rule_id, job_id, last_seen_at, times, execution_id, number, summary, tell_at, told_at)
VALUES (%(rule)s, %(job)s, %(at)s, 1, %(execution)s, %(number)s, %(summary)s, %(tell_at)s,
        CASE WHEN %(tell_at)s::timestamptz IS NULL THEN now() END)
    ON CONFLICT (rule_id, job_id) WHERE closed_at IS NULL DO UPDATE
   SET last_seen_at = greatest(i.last_seen_at, EXCLUDED.last_seen_at), execution_id = EXCLUDED.execution_id,
       number = EXCLUDED.number, times = i.times + 1
 WHERE i.execution_id < EXCLUDED.execution_id
RETURNING i.id, i.times = 1
"""


@dataclass(frozen=True)
class Finding:
    """A run that meets a rule's condition. ``title`` is what an alert says first, ``details`` the lines after it."""

    rule: AlertRule
    job_pk: int
    execution_id: int
    number: int | None
    at: datetime
    title: str
    details: str


def record(cursor: Any, findings: Iterable[Finding]) -> int:
    """Open incidents for ``findings``, or note that they last, inside the caller's transaction; return how many opened.

    Those that open are told, or, while their rule is snoozed, when that is over.
    """
    now = clock.now()
    opened = 0
    # In one order everywhere, so that two beats that record the same findings do not wait for each other in a circle.
    for finding in sorted(findings, key=lambda found: (found.rule.pk, found.job_pk, found.execution_id)):
        snoozed = finding.rule.snoozed_until
        tell_at = snoozed if snoozed is not None and snoozed > now else None
        cursor.execute(
            _OPEN,
            {
                "rule": finding.rule.pk,
                "job": finding.job_pk,
                "at": finding.at,
                "execution": finding.execution_id,
                "number": finding.number,
                "summary": f"{finding.title}\n{finding.details}",
                "tell_at": tell_at,
            },
        )
        row = cursor.fetchone()
        if row is None or not row[1]:
            continue
        opened += 1
        logger.warning(
            "incident.opened id=%s rule=%s job=%s snoozed=%s", row[0], finding.rule.pk, finding.job_pk, tell_at
        )
        if tell_at is None:
            hand_over(finding.rule, row[0], Delivery.Purpose.ALERT, finding.title, finding.details)
    return opened


def hand_over(rule: AlertRule, incident_id: int, purpose: Delivery.Purpose, title: str, body: str) -> None:
    """Put a message into the deliveries of each channel of ``rule`` that is switched on."""
    Delivery.objects.bulk_create(
        Delivery(purpose=purpose, channel=channel, incident_id=incident_id, title=title, body=body)
        for channel in rule.channels.filter(enabled=True)
    )


def close(incidents: Sequence[Incident], *, why: str, tell: bool = True, by: str = "") -> int:
    """Close those of ``incidents`` that are open, telling of it where their alert was told; return how many.

    ``by``: who does; empty where they are over by themselves.
    """
    closed = 0
    with transaction.atomic():
        for incident in incidents:
            if not Incident.objects.filter(pk=incident.pk, closed_at__isnull=True).update(closed_at=clock.exact_now()):
                continue
            closed += 1
            if by:
                deeds.tell("incident.closed", target=str(incident), changes={"state": ["open", "closed"]}, by=by)
            logger.info("incident.closed id=%s job=%s why=%s", incident.pk, incident.job_id, why)
            rule = incident.rule
            if tell and rule.tell_recovery and rule.enabled and incident.told_at is not None:
                body = wording.recovery(incident.summary, opened_at=incident.opened_at, times=incident.times)
                title = wording.title(incident.job.name, "well again")
                hand_over(rule, incident.pk, Delivery.Purpose.RECOVERY, title, body)
    return closed


def snooze(incidents: Sequence[Incident], *, until: datetime, by: str) -> int:
    """Say nothing more of these incidents before ``until``, then tell of those that still last; return how many."""
    ids = [incident.pk for incident in incidents]
    with transaction.atomic():
        open_ones = list(Incident.objects.select_for_update().filter(pk__in=ids, closed_at__isnull=True).order_by("pk"))
        for incident in open_ones:
            before = incident.tell_at.isoformat() if incident.tell_at is not None else None
            changes = {"tell_at": [before, until.isoformat()]}
            deeds.tell("incident.snoozed", target=str(incident), changes=changes, by=by)
        return Incident.objects.filter(pk__in=[incident.pk for incident in open_ones]).update(tell_at=until)


def snooze_changed(rule: AlertRule, *, before: datetime | None) -> None:
    """Have what a rule's snooze, which was to last until ``before``, held back looked at anew by its new end.

    Incidents that somebody snoozed themselves, until another instant, are left to that.
    """
    if before is not None and before != rule.snoozed_until:
        Incident.objects.filter(rule=rule, closed_at__isnull=True, tell_at=before).update(tell_at=clock.exact_now())


def tell_waiting(*, limit: int = 100) -> int:
    """Tell of open incidents whose snooze is over; return how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM scheduler_incident WHERE closed_at IS NULL AND tell_at <= statement_timestamp()"
            " ORDER BY tell_at LIMIT %s FOR UPDATE SKIP LOCKED",
            [limit],
        )
        ids = [row[0] for row in cursor.fetchall()]
        now = clock.now()
        told = 0
        for incident in Incident.objects.filter(pk__in=ids).select_related("rule"):
            snoozed = incident.rule.snoozed_until
            if snoozed is not None and snoozed > now:
                Incident.objects.filter(pk=incident.pk).update(tell_at=snoozed)
                continue
            title, _, details = incident.summary.partition("\n")
            hand_over(incident.rule, incident.pk, Delivery.Purpose.ALERT, title, details)
            Incident.objects.filter(pk=incident.pk).update(tell_at=None, told_at=now)
            told += 1
    return told
