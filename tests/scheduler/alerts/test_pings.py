"""Ping URLs: called after each success, by a beat."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from scheduler import clock, executions, notices
from scheduler.alerts import deliveries, pings
from scheduler.alerts.pings import PingFailed
from scheduler.alerts.watched import watched
from scheduler.job_types import Outcome
from scheduler.models import Delivery, Job, Notice, Ping, Status
from scheduler.transport import Line
from tests.scheduler.alerts.conftest import Receiver
from tests.scheduler.alerts.factories import ends, settle
from tests.scheduler.factories import a_job, started

pytestmark = pytest.mark.django_db


def a_pinged_job(url: str, **changes: Any) -> Job:
    job = a_job(overlap="allow")
    Ping.objects.create(job=job, url=url, **changes)
    watched.forget()
    return job


def test_each_success_calls_the_url_and_a_failure_does_not(receiver: Receiver) -> None:
    job = a_pinged_job(receiver.url)
    for status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.WARNED):
        ends(job, status)
        deliveries.deliver_all()
    assert receiver.paths == ["/ping/5ecret", "/ping/5ecret"]
    ping = Ping.objects.get()
    assert (ping.last_at is not None, ping.last_problem, Delivery.objects.count()) == (True, "", 0)


def test_a_failure_is_told_where_that_is_wanted(receiver: Receiver) -> None:
    ends(a_pinged_job(f"{receiver.url}?x=1", tell_failure=True), Status.FAILED)
    deliveries.deliver_all()
    assert receiver.paths == ["/ping/5ecret/fail?x=1"]


def test_jobs_without_a_url_put_nothing_into_the_outbox(receiver: Receiver) -> None:
    pinged, other = a_pinged_job(receiver.url), a_job()
    for job in (pinged, other):
        assert executions.finish(started(job), Outcome(Status.SUCCEEDED))
    assert Notice.objects.count() == 1


def test_calls_that_wait_are_one_call(receiver: Receiver) -> None:
    job = a_pinged_job(receiver.url, tell_failure=True)
    ends(job, Status.FAILED, Status.SUCCEEDED, Status.SUCCEEDED)
    assert deliveries.deliver_all() == 1
    assert receiver.paths == ["/ping/5ecret"]


def test_a_run_that_ends_while_its_job_s_url_is_called_is_told_too(receiver: Receiver) -> None:
    job = a_pinged_job(receiver.url)
    ends(job, Status.SUCCEEDED)
    taken = deliveries.take()
    ends(job, Status.SUCCEEDED)
    assert (deliveries._deliver(taken), deliveries.deliver_all(), len(receiver.seen)) == (0, 1, 2)


def test_a_server_that_is_away_is_called_again(receiver: Receiver) -> None:
    receiver.status = 500
    ends(a_pinged_job(receiver.url), Status.SUCCEEDED)
    settle()
    ping = Ping.objects.get()
    assert (ping.last_at, ping.last_problem) == (None, "it answered with HTTP status 500")
    receiver.status = 200
    Delivery.objects.update(due_at=clock.now())
    assert deliveries.deliver_all() == 1
    assert (Ping.objects.get().last_problem, len(receiver.seen)) == ("", 2)


def test_a_redirect_is_followed_on_the_same_host_alone(receiver: Receiver) -> None:
    receiver.status, receiver.location = 302, "http://127.0.0.2:9/elsewhere"
    with pytest.raises(PingFailed, match="redirects to another host"):
        pings.call(receiver.url, failed=False, line=Line())
    receiver.location = "/next"
    with pytest.raises(PingFailed, match="HTTP status 302"):
        pings.call(receiver.url, failed=False, line=Line())
    assert receiver.paths == ["/ping/5ecret", "/ping/5ecret", "/next", "/next", "/next"]


def test_a_call_that_takes_too_long_is_cut(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "SEND_SECONDS", 0.3)
    receiver.open.clear()
    ends(a_pinged_job(receiver.url), Status.SUCCEEDED)
    assert deliveries.deliver_all() == 0
    assert Delivery.objects.get().attempts == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://x/",
        "http://",
        "http://user:pw@host/",
        "http://host/#x",
        "http://host:0/",
        "http://ho st/",
        "http://hö.example/",
        "http://169.254.169.254/latest",
        "http://[fe80::1]/",
        "http://2852039166/",
        "https://host/" + "a" * 500,
    ],
)
def test_a_url_that_must_not_be_called_is_refused(url: str) -> None:
    with pytest.raises(PingFailed):
        pings.check(url)


def test_a_name_that_leads_elsewhere_since_it_was_checked_is_not_called(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = receiver.url.replace("127.0.0.1", "rebound.example")
    metadata = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: metadata)
    with pytest.raises(PingFailed, match="link-local"):
        pings.call(url, failed=False, line=Line())
    assert receiver.seen == []


def test_a_success_is_noticed_once_however_often_the_worker_says_so(receiver: Receiver) -> None:
    run = started(a_pinged_job(receiver.url))
    assert [executions.finish(run, Outcome(Status.SUCCEEDED)) for _ in range(2)] == [True, False]
    assert (notices.tell_all(), deliveries.deliver_all(), len(receiver.seen)) == (1, 1, 1)
