"""The forms of django-celery-beat's own tables take what cannot work as an error of a field, whatever is typed."""

from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django_celery_beat.models import PeriodicTask

from scheduler import jobs
from scheduler.models import Execution
from tests.scheduler.admin.pages import errors, text, url
from tests.scheduler.admin.test_entry import own_typed
from tests.scheduler.factories import a_job

CRONTAB = {
    "minute": "0", "hour": "3", "day_of_month": "*", "month_of_year": "*", "day_of_week": "1-5", "timezone": "UTC",
}  # fmt: skip
INTERVAL = {"every": "2", "period": "hours"}
SOLAR = {"event": "sunset", "latitude": "52.5", "longitude": "13.4"}
CLOCKED = {"clocked_time_0": "2190-01-01", "clocked_time_1": "00:00:00"}
FORMS = {
    "crontabschedule": CRONTAB,
    "intervalschedule": INTERVAL,
    "solarschedule": SOLAR,
    "clockedschedule": CLOCKED,
}
CRON_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
ODD = ("-1", "-5--1", "*/-1", ",", "9" * 30, "NaN", "-Infinity", "1e999", "\0", "0001-01-01", "9999-12-31")


def add(client: Client, model: str, **typed: Any) -> Any:
    """Send the form that adds a schedule: a redirect to the list on success, the form with its errors else."""
    no_entries = {"periodictask_set-TOTAL_FORMS": "0", "periodictask_set-INITIAL_FORMS": "0"}
    return client.post(url(f"django_celery_beat_{model}_add"), {**FORMS[model], **no_entries, **typed})


@pytest.mark.parametrize("model", FORMS)
def test_a_schedule_of_the_stock_kind_is_made(boss: Client, model: str) -> None:
    made = apps.get_model("django_celery_beat", model)._default_manager
    before = made.count()
    add(boss, model)
    assert made.count() == before + 1


@pytest.mark.parametrize("field", CRON_FIELDS)
def test_a_negative_number_in_a_crontab_is_refused_on_its_field(boss: Client, field: str) -> None:
    answer = add(boss, "crontabschedule", **{field: "-1"})
    assert (answer.status_code, list(errors(answer))) == (200, [field])


@pytest.mark.parametrize(("model", "field"), [(model, field) for model, typed in FORMS.items() for field in typed])
def test_an_odd_value_in_a_schedule_is_refused_or_makes_one_that_works(boss: Client, model: str, field: str) -> None:
    for value in ODD:
        assert add(boss, model, **{field: value}).status_code in (200, 302)
    assert boss.get(url(f"django_celery_beat_{model}_changelist")).status_code == 200
    for made in apps.get_model("django_celery_beat", model)._default_manager.all():
        assert made.schedule is not None
        assert boss.get(url(f"django_celery_beat_{model}_change", made.pk)).status_code == 200


def test_an_interval_longer_than_a_duration_can_be_is_refused_on_its_field(boss: Client) -> None:
    answer = add(boss, "intervalschedule", every="2147483647", period="days")
    assert list(errors(answer)) == ["every"]


@pytest.mark.parametrize("task", ["\0", "x" * 5000, ""])
def test_a_task_that_cannot_be_is_refused_on_its_field(boss: Client, task: str) -> None:
    answer = boss.post(url("django_celery_beat_periodictask_add"), own_typed(task=task))
    assert (answer.status_code, list(errors(answer))) == (200, ["task"])
    assert not PeriodicTask.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("regtask", "\0"),
        ("regtask", "x" * 5000),
        *(
            (field, value)
            for field in ("args", "kwargs", "headers")
            for value in (
                "\0",
                '["\\u0000"' * 3,
                "[" * 100_000,
                "9" * 5000,
                '{"__type__": "datetime", "__value__": 5}',
                '{"__type__": [], "__value__": 5}',
            )
        ),
        *(
            (field, value)
            for field in ("name", "queue", "exchange", "routing_key", "description")
            for value in ("\0", "x" * 5000)
            if (field, value[0]) != ("description", "x")
        ),
        *((field, value) for field in ("priority", "expire_seconds") for value in ("-1", "9" * 30, "NaN", "\0")),
        *((field, value) for field in ("interval", "crontab", "solar", "clocked") for value in ("9" * 30, "\0", "x")),
    ],
)
def test_a_hostile_value_of_an_entry_is_refused_on_its_field(boss: Client, field: str, value: str) -> None:
    answer = boss.post(url("django_celery_beat_periodictask_add"), own_typed(**{field: value}))
    assert answer.status_code == 200
    assert field in errors(answer)
    assert not PeriodicTask.objects.exists()


@pytest.mark.parametrize("field", ["start_time", "expires"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "10000-01-01", "\0"])
def test_an_entry_at_the_edge_of_time_is_refused_or_can_be_shown(boss: Client, field: str, day: str) -> None:
    typed = own_typed(**{f"{field}_0": day, f"{field}_1": "00:00:00"})
    assert boss.post(url("django_celery_beat_periodictask_add"), typed, follow=True).status_code == 200
    for entry in PeriodicTask.objects.all():
        assert boss.get(url("django_celery_beat_periodictask_change", entry.pk)).status_code == 200


@pytest.mark.parametrize("value", ['{"a": "\\ud800"}', '{"a":' * 100_000, "9" * 5000, "\0"])
def test_running_again_with_hostile_arguments_is_told_on_the_page(boss: Client, value: str) -> None:
    run = jobs.run_now(a_job(), by="tester")
    answer = boss.post(url("scheduler_execution_again", run.pk), {"arguments": value})
    assert answer.status_code == 422
    assert "Not run: " in text(answer)
    assert Execution.objects.count() == 1
