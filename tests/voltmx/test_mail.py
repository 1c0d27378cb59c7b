"""Mail on failure, through a real SMTP server."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from scheduler import job_types, jobs
from scheduler.job_types import Outcome, RunCancelled
from scheduler.models import Job, Status
from tests.processes import free_port
from tests.voltmx.wire import Run, Wire, sample
from voltmx.arguments import read
from voltmx.demo.server import FoundryServer

pytestmark = pytest.mark.django_db
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


def run(context: Run, *, mails: Any = OPS, **info: Any) -> Outcome:
    """The outcome of running the sample with members of ``jobServiceInfo`` changed and mails asked for."""
    wire = {"jobServiceInfo": sample(info=info)["jobServiceInfo"], "emailNotifications": mails}
    return job_types.get("voltmx").run(read(wire).stored(), context)


def test_a_failure_is_told_to_everybody_the_job_names(foundry: FoundryServer, inbox: Inbox) -> None:
    context = Run()
    context.job_name, context.number = "nightly\r\nBcc: evil@example.com", 7
    outcome = run(context, operationName="failing")
    [envelope] = inbox.envelopes
    mail = message_from_bytes(envelope.content, policy=policy.default)
    assert envelope.rcpt_tos == ["ops@example.com", "ada@example.com"]
    assert (mail["Subject"], mail["To"]) == (
        "Job nightly Bcc: evil@example.com failed",
        "ops@example.com, ada@example.com",
    )
    body = mail.get_content()
    assert "Run 7 of the job" in body
    assert "Reason: opstatus 8009: the backend said no" in body
    assert outcome.messages == ("opstatus 8009: the backend said no",)


def test_a_success_is_told_to_nobody(foundry: FoundryServer, inbox: Inbox) -> None:
    assert run(Run()).status is Status.SUCCEEDED
    assert inbox.envelopes == []


def test_nobody_is_told_where_the_job_names_nobody(foundry: FoundryServer, inbox: Inbox) -> None:
    assert run(Run(), mails=None, operationName="failing").status is Status.FAILED
    assert inbox.envelopes == []


def test_only_the_last_attempt_is_told(foundry: FoundryServer, inbox: Inbox, wire: Wire) -> None:
    wire.create(sample())
    job = jobs.update(Job.objects.get(), {"max_retries": 1}, by="admin")
    for attempt, mails in ((1, 0), (2, 1)):
        context = Run()
        context.job_pk, context.attempt = job.pk, attempt
        assert run(context, serviceName="faults", operationName="status-503").retryable
        assert len(inbox.envelopes) == mails


@pytest.mark.parametrize(("left", "mails"), [(0.0, 1), (20.0, 0)])
def test_a_run_stopped_at_its_time_limit_is_told_and_a_cancelled_one_is_not(
    foundry: FoundryServer, inbox: Inbox, left: float, mails: int
) -> None:
    context = Run(seconds=left)
    context.cancel()
    with pytest.raises(RunCancelled):
        run(context)
    assert len(inbox.envelopes) == mails


def test_a_mail_server_that_is_gone_does_not_change_the_outcome(foundry: FoundryServer, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    outcome = run(Run(), operationName="failing")
    assert outcome.status is Status.FAILED
    assert outcome.messages == (
        "opstatus 8009: the backend said no",
        "the e-mail about this failure could not be sent: ConnectionRefusedError",
    )
