"""A worker killed while a hundred runs a second flow: each run ends once, and what was lost says so."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models import Max

from scheduler import clock, jobs
from scheduler.models import Attempt, Execution, Status
from tests.live.watching import (
    SECONDLY,
    a_gate,
    claimed_up_to,
    effects,
    open_gate,
    pass_seconds,
    running,
    without_gap,
)
from tests.processes import Processes
from tests.scheduler.factories import a_job, counted, counters
from tests.waiting import wait_for

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]


def test_a_worker_killed_under_a_hundred_runs_a_second_costs_what_it_held_an_attempt_and_nothing_else(
    processes: Processes,
) -> None:
    gate = a_gate("g")
    held = [
        jobs.run_now(a_job(arguments={"gate": gate}, max_retries=retries), by="tester").pk for retries in (0, 0, 1, 1)
    ]
    victim = processes.worker(concurrency=8)
    running(*held, deadline=60)
    made = [a_job(expression=SECONDLY, overlap="allow", max_retries=number % 2) for number in range(100)]
    processes.worker(concurrency=8)
    processes.beats(2)
    claimed_up_to(made, pass_seconds(2), deadline=60)
    victim.kill()
    killed = clock.exact_now()
    leases = Execution.objects.filter(pk__in=held).aggregate(last=Max("lease_until"))["last"]
    # What the beats go by: the last lease of the dead.
    assert leases - killed <= timedelta(seconds=settings.SCHEDULER_LEASE_SECONDS)
    claimed_up_to(made, pass_seconds(1), deadline=60)
    for job in made:
        jobs.deactivate(job, by="tester")
    wait_for(lambda: not Execution.objects.filter(pk__in=held, attempt=1, status=1).exists(), deadline=60)
    open_gate(gate)
    wait_for(lambda: not Execution.objects.open().exists(), deadline=60, what="the ends of all runs")
    assert all(without_gap(job) for job in made)
    assert all(counters(job) == counted(job) for job in made)
    failed = dict(Execution.objects.filter(status=Status.FAILED).values_list("pk", "worker"))
    tried_again = dict(Attempt.objects.values_list("execution_id", "worker"))
    assert set(held) <= failed.keys() | tried_again.keys()
    for pk, worker in (failed | tried_again).items():
        [message] = (
            Execution.objects.get(pk=pk).messages if pk in failed else [Attempt.objects.get(execution_id=pk).message]
        )
        assert (message, f":{victim.pid}:" in str(worker)) == (
            f"worker {worker} was lost during attempt 1: its lease ran out",
            True,
        )
    ends = {(pk, *end) for pk, *end in Execution.objects.values_list("pk", "status", "attempt", "job__max_retries")}
    assert ends == {
        (pk, Status.FAILED, 1, 0) if pk in failed else (pk, Status.SUCCEEDED, 2 if pk in tried_again else 1, retries)
        for pk, _, _, retries in ends
    }
    # The lost ones may have done their work or not, the others have, and nobody twice.
    done = effects()
    assert set(done.values()) == {1}
    assert done.keys() >= {(pk, attempt) for pk, status, attempt, _ in ends if status == Status.SUCCEEDED}
