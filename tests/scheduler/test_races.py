"""Races between real transactions: who comes second sees what the first did, or leaves it alone."""

import logging
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django_celery_beat.models import PeriodicTask

from scheduler import claims, clock, executions, jobs, limits, retention
from scheduler.connections import LOCK_TIMEOUT, gave_way
from scheduler.exceptions import JobNotFound, NameTaken, NumberTaken
from scheduler.job_types import Outcome
from scheduler.models import Execution, Job, JobCounter, JobState, Status, Trigger
from scheduler.schedule import Schedule
from tests.scheduler.factories import (
    MINUTELY,
    YEARLY,
    a_job,
    counted,
    counters,
    due,
    lapse,
    started,
    state,
)
from tests.scheduler.holding import holding, waiting_for_a_lock
from tests.scheduler.threads import in_thread, together
from tests.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_many_that_take_a_number_at_once_one_gets_it() -> None:
    results = together(*[lambda: a_job(number=5)] * 8)
    refused = [result for result in results if isinstance(result, Exception)]
    assert [type(error) for error in refused] == [NumberTaken] * 7
    assert (Job.objects.count(), PeriodicTask.objects.count(), JobState.objects.count()) == (1, 1, 1)


def test_many_that_ask_for_the_next_number_at_once_get_different_ones() -> None:
    results = together(*[a_job] * 8)
    assert sorted(job.number for job in results if isinstance(job, Job)) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_the_next_number_is_never_one_that_somebody_is_just_taking() -> None:
    JobCounter.objects.create(kind="probe", last_number=99)
    results = together(*[lambda: a_job(number=100)] * 2, *[a_job] * 4)
    numbers = [result.number for result in results if isinstance(result, Job)]
    refused = [type(result) for result in results[:2] if isinstance(result, Exception)]
    assert all(isinstance(result, Job) for result in results[2:]), results
    assert (len(set(numbers)), set(refused) <= {NumberTaken}) == (len(numbers), True)


def test_of_many_that_take_a_name_at_once_one_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.probe.job_type import ProbeJob

    monkeypatch.setattr(ProbeJob, "unique_names", True)
    results = together(*[lambda: a_job(name="same")] * 6)
    refused = [result for result in results if isinstance(result, Exception)]
    assert [type(error) for error in refused] == [NameTaken] * 5


def test_beats_that_claim_at_once_share_the_due_jobs_and_double_none() -> None:
    made = [a_job() for _ in range(30)]
    for job in made:
        due(job)
    results = together(*[lambda: claims.claim(limit=10)] * 6)
    assert sum(len(result.hints) for result in results if isinstance(result, claims.Claimed)) == 30
    assert Execution.objects.count() == 30
    assert all(counters(job) == (1, 0, 0, 0, 0) for job in made)


def test_a_claim_passes_over_a_job_that_somebody_else_holds() -> None:
    held, free = a_job(), a_job()
    due(held)
    due(free)
    with holding(held):
        assert claims.claim(limit=10).jobs == 1
    assert claims.claim(limit=10).jobs == 1


def test_of_many_workers_that_start_a_run_at_once_one_gets_it() -> None:
    execution = jobs.run_now(a_job(), by="tester")
    results = together(*[lambda: executions.start([execution.pk], worker=threading.current_thread().name)] * 8)
    runs = [run for result in results if isinstance(result, list) for run in result]
    assert [run.token for run in runs] == [Execution.objects.get().token]


def test_of_many_that_end_a_run_at_once_one_is_accepted() -> None:
    job = a_job()
    run = started(job)
    results = together(*[lambda: executions.finish(run, Outcome(Status.SUCCEEDED))] * 8)
    assert sorted(results, key=str) == [False] * 7 + [True]
    assert counters(job) == counted(job) == (0, 1, 1, 0, 0)


def test_of_many_that_rescue_a_run_at_once_one_does() -> None:
    job = a_job(max_retries=1)
    run = started(job)
    lapse(run.execution_id)
    results = together(*[executions.rescue] * 6)
    assert sum(result for result in results if isinstance(result, int)) == 1
    assert Execution.objects.get().rescues == 1


def test_an_end_and_a_rescue_at_once_leave_one_end() -> None:
    job = a_job()
    for _ in range(10):
        run = started(job)
        lapse(run.execution_id)
        accepted, rescued = together(lambda: executions.finish(run, Outcome(Status.SUCCEEDED)), executions.rescue)  # noqa: B023 - called at once
        execution = Execution.objects.get(pk=run.execution_id)
        assert (execution.status == Status.SUCCEEDED) is accepted
        assert rescued == (0 if accepted else 1)
    assert counters(job) == counted(job)


def test_a_cancellation_and_a_start_at_once_never_leave_a_run_that_knows_nothing_of_it() -> None:
    job = a_job(overlap="allow")
    for _ in range(10):
        execution = jobs.run_now(job, by="tester")
        asked, runs = together(
            lambda: executions.cancel(execution, by="somebody"),  # noqa: B023 - called at once
            lambda: executions.start([execution.pk], worker="w"),  # noqa: B023 - called at once
        )
        execution.refresh_from_db()
        assert asked is True
        assert (execution.status, execution.cancel_requested) == (
            (Status.RUNNING, True) if runs else (Status.CANCELLED, False)
        )


def test_a_cancellation_and_a_retry_at_once_leave_no_further_attempt() -> None:
    job = a_job(overlap="allow", max_retries=5)
    for _ in range(10):
        run = started(job)
        execution = Execution.objects.get(pk=run.execution_id)
        asked, ended = together(
            lambda: executions.cancel(execution, by="somebody"),  # noqa: B023 - called at once
            lambda: executions.finish(run, Outcome(Status.FAILED, retryable=True)),  # noqa: B023 - called at once
        )
        execution.refresh_from_db()
        assert (asked, ended, execution.status) == (True, True, Status.CANCELLED)
    assert counters(job) == counted(job)


def test_an_edit_that_waited_for_its_turn_settles_what_fell_due_meanwhile() -> None:
    job = a_job(schedule=Schedule(run_at=clock.now() + timedelta(hours=1)))
    at = clock.now() + timedelta(seconds=0.4)
    Job.objects.update(run_at=at)
    JobState.objects.update(next_fire_at=at)
    with holding(job):
        edit = in_thread(lambda: jobs.update(job, {"schedule": Schedule(expression=YEARLY)}, by="editor"))
        wait_for(waiting_for_a_lock, what="the edit waits for the job")
        wait_for(lambda: clock.now() > at, every=0.02, what="the instant of the old schedule has passed")
    edit.result()
    assert list(Execution.objects.of(job).values_list("scheduled_for", "status")) == [(at, Status.QUEUED)]


def test_an_edit_that_waited_for_its_turn_fires_nothing_of_the_time_before() -> None:
    job = a_job(expression=YEARLY)
    with holding(job):
        edit = in_thread(lambda: jobs.update(job, {"schedule": Schedule(expression="* * * * * ?")}, by="editor"))
        wait_for(waiting_for_a_lock, what="the edit waits for the job")
        until = clock.now() + timedelta(seconds=1.1)
        wait_for(lambda: clock.now() > until, every=0.02, what="an instant of the new schedule has passed")
        released = clock.now()
    edit.result()
    following = state(job).next_fire_at
    assert following is not None
    assert following > released


def test_edits_of_one_job_at_once_all_hold() -> None:
    job = a_job()
    fields = [{"description": "d"}, {"priority": 1}, {"queue": "slow"}, {"max_retries": 3}, {"overlap": "allow"}]
    results = together(*[lambda change=change: jobs.update(job, change, by="t") for change in fields])
    assert all(isinstance(result, Job) for result in results), results
    stored = Job.objects.get()
    assert (stored.description, stored.priority, stored.queue, stored.max_retries, stored.overlap, stored.version) == (
        "d",
        1,
        "slow",
        3,
        "allow",
        6,
    )


def test_a_job_deleted_beside_everything_else_leaves_nothing() -> None:
    for _ in range(5):
        job = a_job(expression=MINUTELY, overlap="allow")
        run = started(job)
        due(job)
        results = together(
            lambda: jobs.delete(job, by="t"),  # noqa: B023 - called at once
            lambda: jobs.run_now(job, by="t"),  # noqa: B023 - called at once
            lambda: claims.claim(limit=10),
            lambda: executions.finish(run, Outcome(Status.SUCCEEDED)),  # noqa: B023 - called at once
            lambda: jobs.update(job, {"name": "x"}, by="t"),  # noqa: B023 - called at once
            executions.rescue,
        )
        problems = [result for result in results if isinstance(result, Exception)]
        assert all(isinstance(problem, JobNotFound) for problem in problems), problems
        retention.clean()
        assert (Job.objects.count(), Execution.objects.count(), PeriodicTask.objects.count()) == (0, 0, 0)


def test_an_entry_edited_in_the_admin_beside_claims_and_edits_deadlocks_nobody() -> None:
    job = a_job(expression="* * * * * ?", overlap="allow")

    def admin(times: int = 8) -> None:
        for turn in range(times):
            PeriodicTask.objects.filter(job_state__job=job).update(priority=turn % 9)

    def clock_hand(times: int = 8) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        for _ in range(times):
            try:
                with connection.cursor() as cursor:
                    cursor.execute("UPDATE scheduler_jobstate SET next_fire_at = date_trunc('second', now())")
                claims.claim(limit=10)
            except OperationalError as error:
                assert gave_way(error)

    def editor(times: int = 8) -> None:
        for turn in range(times):
            jobs.update(job, {"description": str(turn)}, by="t")

    results = together(admin, clock_hand, editor)
    assert results == [None, None, None]


def test_a_purge_beside_a_longer_retention_deletes_and_counts_the_same_rows() -> None:
    job = a_job(overlap="allow")
    for _ in range(40):
        executions.finish(started(job), Outcome(Status.SUCCEEDED))
    Execution.objects.update(expires_at=clock.now() - timedelta(days=1))

    def extend() -> None:
        jobs.update(job, {"retention_days": 300}, by="t")

    results = together(lambda: retention.purge(batch=10), extend, *[lambda: retention.purge(batch=7)] * 3)
    assert not [result for result in results if isinstance(result, Exception)]
    assert counters(job) == counted(job)


@pytest.mark.parametrize("policy", ["skip", "allow", "queue", "replace"])
def test_simultaneous_requests_never_violate_the_overlap_policy(policy: str, caplog: pytest.LogCaptureFixture) -> None:
    # A thousand, from several processes: tests/live/test_run_now_storm.py.
    # A line for each request and each end would take longer than they do.
    caplog.set_level(logging.WARNING, logger="scheduler")
    job = a_job(overlap=policy)

    def ask_and_work() -> tuple[int, int, int]:
        """Ask for runs, and start and end whatever may start; return how many ran and the most seen at once."""
        ran = most_running = most_open = 0
        for turn in range(25):
            execution = jobs.run_now(job, by="tester")
            assert execution.trigger == Trigger.MANUAL
            if turn % 5 == 4:
                most_open = max(most_open, Execution.objects.open().count())
                ready = list(Execution.objects.filter(status=Status.QUEUED).values_list("pk", flat=True)[:5])
                for run in executions.start(ready, worker=threading.current_thread().name):
                    running = Execution.objects.filter(status=Status.RUNNING).count()
                    most_running = max(most_running, running)
                    executions.finish(run, Outcome(Status.SUCCEEDED))
                    ran += 1
                most_open = max(most_open, Execution.objects.open().count())
        return ran, most_running, most_open

    results: list[Any] = together(*[ask_and_work] * 10)
    assert not [result for result in results if isinstance(result, Exception)], results
    assert Execution.objects.count() == 250
    assert counters(job) == counted(job)
    most_running = max(result[1] for result in results)
    most_open = max(result[2] for result in results)
    if policy == "skip":
        assert (most_running, most_open) == (1, 1)
    if policy == "queue":
        assert (most_running, most_open) == (1, 2)
    if policy == "replace":
        assert (most_running, most_open) == (1, 2)
    if policy == "allow":
        assert not Execution.objects.filter(status=Status.SKIPPED).exists()
    drained = 0
    while runs := executions.start(list(Execution.objects.open().values_list("pk", flat=True)), worker="last"):
        drained += len(runs)
        for run in runs:
            executions.finish(run, Outcome(Status.SUCCEEDED))
    assert counters(job) == counted(job)
    assert not Execution.objects.open().exists()


def test_what_was_started_is_run_though_the_connection_dies_before_the_others_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, over = jobs.run_now(a_job(), by="tester"), jobs.run_now(a_job(), by="tester")
    executions.cancel(over, by="tester")

    def dies(ids: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(limits, "waiting", dies)
    assert [run.execution_id for run in executions.start([first.pk, over.pk], worker="w")] == [first.pk]


def test_a_request_that_replaces_runs_gives_way_to_who_locked_them_in_another_order() -> None:
    job = a_job(overlap="allow")
    first, second = started(job), started(job)
    jobs.update(job, {"overlap": "replace"}, by="tester")

    def backwards() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM scheduler_execution WHERE id = %s FOR UPDATE", [second.execution_id])
            locked.set()
            wait_for(waiting_for_a_lock, every=0.01, what="the request waits for the second run")
            # Waits later, so that it is the other one that finds the deadlock or runs out of patience.
            cursor.execute("SELECT 1 FROM scheduler_execution WHERE id = %s FOR UPDATE", [first.execution_id])

    locked = threading.Event()
    other = in_thread(backwards)
    assert locked.wait(PATIENCE)
    successor = in_thread(lambda: jobs.run_now(job, by="tester")).result()
    other.result()
    assert isinstance(successor, Execution)
    asked = Execution.objects.filter(cancel_requested=True).values_list("pk", flat=True).order_by("pk")
    assert list(asked) == [first.execution_id, second.execution_id]
    assert counters(job) == counted(job) == (3, 0, 0, 0, 0)
