"""The alerts of one job, as its page shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from scheduler.alerts import rules
from scheduler.models import AlertRule, Incident, Job, Ping

INCIDENTS = 10


@dataclass(frozen=True)
class Section:
    """What holds for a job. ``ping`` is None where it has no URL."""

    rules: list[AlertRule]
    incidents: list[Incident]
    ping: Ping | None
    may_add: bool
    may_see_incidents: bool


def of(job: Job, request: HttpRequest) -> dict[str, Any]:
    """Return the section for a page's context; empty for who may not see rules."""
    user = request.user
    if not user.has_perm("scheduler.view_alertrule"):
        return {}
    sees_incidents = user.has_perm("scheduler.view_incident")
    newest = Incident.objects.filter(job=job).select_related("rule").order_by("-id")[:INCIDENTS]
    section = Section(
        rules=rules.holding({job.pk: job.kind})[job.pk],
        incidents=list(newest) if sees_incidents else [],
        ping=Ping.objects.filter(job=job).first(),
        may_add=user.has_perm("scheduler.add_alertrule"),
        may_see_incidents=sees_incidents,
    )
    return {"alerts": section}
