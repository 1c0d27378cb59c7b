"""Retention deletes what outlived its days, in batches, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.postgres.functions import TransactionNow
from django.db import connection
from django.db.models import F

from scheduler import executions, jobs, retention
from scheduler.exceptions import JobNotFound
from scheduler.job_types import Outcome
from scheduler.models import Attempt, Execution, Job, Payload, Removal, RetentionChange, Status
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


@pytest.mark.django_db(transaction=True)
def test_a_busy_job_with_many_expired_runs_keeps_no_other_job_s_from_going() -> None:
    busy, other = a_job(), a_job()
    kept = [ended(busy) for _ in range(7)]
    gone = ended(other)
    expire(*kept)
    Execution.objects.filter(pk=gone).update(expires_at=TransactionNow())
    wanted = {key: value for key, value in connection.get_connection_params().items() if key != "cursor_factory"}
    with psycopg.connect(**wanted) as beside:
        beside.execute("SELECT 1 FROM scheduler_jobstate WHERE job_id = %s FOR UPDATE", [busy.pk])
        retention.clean(batch=3)
        assert left() == kept
        assert retention.purge_all(batch=3) == 0
    assert retention.purge_all(batch=3) == 7


def history(job: Job, runs: int, skipped: int) -> None:
    """Write a long history of ``job``: ended runs, and instants that were skipped."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO scheduler_execution
                   (job_id, number, trigger, scheduled_for, status, reason, queue, priority, concurrency_key, ended_at,
                    expires_at, attempt, rescues, cancel_requested, messages, visible, complete)
            SELECT %(job)s, CASE WHEN n <= %(runs)s THEN n END, 0, now() - n * interval '1 minute',
                   CASE WHEN n <= %(runs)s THEN 2 ELSE 5 END, CASE WHEN n > %(runs)s THEN 'overlap' END, 'services', 5,
                   '', now() - n * interval '1 minute', now() - n * interval '1 minute' + interval '3650 days',
                   1, 0, false, '[]', true, false
              FROM generate_series(1, %(runs)s + %(skipped)s) n
            """,
            {"job": job.pk, "runs": runs, "skipped": skipped},
        )
        cursor.execute(
            "UPDATE scheduler_jobstate SET last_number = %(runs)s, total_count = %(runs)s, success_count = %(runs)s"
            " WHERE job_id = %(job)s",
            {"job": job.pk, "runs": runs},
        )
        cursor.execute("ANALYZE scheduler_execution")


@contextmanager
def statements() -> Iterator[list[int]]:
    """How many rows each statement on executions wrote, as they come."""
    rows: list[int] = []

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if "scheduler_execution" in sql and sql.lstrip().startswith(("UPDATE", "DELETE", "INSERT")):
            rows.append(context["cursor"].rowcount)
        return result

    with connection.execute_wrapper(count):
        yield rows


LONG = 100_000
BATCH = 2000


def test_a_job_with_a_long_history_is_gone_at_once_and_its_rows_go_in_batches() -> None:
    job, other = a_job(number=7), a_job()
    history(job, LONG - 10_000, 10_000)
    kept = ended(other)
    with statements() as written:
        jobs.delete(job, by="tester")
        assert written == []
        with pytest.raises(JobNotFound):
            jobs.get("probe", 7)
        retention.clean(batch=BATCH)
    assert (left(), Removal.objects.count()) == ([kept], 0)
    assert (sum(written), max(written)) == (LONG, BATCH)


def test_changed_days_move_a_long_history_in_batches_each_row_once() -> None:
    job = a_job(retention_days=3650)
    history(job, LONG // 4, 10_000)
    now = jobs.run_now(job, by="tester")
    jobs.update(job, {"overlap": "skip"}, by="tester")
    skipped = jobs.run_now(job, by="tester")
    with statements() as written:
        jobs.update(job, {"retention_days": 100}, by="tester")
        assert written == []
        retention.clean(batch=BATCH)
    assert (sum(written), max(written)) == (LONG // 4 + 10_000 + 1, BATCH)
    days = F("expires_at") - F("ended_at")
    assert list(Execution.objects.of(job).filter(ended_at__isnull=False).values_list(days, flat=True).distinct()) == [
        timedelta(days=100)
    ]
    assert (now.expires_at, skipped.status, RetentionChange.objects.count()) == (None, Status.SKIPPED, 0)


def test_longer_days_hold_from_their_commit_on() -> None:
    job = a_job(retention_days=1)
    kept = ended(job)
    days_ago = TransactionNow() - timedelta(days=2)
    Execution.objects.filter(pk=kept).update(ended_at=days_ago, expires_at=TransactionNow() - timedelta(days=1))
    jobs.update(job, {"retention_days": 30}, by="tester")
    assert (retention.purge(), left()) == (0, [kept])
    assert Execution.objects.filter(expires_at=F("ended_at") + timedelta(days=30)).count() == 1


def test_a_run_that_ends_after_its_job_s_days_were_changed_is_kept_for_the_new_ones() -> None:
    job = a_job(retention_days=30)
    run = started(job)
    jobs.update(job, {"retention_days": 2}, by="tester")
    retention.clean()
    executions.finish(run, SUCCESS)
    execution = Execution.objects.get(pk=run.execution_id)
    assert execution.expires_at is not None
    assert execution.ended_at is not None
    assert abs(execution.expires_at - execution.ended_at - timedelta(days=2)) < timedelta(seconds=1)


def test_what_a_deleted_job_s_kind_keeps_goes_too() -> None:
    job = a_job()
    run = started(job)
    Effect.objects.create(execution_id=run.execution_id, attempt=1)
    jobs.delete(job, by="tester")
    retention.clean(batch=1)
    assert (left(), Effect.objects.count()) == ([], 0)
