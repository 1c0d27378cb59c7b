"""Beat entries: the one ``PeriodicTask`` of each job, so that the stock admin shows when it fires next.

Nothing but this module and ``scheduler.beat`` touches django-celery-beat. Rows are written without the package's
``save()``, which makes eleven queries and moves a mark that all of its writers share; its own entries still use it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.db import IntegrityError, connection, transaction
from django_celery_beat.models import ClockedSchedule, PeriodicTask

from scheduler.models import Job

TASK = "scheduler.run_job"

T = TypeVar("T")


def name_of(job: Job) -> str:
    """Return the name of the job's entry: its kind and number, which are unique, and what it is called."""
    return f"{job.kind} {job.number}: {job.name}"[:200]


def create(job: Job, next_fire_at: datetime | None, *, now: datetime) -> PeriodicTask:
    """Write the entry of a new job and return it."""
    clocked = ClockedSchedule.objects.create(clocked_time=next_fire_at or job.run_at or now)

    def write(name: str) -> PeriodicTask:
        entry = PeriodicTask(
            name=name,
            task=TASK,
            args=json.dumps([job.pk]),
            clocked=clocked,
            one_off=True,
            **_columns(job, next_fire_at),
        )
        PeriodicTask.objects.bulk_create([entry])
        return entry

    return _named(job, write)


def update(job: Job, entry_id: int, next_fire_at: datetime | None) -> None:
    """Make the entry say what the job says now."""
    entry = PeriodicTask.objects.filter(pk=entry_id)
    _named(job, lambda name: entry.update(name=name, **_columns(job, next_fire_at)))
    if next_fire_at is not None:
        ClockedSchedule.objects.filter(periodictask__pk=entry_id).update(clocked_time=next_fire_at)


def _columns(job: Job, next_fire_at: datetime | None) -> dict[str, Any]:
    return {
        "enabled": job.active and next_fire_at is not None,
        "queue": job.queue or None,
        "priority": job.priority,
        "expire_seconds": job.expires_seconds,
        "headers": json.dumps(job.headers),
        "description": job.description or "",
    }


def _named(job: Job, write: Callable[[str], T]) -> T:
    """Call ``write`` with a name for the job's entry, another one where an entry of somebody else's has the first."""
    name = name_of(job)
    try:
        with transaction.atomic():
            return write(name)
    except IntegrityError:
        return write(f"{name[:160]} ({uuid.uuid4()})")


def delete(entry_ids: list[int]) -> None:
    """Delete entries and the clocked schedules that were theirs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH gone AS (DELETE FROM django_celery_beat_periodictask WHERE id = ANY(%s) RETURNING clocked_id)"
            " SELECT clocked_id FROM gone WHERE clocked_id IS NOT NULL",
            [entry_ids],
        )
        clocked = [row[0] for row in cursor.fetchall()]
        # An entry of somebody else's may have been pointed at the same clocked schedule in the stock admin.
        cursor.execute(
            "DELETE FROM django_celery_beat_clockedschedule c WHERE id = ANY(%s)"
            " AND NOT EXISTS (SELECT 1 FROM django_celery_beat_periodictask WHERE clocked_id = c.id)",
            [clocked],
        )
