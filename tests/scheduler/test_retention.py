"""Retention deletes what outlived its days, in batches, and nothing else."""

from datetime import timedelta

import pytest
from django.contrib.postgres.functions import TransactionNow

from scheduler import executions, jobs, retention
from scheduler.job_types import Outcome
from scheduler.models import Attempt, Execution, Job, Payload, Status
from tests.probe.models import Effect
from tests.scheduler.factories import a_job, counted, counters, make_ready, started
from tests.scheduler.threads import together

pytestmark = pytest.mark.django_db

SUCCESS = Outcome(Status.SUCCEEDED, request="q", response="r")


def ended(job: Job, status: Status = Status.SUCCEEDED) -> int:
    run = started(job)
    executions.finish(run, Outcome(status, request="q", response="r"))
    return run.execution_id


def expire(*ids: int) -> None:
    """Let the days of ``ids`` be over."""
    Execution.objects.filter(pk__in=ids).update(expires_at=TransactionNow() - timedelta(days=1))


def left() -> list[int]:
    return list(Execution.objects.order_by("pk").values_list("pk", flat=True))


def test_a_run_is_kept_for_the_days_of_its_job() -> None:
    kept = ended(a_job(retention_days=1))
    assert (retention.purge(), left()) == (0, [kept])


def test_what_outlived_its_days_goes_with_all_that_hangs_on_it() -> None:
    job = a_job(history_strategy="FULL", max_retries=1)
    run = started(job)
    executions.finish(run, Outcome(Status.FAILED, retryable=True))
    make_ready(run.execution_id)
    [second] = executions.start([run.execution_id], worker="w")
    executions.finish(second, SUCCESS)
    Effect.objects.create(execution_id=run.execution_id, attempt=1)
    kept = ended(job)
    expire(run.execution_id)
    assert (retention.purge(), left()) == (1, [kept])
    assert (Attempt.objects.count(), Payload.objects.count(), Effect.objects.count()) == (0, 1, 0)


def test_the_counters_follow() -> None:
    job = a_job()
    gone = [ended(job, status) for status in (Status.SUCCEEDED, Status.WARNED, Status.FAILED, Status.CANCELLED)]
    ended(job)
    expire(*gone)
    retention.purge()
    assert counters(job) == counted(job) == (0, 1, 1, 0, 0)


def test_invisible_and_skipped_rows_go_without_touching_the_counters() -> None:
    silent, busy = a_job(history_strategy="OFF"), a_job()
    gone = [ended(silent)]
    started(busy)
    gone.append(jobs.run_now(busy, by="tester").pk)
    expire(*gone)
    assert retention.purge() == 2
    assert (counters(silent), counters(busy)) == ((0, 0, 0, 0, 0), (1, 0, 0, 0, 0))


def test_an_open_run_is_never_deleted() -> None:
    job = a_job(overlap="queue", max_retries=1)
    run = started(job)
    held = jobs.run_now(job, by="tester")
    other = started(a_job(max_retries=1))
    executions.finish(other, Outcome(Status.FAILED, retryable=True))
    assert not Execution.objects.filter(expires_at__isnull=False).exists()
    assert (retention.purge(), left()) == (0, sorted([run.execution_id, held.pk, other.execution_id]))


def test_a_batch_takes_the_longest_expired_first() -> None:
    job = a_job()
    first, second, third = ended(job), ended(job), ended(job)
    expire(first, second, third)
    Execution.objects.filter(pk=second).update(expires_at=TransactionNow() - timedelta(days=2))
    assert (retention.purge(batch=1), left()) == (1, [first, third])


def test_batch_follows_batch_until_one_is_short() -> None:
    job = a_job()
    expire(*(ended(job) for _ in range(7)))
    assert (retention.purge_all(batch=3), left()) == (7, [])


def test_purging_stops_between_two_batches_when_told_to() -> None:
    job = a_job()
    expire(*(ended(job) for _ in range(7)))
    told = iter([False, False, True])
    assert retention.purge_all(batch=2, until=lambda: next(told)) == 4


def test_a_kind_that_nobody_knows_any_more_is_purged_too() -> None:
    from scheduler import job_types
    from tests.probe.job_type import ProbeJob

    expire(ended(a_job()))
    job_types.unregister("probe")
    try:
        assert (retention.purge(), left()) == (1, [])
    finally:
        job_types.register(ProbeJob())


@pytest.mark.django_db(transaction=True)
def test_purges_and_ends_at_once_leave_counters_that_agree_with_the_rows() -> None:
    job = a_job(overlap="allow")
    expire(*(ended(job) for _ in range(30)))
    runs = [started(job) for _ in range(10)]
    results = together(
        *[lambda: retention.purge_all(batch=4)] * 3,
        lambda: [executions.finish(run, SUCCESS) for run in runs],
    )
    assert not [result for result in results if isinstance(result, Exception)]
    retention.purge_all()
    assert counters(job) == counted(job) == (0, 10, 10, 0, 0)
