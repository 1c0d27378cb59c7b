"""Jobs that are valid by default."""

import itertools
from datetime import datetime
from typing import Any

from django.db import connection

from scheduler import jobs
from scheduler.models import Job, JobState
from scheduler.schedule import Schedule

_numbers = itertools.count(1)

# Fires once a minute: never due by itself within a test that makes it due by hand.
MINUTELY = "0 * * * * ?"
YEARLY = "0 0 0 1 1 ?"


def a_definition(**changes: Any) -> jobs.Definition:
    """A definition of a probe job that fires each new year; ``expression`` and ``zone`` are taken too."""
    schedule = changes.pop("schedule", None) or Schedule(
        expression=changes.pop("expression", YEARLY), zone=changes.pop("zone", "UTC")
    )
    values: dict[str, Any] = {"name": f"job {next(_numbers)}", "schedule": schedule, "arguments": {}}
    return jobs.Definition(**{**values, **changes})


def a_job(*, number: int | None = None, **changes: Any) -> Job:
    """A stored probe job."""
    return jobs.create("probe", a_definition(**changes), by="tester", number=number)


def due(job: Job, *, seconds_ago: float = 0.0) -> datetime:
    """Make ``job`` due as if its schedule had said so, ``seconds_ago`` before now; return that instant."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE scheduler_jobstate SET next_fire_at = date_trunc('second', now()) - make_interval(secs => %s)"
            " WHERE job_id = %s RETURNING next_fire_at",
            [seconds_ago, job.pk],
        )
        instant: datetime = cursor.fetchone()[0]
    return instant


def state(job: Job) -> JobState:
    return JobState.objects.get(job_id=job.pk)
