"""The ends of runs are written whatever one of them meets, and the heart waits for none of them."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.db import OperationalError

from scheduler import ender, executions, jobs, runner
from scheduler.ender import Ender
from scheduler.endings import Ending
from scheduler.job_types import Outcome, RunContext
from scheduler.lanes import Lanes
from scheduler.models import Execution, Status
from tests.scheduler.scripted import Scripted, a_scripted_job, ran, terminate_all_others, until_interrupted
from tests.scheduler.threads import in_thread
from tests.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.django_db(transaction=True)
DONE = Outcome(Status.SUCCEEDED)


@pytest.fixture
def lanes(scripted: Scripted) -> Iterator[Lanes]:
    """Three lanes, whose threads outlive the test but not their database connections."""
    yield runner.lanes(3)
    terminate_all_others()


def two_endings(scripted: Scripted) -> list[Ending]:
    ids = [jobs.run_now(a_scripted_job(), by="tester").pk for _ in range(2)]
    return [Ending(started, DONE) for started in executions.start(ids, worker="w")]


def test_an_end_that_the_database_refuses_holds_up_no_other_and_is_a_failure_in_the_end(
    scripted: Scripted, lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = a_scripted_job(overlap="allow")
    ids = [jobs.run_now(job, by="tester").pk for _ in range(6)]
    poison, write = ids[2], executions.finish_many

    def refusing(endings: Any) -> list[bool]:
        if any(ending.run.execution_id == poison and ending.outcome == DONE for ending in endings):
            raise OperationalError("program limit exceeded")
        return write(endings)

    monkeypatch.setattr(executions, "finish_many", refusing)
    # For as long as the test says, and looked at often.
    monkeypatch.setattr(ender, "LONGEST_WAIT_SECONDS", 0.1)
    monkeypatch.setattr(ender, "GIVE_UP_LEASES", 1000)
    monkeypatch.setattr(ender, "AS_IT_IS_LEASES", 1000)
    errand = in_thread(lambda: lanes.run(ids))
    wait_for(lambda: Execution.objects.filter(status=Status.SUCCEEDED).count() == 5, every=0.02, what="the other ends")
    assert Execution.objects.get(pk=poison).status == Status.RUNNING
    monkeypatch.setattr(ender, "AS_IT_IS_LEASES", 0)
    errand.result()
    last = Execution.objects.get(pk=poison)
    assert (last.status, last.messages) == (
        Status.FAILED,
        ["the end of the run could not be recorded", "OperationalError: program limit exceeded"],
    )


def test_the_end_of_an_abandoned_run_is_tried_again_where_the_database_was_away(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.work, write = until_interrupted, executions.finish_many
    refused: list[str] = []

    def away_twice(endings: Any) -> list[bool]:
        if len(refused) < 2:
            refused.append(threading.current_thread().name)
            raise OperationalError("the server closed the connection unexpectedly")
        return write(endings)

    monkeypatch.setattr(executions, "finish_many", away_twice)
    # However long it is away: the time an end has runs while the database answers.
    monkeypatch.setattr(ender, "_database_answers", lambda: False)
    monkeypatch.setattr(ender, "GIVE_UP_LEASES", 0)
    execution = ran(a_scripted_job(timeout_seconds=1))
    assert refused == ["scheduler-ender"] * 2
    assert (execution.status, execution.messages) == (Status.FAILED, ["stopped at its time limit of 1 s"])


def test_leases_are_renewed_while_the_end_of_an_abandoned_run_waits(
    scripted: Scripted, lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = jobs.run_now(a_scripted_job(arguments={"gate": True}), by="tester")
    deaf = jobs.run_now(a_scripted_job(timeout_seconds=1), by="tester")
    gate, blocked, free, write = threading.Event(), threading.Event(), threading.Event(), executions.finish_many

    def work(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        if arguments:
            assert gate.wait(PATIENCE)
            return DONE
        return until_interrupted(arguments, context)

    def blocking(endings: Any) -> list[bool]:
        blocked.set()
        assert free.wait(PATIENCE)
        return write(endings)

    def leases() -> list[Any]:
        return list(Execution.objects.order_by("pk").values_list("lease_until", flat=True))

    scripted.work = work
    monkeypatch.setattr(executions, "finish_many", blocking)
    errand = in_thread(lambda: lanes.run([other.pk, deaf.pk]))
    assert blocked.wait(PATIENCE)
    before = leases()
    wait_for(lambda: all(now > was for now, was in zip(leases(), before, strict=True)), what="both leases renewed")
    free.set()
    gate.set()
    errand.result()
    ends = list(Execution.objects.order_by("pk").values_list("status", "messages"))
    assert ends == [(Status.SUCCEEDED, []), (Status.FAILED, ["stopped at its time limit of 1 s"])]


def test_ends_are_written_on_after_one_whose_caller_fails(scripted: Scripted) -> None:
    first, second = two_endings(scripted)
    ender, told, written = Ender(executions.finish_many), threading.Event(), threading.Event()

    def fail() -> None:
        told.set()
        raise ZeroDivisionError

    ender.add(first, fail)
    assert told.wait(PATIENCE)
    ender.add(second, written.set)
    assert written.wait(PATIENCE)
    terminate_all_others()
    assert set(Execution.objects.values_list("status", flat=True)) == {Status.SUCCEEDED}


def test_ends_are_written_on_whatever_the_writing_raises(scripted: Scripted) -> None:
    first, second = two_endings(scripted)
    raised: list[int] = []

    def write(endings: list[Ending]) -> None:
        if not raised:
            raised.append(1)
            raise SystemExit
        executions.finish_many(endings)

    ender, written = Ender(write), [threading.Event(), threading.Event()]
    for ending, event in zip([first, second], written, strict=True):
        ender.add(ending, event.set)
    assert [event.wait(PATIENCE) for event in written] == [True, True]
    terminate_all_others()
    assert set(Execution.objects.values_list("status", flat=True)) == {Status.SUCCEEDED}
