"""Which coming fires fall on closed days, for people to see before they do not happen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from scheduler.calendars import store
from scheduler.calendars.days import Closed, Closure
from scheduler.exceptions import InvalidCalendar, InvalidSchedule
from scheduler.models import Job


def closed_days(job: Job) -> Closed | None:
    """Return the closed days of a job, None where it has no calendar."""
    return store.closed(job.calendars, job.zone)


def closure(closed: Closed | None, instant: datetime) -> Closure | None:
    """Return why a fire at ``instant`` would not happen, None where it would.

    None too where a calendar or a zone cannot be read any more: the clock says so when it pauses the job.
    """
    if closed is None:
        return None
    try:
        return closed.closure_at(instant)
    except (InvalidSchedule, InvalidCalendar, OverflowError):
        return None


def next_closures(jobs: Sequence[Job]) -> dict[int, Closure]:
    """Return job -> why its next fire will not happen, for those jobs whose will not; two queries for all."""
    keeping = [job for job in jobs if job.calendars and job.state.next_fire_at is not None]
    if not keeping:
        return {}
    with connection.cursor() as cursor:
        closed = store.all_closed(cursor, [(job.calendars or (), job.zone) for job in keeping])
    found = {
        job.pk: closure(days, job.state.next_fire_at)
        for job, days in zip(keeping, closed, strict=True)
        if job.state.next_fire_at is not None
    }
    return {pk: why for pk, why in found.items() if why is not None}
