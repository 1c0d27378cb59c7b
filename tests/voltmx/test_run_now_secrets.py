"""A run now with arguments of its own keeps its secrets as a job keeps its own."""

from __future__ import annotations

from scheduler import jobs
from scheduler.models import Execution, Job
from tests.voltmx.wire import Wire, sample

LOGIN = {"type": "ADMIN", "appKey": "k", "appSecret": "swordfish", "username": "ada", "password": "p4ssw0rd"}


def test_a_secret_typed_for_one_run_is_not_stored_in_the_clear(wire: Wire) -> None:
    wire.create(sample())
    job = Job.objects.get(kind="voltmx")
    jobs.run_now(job, by="tester", arguments={**job.arguments, "authentication": LOGIN})
    stored = str(Execution.objects.get().arguments)
    assert ("swordfish" in stored, "p4ssw0rd" in stored) == (False, False)
