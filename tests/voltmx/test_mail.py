"""Mail on failure, told from the outbox through a real SMTP server."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from scheduler import executions, jobs, notices, runner
from scheduler.models import Execution, Job, Notice, Status
from tests.processes import free_port
from tests.scheduler.factories import lapse, make_ready
from tests.voltmx.wire import Wire, sample
from voltmx.demo.server import FoundryServer

pytestmark = pytest.mark.django_db(transaction=True)
OPS = {"onFailure": ["ops@example.com", "ada@example.com"]}


class Inbox:
    """What the SMTP server took."""

    def __init__(self) -> None:
        self.envelopes: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.envelopes.append(envelope)
        return "250 OK"


@pytest.fixture
def inbox(settings: Any) -> Iterator[Inbox]:
    handler = Inbox()
    port = free_port()
    server = Controller(handler, hostname="127.0.0.1", port=port)
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    yield handler
    server.stop()


def a_job(wire: Wire, *, mails: Any = OPS, name: str = "nightly", **info: Any) -> Job:
    """The sample as a job, with members of ``jobServiceInfo`` changed and mails asked for."""
    wire.create(sample(info=info, jobName=name, emailNotifications=mails))
    return Job.objects.get(name=name)


def ran(job: Job) -> Execution:
    """A run of the job, done in this process."""
    execution = jobs.run_now(job, by="admin")
    runner.run_all([execution.pk])
    execution.refresh_from_db()
    return execution


def test_a_failure_is_told_to_everybody_the_job_names(foundry: FoundryServer, inbox: Inbox, wire: Wire) -> None:
    execution = ran(jobs.update(a_job(wire, operationName="failing"), {"name": "a\r\nBcc: evil@example.com"}, by="x"))
    assert (execution.messages, inbox.envelopes) == (["opstatus 8009: the backend said no"], [])
    assert (notices.tell_all(), notices.tell_all()) == (1, 0)
    [envelope] = inbox.envelopes
    mail = message_from_bytes(envelope.content, policy=policy.default)
    assert envelope.rcpt_tos == ["ops@example.com", "ada@example.com"]
    assert (mail["Subject"], mail["To"]) == ("Job a Bcc: evil@example.com failed", "ops@example.com, ada@example.com")
    body = mail.get_content()
    assert "Run 1 of the job" in body
    assert "Reason: opstatus 8009: the backend said no" in body


def test_a_success_is_told_to_nobody(foundry: FoundryServer, inbox: Inbox, wire: Wire) -> None:
    assert ran(a_job(wire)).status == Status.SUCCEEDED
    assert (Notice.objects.count(), notices.tell_all(), inbox.envelopes) == (0, 0, [])


def test_nobody_is_told_where_the_job_names_nobody(foundry: FoundryServer, inbox: Inbox, wire: Wire) -> None:
    assert ran(a_job(wire, mails=None, operationName="failing")).status == Status.FAILED
    assert (notices.tell_all(), inbox.envelopes) == (1, [])


def test_only_the_last_attempt_is_told(foundry: FoundryServer, inbox: Inbox, wire: Wire) -> None:
    job = jobs.update(a_job(wire, serviceName="faults", operationName="status-503"), {"max_retries": 1}, by="admin")
    execution = ran(job)
    assert (execution.status, notices.tell_all()) == (Status.QUEUED, 0)
    make_ready(execution.pk)
    runner.run_all([execution.pk])
    assert (notices.tell_all(), len(inbox.envelopes)) == (1, 1)


def test_a_run_whose_worker_was_lost_is_told(inbox: Inbox, wire: Wire) -> None:
    execution = jobs.run_now(a_job(wire), by="admin")
    executions.start([execution.pk], worker="worker-1")
    lapse(execution.pk)
    assert (executions.rescue(), notices.tell_all()) == (1, 1)
    [envelope] = inbox.envelopes
    assert b"worker worker-1 was lost during attempt 1" in envelope.content


def test_a_cancelled_run_is_told_to_nobody(inbox: Inbox, wire: Wire) -> None:
    execution = jobs.run_now(a_job(wire), by="admin")
    assert executions.cancel(execution, by="admin")
    assert (notices.tell_all(), inbox.envelopes) == (1, [])


def test_a_mail_server_that_is_gone_is_tried_again_and_at_last_noted_with_the_run(
    foundry: FoundryServer, inbox: Inbox, wire: Wire, settings: Any
) -> None:
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, free_port()
    execution = ran(a_job(wire, operationName="failing"))
    assert (notices.tell_all(), Notice.objects.get().attempts) == (0, 1)
    Notice.objects.update(attempts=notices.MOST_ATTEMPTS - 1, due_at=execution.created_at)
    assert (notices.tell_all(), Notice.objects.count()) == (1, 0)
    execution.refresh_from_db()
    assert (execution.status, execution.messages) == (
        Status.FAILED,
        [
            "opstatus 8009: the backend said no",
            "the e-mail about this failure could not be sent: ConnectionRefusedError",
        ],
    )
    settings.EMAIL_PORT = port
    assert (notices.tell_all(), inbox.envelopes) == (0, [])


def test_a_mail_server_that_comes_back_gets_the_mail(
    foundry: FoundryServer, inbox: Inbox, wire: Wire, settings: Any
) -> None:
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, free_port()
    execution = ran(a_job(wire, operationName="failing"))
    assert notices.tell_all() == 0
    settings.EMAIL_PORT = port
    Notice.objects.update(due_at=execution.created_at)
    assert (notices.tell_all(), len(inbox.envelopes), Notice.objects.count()) == (1, 1, 0)
