"""Runs that do not stop when they are told to: what becomes of them, of their threads, and of the runs beside them."""

import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from scheduler import heart, jobs, runner
from scheduler.job_types import Outcome, RunContext
from scheduler.models import Execution, Status
from scheduler.run import Run, Stop
from tests.scheduler.scripted import Scripted, a_scripted_job, terminate_all_others
from tests.scheduler.threads import in_thread
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 60.0


@pytest.fixture(autouse=True)
def impatient(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A heart that interrupts often and gives up soon; lanes' threads outlive a test, their connections do not."""
    monkeypatch.setattr(heart, "INTERRUPT_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(heart, "GIVE_UP_AFTER_SECONDS", 0.2)
    yield
    terminate_all_others()


class Swallowing:
    """What Python ignores interruptions in: a destructor, which lasts until one came."""

    def __init__(self, swallowed: threading.Event) -> None:
        self.swallowed = swallowed

    def __del__(self) -> None:
        pause = threading.Event()
        while not self.swallowed.is_set():
            pause.wait(0.01)


def test_a_run_is_interrupted_again_where_python_ignored_the_first_time(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    swallowed = threading.Event()
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: swallowed.set())

    def work(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        Swallowing(swallowed)
        pause = threading.Event()
        while True:
            pause.wait(0.01)

    scripted.work = work
    execution = jobs.run_now(a_scripted_job(timeout_seconds=1), by="tester")
    # Without a thread that came back it would never end.
    assert in_thread(lambda: runner.run_all([execution.pk])).result(deadline=PATIENCE) == 1
    assert swallowed.is_set()
    execution.refresh_from_db()
    assert (execution.status, execution.messages) == (Status.FAILED, ["stopped at its time limit of 1 s"])


def test_runs_stuck_where_nothing_interrupts_them_cost_the_worker_no_lane(scripted: Scripted) -> None:
    gate, full = threading.Event(), threading.Event()

    def work(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        if arguments:
            # Waits in C, without a time limit.
            gate.wait()
        return Outcome(Status.SUCCEEDED)

    scripted.work = work
    lanes = runner.lanes(2, full=full.set)
    stuck = a_scripted_job(overlap="allow", timeout_seconds=1, arguments={"stuck": True})
    well = a_scripted_job(overlap="allow")
    try:
        ids = [jobs.run_now(stuck, by="tester").pk for _ in range(2)]
        in_thread(lambda: lanes.run(ids)).result(deadline=PATIENCE)
        # As many are stuck as there are lanes: the process is to leave. Until then it works on.
        assert full.wait(PATIENCE)
        assert lanes.stuck == 2
        more = [jobs.run_now(well, by="tester").pk for _ in range(9)]
        in_thread(lambda: lanes.run(more)).result(deadline=PATIENCE)
    finally:
        gate.set()
    # What comes back late changes nothing, and its thread ends.
    wait_for(lambda: not lanes.stuck, deadline=PATIENCE, what="the ends of the threads that were stuck")
    ends = Execution.objects.order_by("pk").values_list("status", "attempt")
    assert list(ends) == [(Status.FAILED, 1)] * 2 + [(Status.SUCCEEDED, 1)] * 9


def test_an_action_on_cancel_that_blocks_costs_no_other_run_its_lease(scripted: Scripted) -> None:
    blocked, free, over = threading.Event(), threading.Event(), threading.Event()

    def block() -> None:
        blocked.set()
        free.wait(2 * PATIENCE)
        over.set()

    ids = [jobs.run_now(a_scripted_job(), by="tester").pk for _ in range(2)]
    cancelled, other = runner.start(ids)
    cancelled.on_cancel(block)
    Execution.objects.filter(pk=cancelled.execution_id).update(cancel_requested=True)
    try:
        assert blocked.wait(PATIENCE)
        before = lease_of(other)
        wait_for(lambda: lease_of(other) > before, deadline=PATIENCE, what="a lease renewed meanwhile")
        assert not over.is_set()
        # Nor does it keep the run from being ended without it.
        wait_for(lambda: cancelled not in runner.heart.held, deadline=PATIENCE, what="the end of the cancelled run")
    finally:
        free.set()
        runner.heart.drop(other)
    assert cancelled.stop_reason is Stop.CANCELLED
    assert Execution.objects.get(pk=cancelled.execution_id).status == Status.CANCELLED


def lease_of(run: Run) -> Any:
    return Execution.objects.values_list("lease_until", flat=True).get(pk=run.execution_id)
