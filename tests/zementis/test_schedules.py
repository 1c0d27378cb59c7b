"""What a scoring job may be scheduled by, whoever writes it: not by the API's clients alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from scheduler import job_types, jobs
from scheduler.exceptions import InvalidJob, InvalidSchedule
from scheduler.models import Job, Status
from scheduler.schedule import Schedule
from tests.zementis.factories import a_context, a_device, a_job, a_model, a_user, end
from zementis.job_type import KIND


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule("* * * * * ?", "Europe/Berlin"),
        Schedule("0 0 3 * * ? 2090"),
        Schedule(run_at=datetime(2090, 1, 1, tzinfo=UTC)),
    ],
)
def test_an_instant_and_expressions_of_six_or_seven_fields_are_taken(schedule: Schedule) -> None:
    job_types.get(KIND).check_schedule(schedule)


@pytest.mark.django_db
def test_an_expression_of_five_fields_is_refused() -> None:
    a_model()
    job = a_job(a_device().pk)
    with pytest.raises(InvalidSchedule, match="has 5 fields") as refusal:
        jobs.update(job, {"schedule": Schedule("0 3 * * *")}, by="console")
    assert refusal.value.field == "expression"
    assert Job.objects.get().version == job.version


FIXED = {"data_from_previous_seconds": None, "data_from": "2026-05-01T00:00:00Z", "data_to": "2026-05-02T00:00:00Z"}
EVERY_DAY = Schedule("0 0 3 * * ?")
AT_ONCE = Schedule(run_at=datetime(2090, 1, 1, tzinfo=UTC))


@pytest.mark.django_db
def test_a_range_of_data_that_does_not_go_with_the_schedule_is_refused() -> None:
    a_model()
    job = a_job(a_device().pk)
    for changes, problem in (
        ({"schedule": AT_ONCE}, "a job for one instant needs data_from and data_to"),
        ({"arguments": job.arguments | FIXED}, "a job with an expression needs data_from_previous_seconds"),
    ):
        with pytest.raises(InvalidJob) as refusal:
            jobs.update(job, changes, by="console")
        assert (refusal.value.field, refusal.value.problem) == ("arguments", problem)
    jobs.update(job, {"schedule": AT_ONCE, "arguments": job.arguments | FIXED}, by="console")
    assert Job.objects.get().run_at == AT_ONCE.run_at


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("expression", "instant", "data_range", "problem"),
    [
        ("0 0 3 * * ?", "", FIXED, "A job with an expression needs data_from_previous_seconds"),
        ("", "2090-01-01", {"data_from_previous_seconds": 60}, "A job for one instant needs data_from and data_to"),
        ("0 0 3 * * ?", "", {"data_from_previous_seconds": 60}, None),
        ("", "2090-01-01", FIXED, None),
    ],
)
def test_the_consoles_form_refuses_it_too(
    client: Client, expression: str, instant: str, data_range: dict[str, Any], problem: str | None
) -> None:
    client.force_login(a_user(superuser=True))
    arguments = {"target": 1, "model": "IsolationForest", "mappings": {"x": "c8y_A.x.value"}, **data_range}
    form = {
        "kind": KIND, "name": "Press 4", "arguments": json.dumps(arguments), "headers": "{}", "active": "on",
        "zone": "UTC", "expression": expression, "run_at_0": instant, "run_at_1": "03:00:00" if instant else "",
        "misfire": "fire_once", "overlap": "skip", "max_retries": 0, "retry_delay_seconds": 10,
        "retry_max_delay_seconds": 3600, "priority": 5, "history_strategy": "MINIMAL", "retention_days": 30,
    }  # fmt: skip
    answer = client.post(reverse("admin:scheduler_job_add"), form)
    errors = answer.context["adminform"].form.errors if answer.status_code == 200 else {}
    assert errors == ({} if problem is None else {"arguments": [problem]})
    assert Job.objects.count() == (problem is None)


@pytest.mark.django_db
def test_a_runs_page_leads_to_the_plot_of_its_inferences(client: Client) -> None:
    a_model()
    context = a_context(a_job(a_device().pk))
    link = reverse("admin:zementis_inferences", args=[context.execution_id])
    page = reverse("admin:scheduler_execution_change", args=[context.execution_id])
    client.force_login(a_user(superuser=True))
    assert link not in client.get(page).content.decode()
    end(context, Status.SUCCEEDED)
    assert f'href="{link}"' in client.get(page).content.decode()
    assert client.get(link).status_code == 200
    client.force_login(a_user("scheduler.view_execution", "scheduler.view_job"))
    User.objects.filter(is_superuser=False).update(is_staff=True)
    assert link not in client.get(page).content.decode()
    end(context, Status.FAILED)
    client.force_login(User.objects.get(is_superuser=True))
    assert link not in client.get(page).content.decode()
