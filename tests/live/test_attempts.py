"""Two attempts of one run in the same worker process: the old one, which was lost, takes nothing from the new one."""

import signal
from typing import Any

import pytest

from scheduler import jobs
from scheduler.models import Attempt, Execution, Status
from tests.live.watching import a_gate, effects, ended, open_gate, pass_seconds, running
from tests.processes import Processes
from tests.scheduler.factories import a_job
from tests.waiting import wait_for

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

LEASE_SECONDS = 3
QUICK: Any = {"SCHEDULER_LEASE_SECONDS": str(LEASE_SECONDS)}


def test_a_worker_that_wakes_and_runs_the_next_attempt_itself_keeps_it(processes: Processes) -> None:
    gate = a_gate("g")
    execution = jobs.run_now(a_job(arguments={"gate": gate, "deaf": True}, max_retries=3), by="tester")
    worker = processes.worker(**QUICK)
    processes.beats(1, **QUICK)
    running(execution.pk)
    worker.send(signal.SIGSTOP)
    wait_for(lambda: Attempt.objects.exists(), what="the first attempt rescued")
    worker.send(signal.SIGCONT)
    wait_for(lambda: effects()[execution.pk, 2], what="the second attempt, in the same worker")
    worker.wait_for_line(r"run\.abandoned")
    # Long enough for a lease that nobody renews to run out, and for a third attempt.
    pass_seconds(2 * LEASE_SECONDS)
    open_gate(gate)
    assert ended(execution.pk) == {execution.pk: Status.SUCCEEDED}
    assert Execution.objects.values_list("attempt", "rescues").get() == (2, 1)
    assert effects() == {(execution.pk, 1): 1, (execution.pk, 2): 1}
