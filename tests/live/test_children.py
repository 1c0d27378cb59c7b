"""Workers whose pool has processes: what a message names beyond what its child has begun is handed back."""

import signal
from typing import Any

import pytest
from redis import Redis

from scheduler import jobs, messages
from scheduler.models import Execution, Status
from tests.live.watching import a_gate, effects, ended, handed_back, open_gate, running
from tests.processes import Processes
from tests.scheduler.factories import a_job

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]


def test_a_child_asked_to_stop_hands_back_what_it_has_not_begun(processes: Processes, broker: Redis) -> None:
    gate = a_gate("g")
    gated = jobs.run_now(a_job(arguments={"gate": gate}), by="tester").pk
    others = [jobs.run_now(a_job(), by="tester").pk for _ in range(4)]
    broker.flushdb()
    broker.lpush(messages.key_of("services", 5), messages.encode([gated, *others], "services", 5))
    # Patient, so that a busy machine may take its time to start the others. Of itself it would keep them all along.
    patient: Any = {"SCHEDULER_SHUTDOWN_SECONDS": "60", "PROBE_HOLD_SECONDS": "600"}
    stopping = processes.worker(pool="prefork", concurrency=1, **patient)
    running(gated)
    stopping.send(signal.SIGTERM)
    handed_back(*others)
    processes.beats(1)
    processes.worker(pool="prefork", concurrency=1)
    assert set(ended(*others).values()) == {Status.SUCCEEDED}
    assert Execution.objects.get(pk=gated).status == Status.RUNNING
    open_gate(gate)
    assert ended(gated) == {gated: Status.SUCCEEDED}
    assert stopping.wait() == 0
    assert effects() == {(pk, 1): 1 for pk in (gated, *others)}
