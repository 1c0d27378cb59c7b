"""Runs in a worker process: every way a job type can behave ends in one honest end, and the worker stays healthy."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from scheduler import executions, job_types, jobs, runner
from scheduler.exceptions import RunError
from scheduler.job_types import Outcome, RunCancelled, RunContext
from scheduler.models import Attempt, Execution, Payload, Status
from scheduler.run import Run, Stop
from tests.scheduler.factories import counted, counters
from tests.scheduler.scripted import Scripted, Work, a_scripted_job, ran, terminate, until_interrupted, until_stopped
from tests.scheduler.threads import in_thread
from tests.waiting import NOISE, PATIENCE, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

MILLISECOND = timedelta(milliseconds=1)
FIVE_SECONDS = timedelta(seconds=5) + NOISE


def the_end(execution: Execution) -> tuple[int, list[str]]:
    return execution.status, execution.messages


def raising(error: BaseException) -> Work:
    def work(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        raise error

    return work


def test_a_run_ends_as_its_job_type_says(scripted: Scripted) -> None:
    scripted.work = lambda arguments, context: Outcome(
        Status.WARNED, ("half of it",), request=dict(arguments), response=[context.number, context.attempt]
    )
    execution = ran(a_scripted_job(history_strategy="FULL", arguments={"a": 1}))
    assert the_end(execution) == (Status.WARNED, ["half of it"])
    assert Payload.objects.values_list("request", "response").get() == ({"a": 1}, [1, 1])


def test_what_is_not_queued_is_not_run(scripted: Scripted) -> None:
    execution = ran(a_scripted_job())
    assert runner.run_all([execution.pk, 10**12]) == 0


def test_a_refusal_that_the_job_type_knows_ends_the_run_with_its_words(scripted: Scripted) -> None:
    scripted.work = raising(RunError("404 Not Found", request="GET /", response="none"))
    execution = ran(a_scripted_job(history_strategy="ERROR", max_retries=3))
    assert the_end(execution) == (Status.FAILED, ["404 Not Found"])
    assert Payload.objects.values_list("request", "response").get() == ("GET /", "none")


def test_a_refusal_worth_retrying_is_tried_again(scripted: Scripted) -> None:
    scripted.work = raising(RunError("503", retryable=True))
    execution = ran(a_scripted_job(max_retries=1))
    assert (execution.status, Attempt.objects.get().message) == (Status.QUEUED, "503")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (RecursionError("too deep"), "RecursionError: too deep"),
        (MemoryError(), "MemoryError: "),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no"), "UnicodeEncodeError"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_a_crash_is_a_failure_that_names_itself(scripted: Scripted, error: BaseException, message: str) -> None:
    scripted.work = raising(error)
    status, messages = the_end(ran(a_scripted_job(max_retries=3)))
    assert (status, messages[0].startswith(f"Internal error during job execution: {message}")) == (Status.FAILED, True)


@pytest.mark.parametrize(
    "nonsense",
    [None, "done", Outcome(Status.QUEUED), Outcome(Status.RUNNING), Outcome(Status.SKIPPED), Outcome("fine")],  # type: ignore[arg-type]
)
def test_an_end_that_is_none_is_a_failure(scripted: Scripted, nonsense: Any) -> None:
    scripted.work = lambda arguments, context: nonsense
    status, messages = the_end(ran(a_scripted_job()))
    assert (status, messages[0].startswith("Internal error during job execution: ")) == (Status.FAILED, True)


@pytest.mark.parametrize("messages", [None, "a text", [1, None], ("nul \x00",)])
@pytest.mark.parametrize("retryable", [False, True])
def test_messages_of_any_kind_do_not_cost_the_run_its_end(scripted: Scripted, messages: Any, retryable: bool) -> None:
    scripted.work = lambda arguments, context: Outcome(Status.FAILED, messages, retryable=retryable)
    execution = ran(a_scripted_job(max_retries=1))
    assert execution.status == (Status.QUEUED if retryable else Status.FAILED)
    assert all(isinstance(message, str) for message in execution.messages)


class Unwritable:
    def __str__(self) -> str:
        raise ValueError("no text")


def test_a_payload_that_cannot_be_written_does_not_cost_the_run_its_end(scripted: Scripted) -> None:
    scripted.work = lambda arguments, context: Outcome(Status.SUCCEEDED, request=Unwritable(), response={"ok": True})
    execution = ran(a_scripted_job(history_strategy="FULL"))
    assert execution.status == Status.SUCCEEDED
    assert Payload.objects.values_list("request", "response", "truncated").get() == (
        "not recorded: ValueError",
        {"ok": True},
        True,
    )


def test_a_kind_that_nobody_registered_is_a_failure_that_says_so(scripted: Scripted) -> None:
    execution = jobs.run_now(a_scripted_job(), by="tester")
    job_types.unregister("scripted")
    runner.run_all([execution.pk])
    execution.refresh_from_db()
    assert execution.status == Status.FAILED
    assert "no job type 'scripted'" in execution.messages[0]


@pytest.mark.parametrize("work", [until_stopped, until_interrupted])
def test_a_run_ends_as_failed_at_its_time_limit(scripted: Scripted, work: Work) -> None:
    scripted.work = work
    execution = ran(a_scripted_job(timeout_seconds=1))
    assert the_end(execution) == (Status.FAILED, ["stopped at its time limit of 1 s"])
    duration = execution.duration_ms
    assert duration is not None
    assert 1000 <= duration < (timedelta(seconds=1 + 3) + NOISE) / MILLISECOND


def test_a_run_at_its_time_limit_is_tried_again_where_its_job_retries(scripted: Scripted) -> None:
    scripted.work = until_stopped
    execution = ran(a_scripted_job(timeout_seconds=1, max_retries=1))
    assert (execution.status, Attempt.objects.get().message) == (Status.QUEUED, "stopped at its time limit of 1 s")


def test_a_worker_is_healthy_after_a_run_that_had_to_be_interrupted(scripted: Scripted) -> None:
    scripted.work = until_interrupted
    ran(a_scripted_job(timeout_seconds=1))
    scripted.work = lambda arguments, context: Outcome(Status.SUCCEEDED)
    assert [ran(a_scripted_job()).status for _ in range(5)] == [Status.SUCCEEDED] * 5


def cancelled_when_running(execution: Execution) -> None:
    """Cancel ``execution`` as soon as it runs."""
    wait_for(lambda: Execution.objects.filter(pk=execution.pk, status=Status.RUNNING).exists(), every=0.01)
    executions.cancel(execution, by="somebody")


@pytest.mark.parametrize("work", [until_stopped, until_interrupted])
def test_a_running_run_that_is_cancelled_stops_within_five_seconds(scripted: Scripted, work: Work) -> None:
    scripted.work = work
    job = a_scripted_job(max_retries=3)
    execution = jobs.run_now(job, by="tester")
    canceller = in_thread(lambda: cancelled_when_running(execution))
    began = time.monotonic()
    runner.run_all([execution.pk])
    canceller.result()
    execution.refresh_from_db()
    assert the_end(execution) == (Status.CANCELLED, ["cancelled by somebody", "cancelled while running"])
    assert timedelta(seconds=time.monotonic() - began) < FIVE_SECONDS
    assert counters(job) == counted(job) == (0, 1, 0, 0, 1)


def test_a_run_whose_worker_is_shut_down_is_handed_back_and_none_of_its_retries_used(scripted: Scripted) -> None:
    scripted.work = until_stopped
    execution = jobs.run_now(a_scripted_job(max_retries=1, retry_delay_seconds=1000), by="tester")

    def shut_down() -> None:
        wait_for(lambda: Execution.objects.filter(pk=execution.pk, status=Status.RUNNING).exists(), every=0.01)
        runner.stop_all()

    stopper = in_thread(shut_down)
    runner.run_all([execution.pk])
    stopper.result()
    execution.refresh_from_db()
    assert (execution.status, execution.attempt, execution.rescues) == (Status.QUEUED, 1, 1)
    scripted.work = lambda arguments, context: Outcome(Status.SUCCEEDED)
    assert runner.run_all([execution.pk]) == 1


def test_what_a_run_waits_for_is_interrupted_when_it_is_cancelled(scripted: Scripted) -> None:
    def work(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        closed = threading.Event()
        context.on_cancel(closed.set)
        assert closed.wait(PATIENCE)
        raise ConnectionError("the socket was closed")

    scripted.work = work
    execution = jobs.run_now(a_scripted_job(), by="tester")
    canceller = in_thread(lambda: cancelled_when_running(execution))
    runner.run_all([execution.pk])
    canceller.result()
    execution.refresh_from_db()
    assert the_end(execution) == (Status.CANCELLED, ["cancelled by somebody", "cancelled while running"])


def test_a_run_that_was_taken_away_stops_and_writes_nothing(scripted: Scripted) -> None:
    scripted.work = until_stopped
    execution = jobs.run_now(a_scripted_job(), by="tester")

    def take_away() -> None:
        wait_for(lambda: Execution.objects.filter(pk=execution.pk, status=Status.RUNNING).exists(), every=0.01)
        Execution.objects.filter(pk=execution.pk).update(token=42, worker="another")

    thief = in_thread(take_away)
    runner.run_all([execution.pk])
    thief.result()
    execution.refresh_from_db()
    assert (execution.status, execution.token, execution.worker) == (Status.RUNNING, 42, "another")


def test_a_run_whose_job_is_deleted_stops(scripted: Scripted) -> None:
    scripted.work = until_stopped
    job = a_scripted_job()
    execution = jobs.run_now(job, by="tester")

    def delete() -> None:
        wait_for(lambda: Execution.objects.filter(pk=execution.pk, status=Status.RUNNING).exists(), every=0.01)
        jobs.delete(job, by="tester")

    remover = in_thread(delete)
    began = time.monotonic()
    runner.run_all([execution.pk])
    remover.result()
    assert timedelta(seconds=time.monotonic() - began) < FIVE_SECONDS
    assert not Execution.objects.filter(status__gte=Status.SUCCEEDED).exists()


def test_the_lease_is_kept_while_the_work_takes_long(scripted: Scripted) -> None:
    leases = []

    def work(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        def lease() -> Any:
            return Execution.objects.values_list("lease_until", flat=True).get(pk=context.execution_id)

        leases.append(lease())
        leases.append(wait_for(lambda: lease() if lease() > leases[0] else None, what="a renewed lease"))
        return Outcome(Status.SUCCEEDED)

    scripted.work = work
    assert ran(a_scripted_job()).status == Status.SUCCEEDED
    assert leases[1] > leases[0]


def test_progress_is_written_with_the_heartbeat(scripted: Scripted) -> None:
    def work(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        context.progress(3, 10)
        wait_for(lambda: Execution.objects.filter(pk=context.execution_id, progress_done=3, progress_total=10).exists())
        return Outcome(Status.SUCCEEDED)

    scripted.work = work
    assert ran(a_scripted_job()).status == Status.SUCCEEDED


@pytest.mark.parametrize("progress", [(-1, 10), (2**40, 2**40), (0.5, 1.5)])
def test_progress_of_any_size_does_not_cost_the_lease(scripted: Scripted, progress: tuple[Any, Any]) -> None:
    def work(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        context.progress(*progress)
        wait_for(lambda: Execution.objects.filter(pk=context.execution_id, progress_total__isnull=False).exists())
        return Outcome(Status.SUCCEEDED)

    scripted.work = work
    assert ran(a_scripted_job()).status == Status.SUCCEEDED


def broken_transaction(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
    except Exception:
        return Outcome(Status.SUCCEEDED)
    raise AssertionError


def no_autocommit(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
    transaction.set_autocommit(False)
    return Outcome(Status.SUCCEEDED)


def closed_connection(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
    connection.ensure_connection()
    assert connection.connection is not None
    connection.connection.close()
    return Outcome(Status.SUCCEEDED)


def killed_connection(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    return Outcome(Status.SUCCEEDED)


@pytest.mark.parametrize("work", [broken_transaction, no_autocommit, closed_connection, killed_connection])
def test_what_a_run_does_to_its_database_connection_costs_neither_its_end_nor_the_next_run(
    scripted: Scripted, work: Work
) -> None:
    scripted.work = work
    first = in_thread(lambda: ran(a_scripted_job()).status)
    expected = Status.FAILED if work is killed_connection else Status.SUCCEEDED
    assert first.result() == expected
    both = in_thread(lambda: [ran(a_scripted_job()).status, ran(a_scripted_job()).status])
    assert both.result() == [expected, expected]


def test_a_connection_that_died_between_two_runs_costs_nothing(scripted: Scripted) -> None:
    def two() -> list[int]:
        one = ran(a_scripted_job()).status
        execution = jobs.run_now(a_scripted_job(), by="tester")
        assert connection.connection is not None
        pid = connection.connection.info.backend_pid
        killer = in_thread(lambda: terminate(pid))
        killer.result()
        runner.run_all([execution.pk])
        execution.refresh_from_db()
        return [one, execution.status]

    assert in_thread(two).result() == [Status.SUCCEEDED, Status.SUCCEEDED]


def a_run(scripted: Scripted) -> Run:
    execution = jobs.run_now(a_scripted_job(), by="tester")
    [started] = executions.start([execution.pk], worker="w")
    return Run(started)


def test_an_interruption_reaches_the_work_and_nothing_after_it(scripted: Scripted) -> None:
    first, interrupted = a_run(scripted), []
    for turn in range(200):
        # Every fourth waits for it; of the others some are just over when it comes.
        waits, run, entered = turn % 4 == 0, Run(first.started), threading.Event()

        def interrupt(run: Run = run, entered: threading.Event = entered) -> None:
            entered.wait()
            run.interrupt()

        interrupter = threading.Thread(target=interrupt)
        interrupter.start()
        try:
            try:
                run.enter()
                entered.set()
                sum(range(turn * 20))
                until = time.monotonic() + PATIENCE
                while waits and time.monotonic() < until:
                    pass
            finally:
                run.leave()
        except RunCancelled:
            interrupted.append(turn)
        # Nothing is raised out here, whatever the moment.
        interrupter.join()
        sum(range(1000))
    assert set(range(0, 200, 4)) <= set(interrupted)


def test_only_the_first_reason_to_stop_counts(scripted: Scripted) -> None:
    run = a_run(scripted)
    run.stop(Stop.CANCELLED)
    run.stop(Stop.TIMED_OUT)
    assert run.stop_reason is Stop.CANCELLED
    with pytest.raises(RunCancelled):
        run.check()


def test_an_action_for_the_stop_of_a_run_that_has_been_stopped_is_taken_at_once(scripted: Scripted) -> None:
    run = a_run(scripted)
    run.stop(Stop.CANCELLED)
    taken: list[int] = []
    run.on_cancel(lambda: taken.append(1))
    run.on_cancel(lambda: taken.append(1 // 0))
    assert taken == [1]


def test_exactly_one_caller_may_write_the_end(scripted: Scripted) -> None:
    run = a_run(scripted)
    assert [run.end(), run.end(), run.end()] == [True, False, False]


@pytest.mark.parametrize("place", ["start", "_expire"])
def test_runs_whose_start_was_committed_without_an_answer_are_held_and_run(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    execution = jobs.run_now(a_scripted_job(), by="tester")
    do: Callable[..., Any] = getattr(executions, place)
    lost: list[int] = []

    def answer_lost(*arguments: Any, **keywords: Any) -> Any:
        answer = do(*arguments, **keywords)
        if not lost:
            lost.append(1)
            raise OperationalError("the server closed the connection unexpectedly")
        return answer

    monkeypatch.setattr(executions, place, answer_lost)
    # The second of them does not exist, so that the start looks for what else is to be done with it.
    assert (runner.run_all([execution.pk, 10**12]), lost) == (1, [1])
    execution.refresh_from_db()
    assert (execution.status, execution.attempt) == (Status.SUCCEEDED, 1)
    assert not runner.heart.held


def test_a_start_that_reached_no_database_is_given_up_at_once(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = jobs.run_now(a_scripted_job(), by="tester")

    tries: list[int] = []

    def away() -> None:
        tries.append(1)
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "ensure_connection", away)
    with pytest.raises(OperationalError):
        runner.start([execution.pk])
    # Not for as long as a lease, as where an answer was lost.
    assert len(tries) == 2
