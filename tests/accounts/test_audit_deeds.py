"""That no deed goes past the audit: who, what, before and after, for what is written past the models' own ``save``."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from accounts import origin
from accounts.models import AuditEntry
from scheduler import clock, jobs, limits
from scheduler.calendars import store as calendars
from scheduler.models import AlertRule, Channel, Condition, Incident
from tests.accounts.test_audit import forget, told
from tests.scheduler.factories import a_job
from voltmx.models import AccountSession, Service
from zementis import model_store
from zementis.devices import managed_objects
from zementis.inference import ModelDescription
from zementis.models import ManagedObject, ModelSource, ModelVersion, ScoringModel

pytestmark = pytest.mark.django_db

Entry = tuple[str, str, str, Any]


@pytest.fixture
def boss(client: Client) -> Client:
    """The console, as ada."""
    client.force_login(User.objects.create_superuser("ada"))
    return client


def act(client: Client, page: str, action: str, *keys: object) -> None:
    """Do an action of a list to the chosen rows, saying yes to what it asks."""
    answer = client.post(
        f"/admin/{page}/", {"action": action, "_selected_action": [str(key) for key in keys], "post": "yes"}
    )
    assert answer.status_code == 302, answer.content


def an_incident() -> Incident:
    job = a_job()
    rule = AlertRule.objects.create(job=job, condition=Condition.FAILURE)
    execution = jobs.run_now(job, by="tester")
    return Incident.objects.create(rule=rule, job=job, execution_id=execution.pk, summary="failed")


def an_own_entry(**values: Any) -> PeriodicTask:
    interval, _ = IntervalSchedule.objects.get_or_create(every=1, period="days")
    return PeriodicTask.objects.create(name="own", task="celery.backend_cleanup", interval=interval, **values)


def test_incidents_snoozed_and_closed_by_hand(boss: Client) -> None:
    incident = an_incident()
    forget()
    for action in ("snooze_for_an_hour", "close", "close"):
        act(boss, "scheduler/incident", action, incident.pk)
    [snoozed, closed] = told()
    until = Incident.objects.get().tell_at
    assert until is not None
    assert [snoozed, closed] == [
        ("incident.snoozed", "ada", str(incident), {"tell_at": [None, until.isoformat()]}),
        ("incident.closed", "ada", str(incident), {"state": ["open", "closed"]}),
    ]


def test_entries_of_the_user_s_own_and_of_jobs_switched_in_bulk(boss: Client) -> None:
    job = a_job()
    own, of_job = an_own_entry(), PeriodicTask.objects.get(job_state__job=job)
    forget()
    act(boss, "django_celery_beat/periodictask", "disable_tasks", own.pk, of_job.pk)
    act(boss, "django_celery_beat/periodictask", "disable_tasks", own.pk)
    act(boss, "django_celery_beat/periodictask", "toggle_tasks", own.pk)
    assert sorted(told(), key=lambda entry: entry[2]) == [
        ("periodictask.changed", "ada", str(own), {"enabled": [True, False]}),
        ("periodictask.changed", "ada", str(own), {"enabled": [False, True]}),
        ("periodictask.changed", "ada", str(of_job), {"enabled": [True, False]}),
    ]


def test_runs_asked_for_on_the_entries_of_jobs(boss: Client) -> None:
    job = a_job()
    entry = PeriodicTask.objects.get(job_state__job=job)
    forget()
    act(boss, "django_celery_beat/periodictask", "run_tasks", entry.pk)
    assert [entry[:3] for entry in told()] == [("run.requested", "ada", f"probe job {job.number}")]


def test_entries_made_edited_used_and_deleted_without_what_is_secret_in_them() -> None:
    forget()
    entry = an_own_entry(kwargs='{"password": "marked-secret"}', args="[1]")
    entry.args = "[2]"
    entry.save()
    entry.total_run_count += 1
    entry.last_run_at = clock.exact_now()
    entry.save()
    entry.delete()
    found = told("periodictask.created", "periodictask.changed", "periodictask.deleted")
    assert [found[0][0], found[1][::3], found[2][0]] == [
        "periodictask.created",
        ("periodictask.changed", {"args": ["[1]", "[2]"]}),
        "periodictask.deleted",
    ]
    assert (found[0][3]["kwargs"], "marked" in str(found)) == ([None, "********"], False)


def test_limits_and_calendars(boss: Client) -> None:
    rules = calendars.Rules
    limits.set_limit("k", 2)
    limits.set_limit("k", 3)
    limits.set_limit("k", None)
    made = calendars.save(None, a_rule(rules, "work"), by="ada")
    calendars.save(made, a_rule(rules, "rest"), by="ada")
    calendars.delete(made, by="ada")
    found = [entry for entry in told() if entry[0].partition(".")[0] in ("limit", "calendar")]
    assert [entry[0] for entry in found] == [
        *("limit.created", "limit.changed", "limit.deleted"),
        *("calendar.created", "calendar.changed", "calendar.deleted"),
    ]
    assert (found[1][3], found[4][3]["name"]) == ({"runs": [2, 3]}, ["work", "rest"])


def a_rule(rules: Callable[..., Any], name: str) -> Any:
    return rules(name=name, weekdays=(5, 6))


def test_models_switched_and_deleted() -> None:
    description = ModelDescription(
        name="m",
        description="",
        format="PMML",
        model_class="TreeModel",
        inputs=(),
        outputs=(),
        accepts_missing=True,
        engine="trees",
        engine_reason="",
        creation_date=None,
    )
    model = ScoringModel.objects.create(name="m", created_by="ada")
    source = ModelSource.objects.create(content_hash="0" * 64, content=b"x")
    ModelVersion.objects.create(
        model=model,
        number=1,
        source=source,
        format=ModelVersion.Format.PMML,
        file_name="m",
        size_bytes=1,
        description=description.to_json(),
        uploaded_by="ada",
    )
    forget()
    model_store.set_active("m", False, by="ada")
    model_store.set_active("m", False, by="ada")
    model_store.delete("m", by="bob")
    assert told() == [
        ("scoringmodel.changed", "ada", "m", {"active": [True, False]}),
        ("scoringmodel.deleted", "bob", "m", {"versions": [1, 0]}),
    ]


def test_managed_objects_and_their_children() -> None:
    forget()
    parent = managed_objects.create({"name": "p", "c8y_IsDeviceGroup": {}, "x": 1}, by="ada")
    child = managed_objects.create_child(parent.pk, {"name": "c"}, kind="asset", by="ada")
    managed_objects.update(parent.pk, {"x": 2, "login": {"password": "marked-secret"}})
    managed_objects.remove_children(parent.pk, [child.pk], kind="asset")
    managed_objects.delete(parent.pk)
    found = told()
    assert [entry[0].partition(".")[2] for entry in found] == [
        *("created", "created", "changed", "changed", "changed", "deleted")
    ]
    assert found[2][3] == {"asset added": [child.pk]}
    assert found[3][3] == {"fragments.login": [None, "********"], "fragments.x": ["1", "2"]}
    assert (found[5][2], ManagedObject.objects.count()) == (f"managed object {parent.pk}", 1)


def test_logins_of_the_jobs_api_that_are_revoked_in_the_console(boss: Client) -> None:
    user = User.objects.create(username="bob")
    keys = [
        AccountSession.objects.create(user=user, expires_at=clock.exact_now(), fingerprint=name).pk for name in "ab"
    ]
    forget()
    act(boss, "voltmx/accountsession", "delete_selected", *keys)
    assert [entry[:3] for entry in told()] == [("accountsession.revoked", "ada", "bob")] * 2


def test_channels_tested(boss: Client) -> None:
    channel = Channel.objects.create(name="ops", url="json://127.0.0.1:9/")
    forget()
    act(boss, "scheduler/channel", "send_test", channel.pk)
    assert told() == [("channel.tested", "ada", "ops", {})]


def test_secrets_encrypted_anew_name_the_command(settings: Any) -> None:
    Service.objects.create(name="crm", password="marked-secret")
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    forget()
    with origin.command("rotate_secrets"):
        call_command("rotate_secrets", stdout=io.StringIO())
        call_command("rotate_secrets", stdout=io.StringIO())
    assert told() == [("secrets.rotated", "command rotate_secrets", "stored secrets", {"voltmx.service": 1})]
    assert AuditEntry.objects.get().details()["via"] == "shell"


def test_what_a_command_does_is_known_to_come_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    import django.core.management

    import manage

    job = a_job()
    forget()

    def execute(arguments: list[str]) -> None:
        # In this process' transaction, which Django's own would close with the connection.
        call_command(*arguments[1:], stdout=io.StringIO())

    monkeypatch.setattr(django.core.management, "execute_from_command_line", execute)
    monkeypatch.setattr("sys.argv", ["manage.py", "jobs", "pause", f"probe/{job.number}", "--by", "ada"])
    manage.main()
    entry = AuditEntry.objects.get().details()
    assert (entry["by"], entry["via"], entry["target"]) == ("ada", "shell", f"probe job {job.number}")


def test_measurements_deleted() -> None:
    from zementis.devices.measurement_queries import Filter, delete_matching

    forget()
    delete_matching(Filter(device=7, type="c8y_Temperature"))
    assert told() == [
        ("measurement.deleted", "", "measurements", {"device": "7", "type": "c8y_Temperature", "rows": [0, 0]})
    ]
