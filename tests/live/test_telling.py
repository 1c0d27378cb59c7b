"""Ends of runs are told whatever dies: the worker that ran them, the beat that tells."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from scheduler import executions, jobs
from scheduler.job_types import Outcome
from scheduler.models import Execution, Job, Notice, Status
from tests.live.watching import ended
from tests.processes import Processes, free_port
from tests.scheduler.factories import YEARLY, a_definition
from tests.voltmx.wire import sample
from tests.waiting import PATIENCE, wait_for
from voltmx.arguments import read

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]
QUICK = {"SCHEDULER_LEASE_SECONDS": "3"}


class Mailbox:
    """A mail server that takes mail at once, or holds the sender until ``open``."""

    def __init__(self) -> None:
        self.subjects: list[str] = []
        self.entered, self.open = threading.Event(), threading.Event()
        self.open.set()
        self.port = free_port()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.entered.set()
        await asyncio.get_running_loop().run_in_executor(None, self.open.wait, 60)
        lines = envelope.content.decode().splitlines()
        self.subjects += [line for line in lines if line.startswith("Subject:")]
        return "250 OK"

    @property
    def environment(self) -> Any:
        return {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(self.port), **QUICK}


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=box.port)
    server.start()
    yield box
    box.open.set()
    server.stop()


def a_service_job() -> Job:
    wire = {"jobServiceInfo": sample()["jobServiceInfo"], "emailNotifications": {"onFailure": ["ops@example.com"]}}
    definition = a_definition(name="nightly", expression=YEARLY, arguments=read(wire).stored())
    return jobs.create("voltmx", definition, by="tester")


def nothing_to_tell() -> bool:
    return not Notice.objects.exists()


def test_a_run_whose_worker_was_killed_is_told_by_mail_once(processes: Processes, mailbox: Mailbox) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        silent.settimeout(PATIENCE)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        execution = jobs.run_now(a_service_job(), by="tester")
        worker = processes.worker(concurrency=1, VOLTMX_SERVER_URL=address, **mailbox.environment)
        call, _ = silent.accept()
        worker.kill()
        call.close()
    processes.beats(2, **mailbox.environment)
    assert ended(execution.pk) == {execution.pk: Status.FAILED}
    wait_for(lambda: mailbox.subjects and nothing_to_tell(), what="the mail")
    assert mailbox.subjects == ["Subject: Job nightly failed"]


def test_what_a_killed_beat_was_telling_is_told_by_another(processes: Processes, mailbox: Mailbox) -> None:
    mailbox.open.clear()
    execution = jobs.run_now(a_service_job(), by="tester")
    [run] = executions.start([execution.pk], worker="worker-1")
    assert executions.finish(run, Outcome(Status.FAILED, ("no",)))
    victim = processes.beat(**mailbox.environment)
    assert mailbox.entered.wait(PATIENCE)
    victim.kill()
    assert Notice.objects.get().attempts == 1
    mailbox.open.set()
    processes.beat(**mailbox.environment)
    wait_for(nothing_to_tell, what="the notice is told")
    # What the killed beat had handed over is delivered too: told at least once.
    assert set(mailbox.subjects) == {"Subject: Job nightly failed"}
    assert Execution.objects.get().messages == ["no"]
