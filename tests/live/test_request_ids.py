"""The id of a request goes over to the worker that runs what it asked for, in processes of both kinds."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from scheduler.models import Execution, Status
from tests.processes import LiveProcess, Processes
from tests.scheduler.factories import a_job
from tests.waiting import wait_for

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]


def told(process: LiveProcess, request_id: str) -> list[tuple[Any, Any]]:
    """Of each JSON line with that id: its verb and the number of its run."""
    lines = [json.loads(line) for line in process.output.splitlines() if line.startswith("{")]
    return [(line["event"], line.get("execution")) for line in lines if line.get("request_id") == request_id]


def test_the_lines_of_a_worker_have_the_id_of_the_request(processes: Processes) -> None:
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss", "", "secret"))
    for place, (queue, pool) in enumerate((("services", "threads"), ("inference", "prefork"))):
        worker = processes.worker(queues=queue, pool=pool, concurrency=1, LOG_FORMAT="json")
        job = a_job(queue=queue)
        boss.post(f"/admin/scheduler/job/{job.pk}/run/", headers={"X-Request-ID": f"trace-{place}"})
        execution = Execution.objects.get(request_id=f"trace-{place}")
        wait_for(lambda pk=execution.pk: Execution.objects.get(pk=pk).status == Status.SUCCEEDED)  # type: ignore[misc]
        worker.wait_for_line("run.finished")
        assert told(worker, f"trace-{place}") == [("run.started", 1), ("run.finished", 1)]
