"""Jobs that are valid by default."""

import itertools
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.functions import TransactionNow
from django.db import connection

from scheduler import executions, jobs
from scheduler.executions import Started
from scheduler.models import Execution, Job, JobState, Status
from scheduler.schedule import Schedule

_numbers = itertools.count(1)

# Never due by itself inside one transaction, whose time stands still. A test that commits, and makes a job due by hand,
# takes one of each year: between two of its statements a minute may turn.
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


def started(job: Job, *, worker: str = "worker-1", **arguments: Any) -> Started:
    """A run of ``job``, asked for now and started by ``worker``."""
    execution = jobs.run_now(job, by="tester", arguments=arguments or None)
    [run] = executions.start([execution.pk], worker=worker)
    return run


def make_ready(execution_id: int) -> None:
    """Let a run that waits for its next attempt go now."""
    Execution.objects.filter(pk=execution_id, status=Status.QUEUED).update(
        ready_at=TransactionNow(), publish_at=TransactionNow()
    )


def lapse(execution_id: int) -> None:
    """Let the lease of a run lapse, as if its worker had been silent for that long."""
    Execution.objects.filter(pk=execution_id, status=Status.RUNNING).update(
        lease_until=TransactionNow() - timedelta(seconds=1)
    )


def counters(job: Job) -> tuple[int, int, int, int, int]:
    """What the job's state counts: open, total, succeeded, warned, failed."""
    row = state(job)
    return row.open_runs, row.total_count, row.success_count, row.warning_count, row.failure_count


def counted(job: Job) -> tuple[int, int, int, int, int]:
    """What ``counters`` should say, counted from the rows."""
    rows = Execution.objects.of(job)
    by_status = Counter(rows.history().values_list("status", flat=True))
    failed = by_status[Status.FAILED] + by_status[Status.CANCELLED]
    return (
        rows.open().count(),
        by_status.total(),
        by_status[Status.SUCCEEDED],
        by_status[Status.WARNED],
        failed,
    )
