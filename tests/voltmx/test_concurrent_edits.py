"""Clients that change one job at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from scheduler.models import Job
from tests.voltmx.meeting import at_once
from tests.voltmx.wire import SUCCESS, Wire, failure, sample

pytestmark = pytest.mark.django_db(transaction=True)

JOBS = "/admin/api/jobs/job"


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
