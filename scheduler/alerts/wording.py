"""What alerts say. Messages of a run hold no secrets; they are cut to a length that every channel takes."""

from __future__ import annotations

import json
from datetime import datetime

from django.conf import settings

from scheduler import job_types
from scheduler.alerts.runs import Run
from scheduler.exceptions import UnknownJobType

LONGEST_TITLE = 200
_LONGEST_REASON = 1000


def title(job_name: str, what: str) -> str:
    """Return the one line of an alert: the job and what is wrong with it. Control characters go: mails have headers."""
    return " ".join(f"Job {job_name}: {what}".split())[:LONGEST_TITLE]


def summary(run: Run) -> str:
    """Return the lines about a run that follow the title."""
    lines = [
        f"{_kind_title(run.kind)}, job {run.job_number}" + (f", run {run.number}" if run.number is not None else ""),
        f"Due: {_span(run)}",
    ]
    if run.number is None:
        lines.append(f"Skipped: {instant(run.ended_at)}")
    else:
        lines.append(f"Started: {instant(run.started_at)}")
        lines.append(
            f"Ended: {instant(run.ended_at)}, {run.status.label}" if run.ended_at else f"Now: {run.status.label}"
        )
    reason = "; ".join(str(message) for message in json.loads(run.messages))
    if reason:
        lines.append(f"Reason: {reason[:_LONGEST_REASON]}")
    if settings.PUBLIC_URL:
        lines.append(f"{settings.PUBLIC_URL.rstrip('/')}/admin/scheduler/execution/{run.execution_id}/change/")
    return "\n".join(lines)


def recovery(summary: str, *, opened_at: datetime, times: int) -> str:
    """Return what is said when an incident is over."""
    found = "once" if times == 1 else f"{times} times"
    return f"All is well again. It began at {instant(opened_at)} and was found {found}.\n\nIt was:\n{summary}"


def due(run: Run) -> str:
    """Return when it was due, after a verb."""
    return f"{'at' if run.until is None else 'from'} {_span(run)}"


def _span(run: Run) -> str:
    first = instant(run.scheduled_for)
    return first if run.until is None else f"{first} to {instant(run.until)}"


def instant(value: datetime | None) -> str:
    """Return an instant in UTC to the second."""
    return "not yet" if value is None else f"{value:%Y-%m-%d %H:%M:%S} UTC"


def _kind_title(kind: str) -> str:
    try:
        return job_types.get(kind).title
    except UnknownJobType:
        return kind
