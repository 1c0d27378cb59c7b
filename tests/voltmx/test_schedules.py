"""The rules of a frequency hold for every job of this kind, whoever writes it: not for the API's clients alone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from scheduler import jobs
from scheduler.exceptions import InvalidSchedule
from scheduler.models import Job
from scheduler.schedule import Schedule
from tests.voltmx.wire import sample
from voltmx import serializers

pytestmark = pytest.mark.django_db

MINUTES = "the job would run every 1 minute; at least 5 minutes must lie between"
SECONDS = "the seconds must be a single number: anything else counts as 0 in a service job"


def a_job(**schedule: Any) -> Job:
    """A job written past the API, as the console does."""
    _number, definition = serializers.read_new(sample(without=("jobId", "jobFrequencyInfo")))
    return jobs.create("voltmx", replace(definition, schedule=Schedule(**schedule)), by="console")


@pytest.mark.parametrize(
    ("schedule", "field", "problem"),
    [
        ({"expression": "* * * * * ? *"}, "expression", MINUTES),
        ({"expression": "0 0/1 * * * ?"}, "expression", MINUTES),
        ({"expression": "* 5 * * * ? *"}, "expression", SECONDS),
        ({"expression": "0 5 * * * ? *", "text": "7 5 * * * ? *"}, "expression", SECONDS),
        ({"expression": "0 0 3 * * ?", "zone": "Europe/Berlin"}, "zone", "must be UTC, the zone of all service jobs"),
        (
            {"run_at": datetime(2190, 1, 1, tzinfo=UTC)},
            "expression",
            "a service job needs an expression of six or seven fields",
        ),
    ],
)
def test_a_schedule_that_no_client_could_send_is_refused(schedule: dict[str, Any], field: str, problem: str) -> None:
    with pytest.raises(InvalidSchedule) as refusal:
        a_job(**schedule)
    assert (refusal.value.field, refusal.value.problem) == (field, problem)
    assert not Job.objects.exists()


def test_an_expression_of_five_fields_is_refused() -> None:
    with pytest.raises(InvalidSchedule, match="has 5 fields") as refusal:
        a_job(expression="0 3 * * *")
    assert refusal.value.field == "expression"


@pytest.mark.parametrize(
    "schedule",
    [
        {"expression": "0 0 3 * * ?"},
        {"expression": "7 0/5 * * * ? *"},
        {"expression": "0 5 * * * ? *", "text": "* 5 * * * ? *"},
    ],
)
def test_a_schedule_that_a_client_could_send_is_taken(schedule: dict[str, Any]) -> None:
    assert Schedule.of(a_job(**schedule)) == Schedule(**schedule)


def test_a_job_is_still_paused_after_the_surfaces_zone_moved(settings: Any) -> None:
    job = a_job(expression="0 0 3 * * ?")
    settings.VOLTMX_TIME_ZONE = "Asia/Kolkata"
    assert not jobs.deactivate(job, by="console").active
    with pytest.raises(InvalidSchedule):
        jobs.update(job, {"schedule": Schedule(expression="0 0 4 * * ?")}, by="console")


def test_the_console_tells_on_the_field_why_a_schedule_is_refused(client: Client, user: User) -> None:
    client.force_login(user)
    _number, definition = serializers.read_new(sample(without=("jobId", "jobFrequencyInfo")))
    typed = {
        "kind": "voltmx", "name": "each second", "misfire": "fire_once", "overlap": "skip", "max_retries": "0",
        "retry_delay_seconds": "10", "retry_max_delay_seconds": "3600", "priority": "5", "headers": "{}",
        "history_strategy": "MINIMAL", "retention_days": "30", "arguments": json.dumps(dict(definition.arguments)),
    }  # fmt: skip
    told = []
    for when in ({"expression": "* * * * * ? *", "zone": "UTC"}, {"expression": "0 0 3 * * ?", "zone": "Asia/Tokyo"}):
        answer = client.post(reverse("admin:scheduler_job_add"), {**typed, **when})
        told.append(dict(answer.context["adminform"].form.errors))
    assert told == [
        {"expression": [f"T{MINUTES[1:]}"]},
        {"zone": ["Must be UTC, the zone of all service jobs"]},
    ]
    assert not Job.objects.exists()
