"""Runs beside each other in the lanes of one worker process: one that misbehaves costs the others nothing."""

import threading
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection

from scheduler import clock, executions, jobs, runner
from scheduler.job_types import Outcome, RunContext
from scheduler.lanes import Lanes
from scheduler.models import Execution, Status
from scheduler.run import Stop
from tests.scheduler.factories import counted, counters
from tests.scheduler.scripted import Scripted, a_scripted_job, terminate_all_others, until_interrupted
from tests.scheduler.threads import in_thread
from tests.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lanes(scripted: Scripted) -> Iterator[Lanes]:
    """Three lanes, whose threads outlive the test but not their database connections."""
    yield runner.lanes(3)
    terminate_all_others()


def test_lanes_run_what_is_queued_once(scripted: Scripted, lanes: Lanes) -> None:
    done: list[int] = []

    def work(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        done.append(context.execution_id)
        return Outcome(Status.SUCCEEDED)

    scripted.work = work
    job = a_scripted_job(overlap="allow")
    ids = [jobs.run_now(job, by="tester").pk for _ in range(20)]
    parts = (ids[:15], ids[5:], [*ids[:3], *ids[:3], 10**12])
    errands = [in_thread(partial(lanes.run, part)) for part in parts]
    for errand in errands:
        errand.result()
    assert sorted(done) == ids
    assert counters(job) == counted(job) == (0, 20, 20, 0, 0)


def test_one_end_that_cannot_be_written_costs_the_others_nothing(
    scripted: Scripted, lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = a_scripted_job(overlap="allow")
    ids = [jobs.run_now(job, by="tester").pk for _ in range(6)]
    write = executions.finish_many
    poison = ids[2]

    def refusing(endings: Any) -> list[bool]:
        if any(ending.run.execution_id == poison and ending.outcome.messages == ("poison",) for ending in endings):
            with connection.cursor() as cursor:
                cursor.execute("SELECT 'x'::int")
        return write(endings)

    monkeypatch.setattr(executions, "finish_many", refusing)
    scripted.work = lambda arguments, context: Outcome(
        Status.SUCCEEDED, ("poison",) if context.execution_id == poison else ("fine",)
    )
    in_thread(lambda: lanes.run(ids)).result()
    ends = dict(Execution.objects.values_list("pk", "status"))
    assert ends == {pk: Status.FAILED if pk == poison else Status.SUCCEEDED for pk in ids}
    assert Execution.objects.get(pk=poison).messages[0] == "the end of the run could not be recorded"


def test_lanes_go_on_after_all_connections_died(scripted: Scripted, lanes: Lanes) -> None:
    job = a_scripted_job(overlap="allow")

    def look(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        clock.now()
        return Outcome(Status.SUCCEEDED)

    scripted.work = look
    first = [jobs.run_now(job, by="tester").pk for _ in range(6)]
    in_thread(lambda: lanes.run(first)).result()
    terminate_all_others()

    def again() -> bool:
        ids = [jobs.run_now(job, by="tester").pk for _ in range(6)]
        in_thread(lambda: lanes.run(ids)).result()
        return not Execution.objects.filter(pk__in=ids).exclude(status=Status.SUCCEEDED).exists()

    wait_for(again, what="lanes that run everything again")
    assert not Execution.objects.filter(status=Status.RUNNING).exists()


def test_lanes_are_healthy_after_runs_that_had_to_be_interrupted(scripted: Scripted, lanes: Lanes) -> None:
    scripted.work = until_interrupted
    job = a_scripted_job(overlap="allow", timeout_seconds=1)
    ids = [jobs.run_now(job, by="tester").pk for _ in range(3)]
    in_thread(lambda: lanes.run(ids)).result()
    assert set(Execution.objects.values_list("status", flat=True)) == {Status.FAILED}
    scripted.work = lambda arguments, context: Outcome(Status.SUCCEEDED)
    more = [jobs.run_now(job, by="tester").pk for _ in range(9)]
    in_thread(lambda: lanes.run(more)).result()
    assert set(Execution.objects.filter(pk__in=more).values_list("status", flat=True)) == {Status.SUCCEEDED}


@pytest.mark.usefixtures("ahead")
def test_runs_that_could_not_be_handed_on_at_first_lose_neither_their_lease_nor_an_attempt(
    hold_over: threading.Event, scripted: Scripted, lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = a_scripted_job(overlap="allow")
    held: list[int] = []
    gate, hand_on = threading.Event(), executions.hand_on
    handed_on, begun = threading.Event(), threading.Barrier(4)

    def answer_lost(ids: Any, runs: Any) -> None:
        if runs and not held:
            held.extend(run.execution_id for run in runs)
            # It has been committed, and who asked does not learn it.
            hand_on(ids, runs)
            raise OperationalError("the server closed the connection unexpectedly")
        assert {run.execution_id for run in runs} <= {run.execution_id for run in runner.heart.held}
        hand_on(ids, runs)
        handed_on.set()

    def work(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        begun.wait(PATIENCE)
        assert gate.wait(PATIENCE)
        return Outcome(Status.SUCCEEDED)

    monkeypatch.setattr(executions, "hand_on", answer_lost)
    scripted.work = work
    ids = [jobs.run_now(job, by="tester").pk for _ in range(60)]
    errand = in_thread(lambda: lanes.run(ids))
    begun.wait(PATIENCE)
    hold_over.set()
    assert handed_on.wait(PATIENCE)
    gate.set()
    errand.result()
    queued = list(Execution.objects.filter(status=Status.QUEUED).order_by("pk").values_list("pk", flat=True))
    assert (len(held), sorted(held)) == (57, queued)
    scripted.work = lambda arguments, context: Outcome(Status.SUCCEEDED)
    runner.run_all(queued)
    assert set(Execution.objects.filter(pk__in=ids).values_list("status", "attempt")) == {(Status.SUCCEEDED, 1)}
    assert counters(job) == counted(job) == (0, 60, 60, 0, 0)


def test_a_run_that_was_told_to_stop_before_it_began_is_not_begun(scripted: Scripted) -> None:
    begun: list[int] = []
    scripted.work = lambda arguments, context: begun.append(context.execution_id)
    [run] = runner.start([jobs.run_now(a_scripted_job(), by="tester").pk])
    run.stop(Stop.CANCELLED)
    runner.work(run, then_end=runner._finish_at_once)
    execution = Execution.objects.get()
    assert (begun, execution.status, execution.messages) == ([], Status.CANCELLED, ["cancelled while running"])
