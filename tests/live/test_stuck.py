"""Work that is stuck in a library's C code, where nothing interrupts it: the run ends, and its place is not lost."""

from typing import Any

import pytest

from scheduler import jobs
from scheduler.models import Execution, Status
from tests.live.watching import ended
from tests.processes import LiveProcess, Processes
from tests.scheduler.factories import a_job

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

POOLS = ("threads", "prefork")


def is_replaced(worker: LiveProcess, processes: Processes, pool: str, *, code: int) -> None:
    """A worker of threads has ended, for its supervisor to start it again; one of processes has another child."""
    if pool == "threads":
        assert worker.wait(deadline=60) == code
        processes.worker(pool=pool, concurrency=1)
    healthy = jobs.run_now(a_job(), by="tester")
    assert ended(healthy.pk, deadline=60) == {healthy.pk: Status.SUCCEEDED}
    assert worker.returncode == (code if pool == "threads" else None)


@pytest.mark.parametrize("pool", POOLS)
def test_a_run_that_is_stuck_fails_at_its_limit_and_its_process_ends_in_order(processes: Processes, pool: str) -> None:
    stuck = jobs.run_now(a_job(arguments={"stuck": "free"}, timeout_seconds=1), by="tester")
    worker = processes.worker(pool=pool, concurrency=1, PROBE_GIVE_UP_SECONDS="0", SCHEDULER_SHUTDOWN_SECONDS="1")
    # Publishes again what the process had taken on its way out.
    processes.beats(1)
    assert ended(stuck.pk, deadline=60) == {stuck.pk: Status.FAILED}
    assert Execution.objects.get(pk=stuck.pk).messages == ["stopped at its time limit of 1 s"]
    worker.wait_for_line(r"worker\.leaves", deadline=60)
    is_replaced(worker, processes, pool, code=0)


@pytest.mark.parametrize("pool", POOLS)
def test_a_process_in_which_no_python_runs_any_more_loses_its_runs_and_is_ended(
    processes: Processes, pool: str
) -> None:
    stuck = jobs.run_now(a_job(arguments={"stuck": "held"}), by="tester")
    quick: Any = {"SCHEDULER_LEASE_SECONDS": "3", "SCHEDULER_STANDSTILL_SECONDS": "6"}
    worker = processes.worker(pool=pool, concurrency=1, **quick)
    processes.beats(1, **quick)
    assert ended(stuck.pk, deadline=60) == {stuck.pk: Status.FAILED}
    [message] = Execution.objects.get(pk=stuck.pk).messages
    assert message.endswith("was lost during attempt 1: its lease ran out")
    # It says where.
    worker.wait_for_line(r"probe/job_type\.py\", line \d+ in run", deadline=60)
    is_replaced(worker, processes, pool, code=1)
