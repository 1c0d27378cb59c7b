"""Channels, rules and ended runs that are valid by default."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

from scheduler import clock, executions, jobs, notices
from scheduler.alerts import deliveries, review
from scheduler.job_types import Outcome
from scheduler.models import AlertRule, Channel, Execution, Incident, Job, Notice, Status
from scheduler.secret import Secret
from tests.scheduler.factories import started

_names = itertools.count(1)


def a_channel(url: str | Secret = "json://127.0.0.1:9/hook") -> Channel:
    secret = url if isinstance(url, Secret) else Secret.of(url)
    return Channel.objects.create(name=f"channel {next(_names)}", url=secret)  # type: ignore[misc]


def a_rule(channel: Channel | None = None, **changes: Any) -> AlertRule:
    """A rule that waits for any failure of any job."""
    rule = AlertRule(**changes)
    rule.full_clean()
    rule.save()
    rule.channels.set([channel or a_channel()])
    return rule


def ends(job: Job, *statuses: Status) -> list[int]:
    """Runs of the job that end so, one after the other, and are told; their ids."""
    ids = []
    for status in statuses:
        run = started(job)
        assert executions.finish(run, Outcome(status, (f"it {status.label}",)))
        ids.append(run.execution_id)
        notices.tell_all()
    return ids


def fails(job: Job, times: int = 1) -> list[int]:
    return ends(job, *[Status.FAILED] * times)


def succeeds(job: Job, times: int = 1) -> list[int]:
    return ends(job, *[Status.SUCCEEDED] * times)


def waits(job: Job, *, seconds: float) -> Execution:
    """A queued run of the job that was due so long ago."""
    execution = jobs.run_now(job, by="tester")
    Execution.objects.filter(pk=execution.pk).update(scheduled_for=clock.exact_now() - timedelta(seconds=seconds))
    return execution


def runs(job: Job, *, seconds: float) -> executions.Started:
    """A running run of the job that began so long ago."""
    run = started(job)
    began = clock.exact_now() - timedelta(seconds=seconds)
    Execution.objects.filter(pk=run.execution_id).update(started_at=began, scheduled_for=began)
    return type(run)(**{**run.__dict__, "started_at": began, "scheduled_for": began})


def settle() -> None:
    """Let the beats' chores do once what there is to do now, checks that are not due yet included."""
    Incident.objects.update(checked_at=clock.exact_now() - timedelta(seconds=60))
    notices.tell_all()
    review.review()
    deliveries.deliver_all()


def nothing_waits() -> bool:
    return not Notice.objects.exists()


def open_incidents() -> int:
    return Incident.objects.filter(closed_at__isnull=True).count()
