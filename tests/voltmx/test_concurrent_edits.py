"""Clients that change one job at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client

from scheduler.models import Job, JobState
from tests.scheduler.threads import in_thread
from tests.voltmx.wire import SUCCESS, Wire, failure, sample
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

JOBS = "/admin/api/jobs/job"


def waiting() -> int:
    """How many statements in this database wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def at_once(*requests: Callable[[], Any], held: Callable[[], Any] = lambda: None) -> list[Any]:
    """Answers to requests that all wait for the job's lock before one of them gets it; ``held`` is done under it."""
    locked, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            JobState.objects.select_for_update().get()
            locked.set()
            assert let_go.wait(20)
            held()

    holder = in_thread(hold)
    assert locked.wait(20)
    threads = [in_thread(request) for request in requests]
    try:
        # Asked outside of a transaction: within one PostgreSQL tells the same all the time.
        wait_for(lambda: waiting() == len(requests), what="requests waiting for the lock")
    finally:
        let_go.set()
    holder.result()
    return [thread.result() for thread in threads]


def put(wire: Wire, **members: Any) -> Callable[[], Any]:
    """A PUT of job 2 from a client of its own."""
    own = Wire(Client())
    own.headers = wire.headers
    return lambda: own.send("PUT", JOBS, {"jobId": 2, **members})


def test_nobody_loses_what_another_changed_in_the_same_service_info(wire: Wire) -> None:
    wire.create(sample())
    answers = at_once(
        put(wire, jobServiceInfo={"postData": '{"a":1}'}),
        put(wire, jobServiceInfo={"requestheaderMap": {"X-A": "b"}}),
        put(wire, emailNotifications={"onFailure": ["a@b.example"]}),
    )
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, SUCCESS)] * 3
    read = wire.get("/admin/api/jobs/job2")
    info = read["jobServiceInfo"]
    assert (info["postData"], info["requestheaderMap"]) == ('{"a":1}', {"X-A": "b"})
    assert read["emailNotifications"] == {"onFailure": ["a@b.example"]}


def test_what_an_update_needs_is_asked_of_the_job_as_it_is_then(wire: Wire, user_with: Callable[..., User]) -> None:
    user_with("view_job", "pause_job", name="pauser")
    wire.create(sample())
    pauser = Wire(Client()).log_in("pauser")
    # Of what it sends, this names nothing but the status when it comes in, and the old description when it is done.
    (answer,) = at_once(
        put(pauser, jobStatus="Inactive", description="Job for testjob2"),
        held=lambda: Job.objects.update(description="another"),
    )
    assert failure(answer) == (403, None)
    assert wire.get(JOBS)[0]["jobStatus"] == "Active"


def test_an_update_that_changes_nothing_leaves_the_job_as_it_is(wire: Wire) -> None:
    wire.create(sample())
    before = Job.objects.values("version", "updated_at").get()
    assert wire.send("PUT", JOBS, sample()).status_code == 200
    assert Job.objects.values("version", "updated_at").get() == before
