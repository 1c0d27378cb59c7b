"""Runs that were held behind another, and runs whose worker was lost."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from scheduler import executions, jobs
from scheduler.job_types import Outcome
from scheduler.models import Attempt, Execution, Status
from tests.scheduler.factories import a_job, counters, lapse, make_ready, started

pytestmark = pytest.mark.django_db

SUCCESS = Outcome(Status.SUCCEEDED)
TRANSIENT = Outcome(Status.FAILED, ("refused",), retryable=True)
INTERRUPTED = Outcome(Status.FAILED, ("shut down",), retryable=True, interrupted=True)


def row(execution_id: int) -> Execution:
    return Execution.objects.get(pk=execution_id)


def held_behind(job: Any) -> tuple[executions.Started, Execution]:
    """A running run of ``job`` and one that is held behind it."""
    run = started(job)
    return run, jobs.run_now(job, by="tester")


def test_a_held_run_goes_when_the_run_before_it_ends() -> None:
    run, held = held_behind(a_job(overlap="queue"))
    executions.finish(run, SUCCESS)
    assert [after.number for after in executions.start([held.pk], worker="worker-2")] == [2]


def test_a_held_run_stays_while_the_run_before_it_waits_for_its_next_attempt() -> None:
    run, held = held_behind(a_job(overlap="queue", max_retries=1))
    executions.finish(run, TRANSIENT)
    assert executions.start([held.pk], worker="worker-2") == []


def test_a_held_run_goes_when_the_run_before_it_is_lost() -> None:
    run, held = held_behind(a_job(overlap="queue"))
    lapse(run.execution_id)
    executions.rescue()
    assert [after.number for after in executions.start([held.pk], worker="worker-2")] == [2]


def test_a_held_run_goes_when_the_run_before_it_expires() -> None:
    job = a_job(overlap="queue", expires_seconds=60)
    first = jobs.run_now(job, by="tester")
    held = jobs.run_now(job, by="tester")
    Execution.objects.filter(pk=first.pk).update(scheduled_for=first.scheduled_for - timedelta(seconds=61))
    executions.start([first.pk], worker="worker-1")
    assert [after.number for after in executions.start([held.pk], worker="worker-2")] == [2]


def test_a_held_run_that_is_cancelled_leaves_the_run_before_it_alone() -> None:
    job = a_job(overlap="queue")
    run, held = held_behind(job)
    assert executions.cancel(held, by="somebody")
    assert (row(run.execution_id).status, row(held.pk).status, counters(job)) == (
        Status.RUNNING,
        Status.CANCELLED,
        (1, 1, 0, 0, 1),
    )


def test_a_lost_run_fails_and_says_so_where_its_job_does_not_retry() -> None:
    job = a_job()
    run = started(job)
    lapse(run.execution_id)
    assert executions.rescue() == 1
    stored = row(run.execution_id)
    assert (stored.status, stored.messages) == (
        Status.FAILED,
        ["worker worker-1 was lost during attempt 1: its lease ran out"],
    )
    assert counters(job) == (0, 1, 0, 0, 1)


def test_a_lost_run_is_tried_again_where_its_job_retries() -> None:
    job = a_job(max_retries=1)
    run = started(job)
    lapse(run.execution_id)
    assert executions.rescue() == 1
    stored = row(run.execution_id)
    assert (stored.status, stored.rescues, Attempt.objects.get().message) == (
        Status.QUEUED,
        1,
        "worker worker-1 was lost during attempt 1: its lease ran out",
    )
    assert counters(job) == (1, 0, 0, 0, 0)


def test_a_run_is_rescued_a_bounded_number_of_times() -> None:
    job = a_job(max_retries=1)
    execution = jobs.run_now(job, by="tester")
    for _ in range(settings.SCHEDULER_MAX_RESCUES + 1):
        make_ready(execution.pk)
        [run] = executions.start([execution.pk], worker="worker-1")
        lapse(run.execution_id)
        executions.rescue()
    stored = row(execution.pk)
    assert (stored.status, stored.rescues, Attempt.objects.count()) == (
        Status.FAILED,
        settings.SCHEDULER_MAX_RESCUES,
        settings.SCHEDULER_MAX_RESCUES,
    )


def test_a_lost_worker_costs_a_run_none_of_its_own_retries() -> None:
    run = started(a_job(max_retries=1))
    lapse(run.execution_id)
    executions.rescue()
    statuses = []
    for _ in range(2):
        make_ready(run.execution_id)
        [again] = executions.start([run.execution_id], worker="worker-2")
        assert executions.finish(again, TRANSIENT)
        statuses.append(row(run.execution_id).status)
    assert (statuses, row(run.execution_id).attempt) == ([Status.QUEUED, Status.FAILED], 3)


def test_a_run_that_its_worker_interrupted_goes_on_elsewhere_at_once_beside_its_own_retries() -> None:
    job = a_job(max_retries=1, retry_delay_seconds=1000)
    run = started(job)
    assert executions.finish(run, INTERRUPTED)
    attempt = Attempt.objects.get()
    assert (attempt.message, attempt.retry_at is not None and attempt.retry_at <= attempt.ended_at) == (
        "shut down",
        True,
    )
    make_ready(run.execution_id)
    [again] = executions.start([run.execution_id], worker="worker-2")
    assert (again.attempt, again.rescues, row(run.execution_id).rescues) == (2, 1, 1)
    assert executions.finish(again, TRANSIENT)
    assert (row(run.execution_id).status, counters(job)) == (Status.QUEUED, (1, 0, 0, 0, 0))


def test_a_run_that_its_worker_interrupted_fails_where_its_job_does_not_repeat() -> None:
    run = started(a_job())
    assert executions.finish(run, INTERRUPTED)
    assert (row(run.execution_id).status, row(run.execution_id).messages) == (Status.FAILED, ["shut down"])


def test_a_run_is_interrupted_a_bounded_number_of_times() -> None:
    run = started(a_job(max_retries=5))
    for _ in range(settings.SCHEDULER_MAX_RESCUES):
        assert executions.finish(run, INTERRUPTED)
        make_ready(run.execution_id)
        [run] = executions.start([run.execution_id], worker="worker-2")
    assert executions.finish(run, INTERRUPTED)
    assert row(run.execution_id).status == Status.FAILED


def test_a_lost_run_that_was_to_be_cancelled_is_cancelled() -> None:
    run = started(a_job(max_retries=3))
    executions.cancel(row(run.execution_id), by="somebody")
    lapse(run.execution_id)
    assert (executions.rescue(), row(run.execution_id).status) == (1, Status.CANCELLED)


def test_a_rescue_leaves_a_run_alone_whose_lease_holds() -> None:
    run = started(a_job())
    assert (executions.rescue(), row(run.execution_id).status) == (0, Status.RUNNING)
