"""What is recorded: who, from where, what, before and after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from accounts.models import ApiToken, AuditEntry
from accounts.roles import Role
from scheduler import executions, jobs
from scheduler.models import Job
from tests.accounts.conftest import PASSWORD
from tests.scheduler.factories import a_job
from voltmx.models import Service

pytestmark = pytest.mark.django_db

Users = Callable[..., User]


def told(*actions: str) -> list[tuple[str, str, str, Any]]:
    """Action, author, target and changes of the entries with these actions, oldest first; all without any."""
    found = AuditEntry.objects.order_by("id")
    entries = [entry.details() for entry in (found.filter(action__in=actions) if actions else found)]
    return [(entry["action"], entry["by"], entry["target"], entry["changes"]) for entry in entries]


def forget() -> None:
    """Look only at what comes from here on."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL jobsite.audit_pruning = 'on'")
        cursor.execute("DELETE FROM accounts_auditentry")
        cursor.execute("SET LOCAL jobsite.audit_pruning = 'off'")


def test_each_edit_of_a_job_is_recorded_with_before_and_after() -> None:
    job = a_job()
    jobs.update(job, {"description": "new words"}, by="bob")
    jobs.deactivate(job, by="eve")
    jobs.delete(job, by="ada")
    target = f"probe job {job.number}"
    found = told()
    assert [entry[:3] for entry in found] == [
        ("job.created", "tester", target),
        ("job.updated", "bob", target),
        ("job.deactivated", "eve", target),
        ("job.deleted", "ada", target),
    ]
    assert found[1][3]["description"][1] == "new words"


def test_a_run_that_is_asked_for_and_cancelled_is_recorded() -> None:
    job = a_job()
    execution = jobs.run_now(job, by="ada")
    executions.cancel(execution, by="bob")
    executions.cancel(execution, by="bob")
    assert [entry[:2] for entry in told("run.requested", "run.cancelled")] == [
        ("run.requested", "ada"),
        ("run.cancelled", "bob"),
    ]


def test_an_edit_that_is_rolled_back_leaves_no_entry() -> None:
    from django.db import transaction

    with pytest.raises(RuntimeError), transaction.atomic():
        a_job()
        raise RuntimeError
    assert told() == []


def test_logins_failures_and_lockouts_are_recorded_with_their_address(user_of: Users, settings: Any) -> None:
    settings.LOGIN_ATTEMPTS = 1
    user_of(Role.VIEWER)
    forget()
    client = Client(REMOTE_ADDR="192.0.2.7", headers={"X-Request-ID": "req-1"})
    door = "/authService/accounts/login"
    client.post(door, {"userid": "viewer-user", "password": PASSWORD})
    for name in ("my-secret-typed-too-early", "viewer-user", "viewer-user", "viewer-user"):
        client.post(door, {"userid": name, "password": "wrong"})
    assert [(action, target) for action, _, target, _ in told()] == [
        ("login.succeeded", "viewer-user"),
        ("login.failed", "unknown account"),
        ("login.failed", "viewer-user"),
        ("login.locked", "account"),
    ]
    origins = {(entry.address, entry.details()["request_id"]) for entry in AuditEntry.objects.all()}
    assert origins == {("192.0.2.7", "req-1")}


def test_console_logins_and_logouts_are_recorded(user_of: Users) -> None:
    user_of(Role.VIEWER)
    forget()
    client = Client()
    client.post("/admin/login/", {"username": "viewer-user", "password": PASSWORD})
    client.post("/admin/logout/")
    assert [entry[:3] for entry in told()] == [
        ("login.succeeded", "viewer-user", "viewer-user"),
        ("login.ended", "viewer-user", "viewer-user"),
    ]


def test_roles_given_and_taken_are_recorded(user_of: Users) -> None:
    user = user_of(None)
    forget()
    editor = Group.objects.get(name="editor")
    user.groups.add(editor)
    user.groups.remove(editor)
    user.groups.add(editor)
    user.groups.clear()
    assert [entry[3] for entry in told("user_groups.changed")] == [
        {"add": ["editor"]},
        {"remove": ["editor"]},
        {"add": ["editor"]},
        {"clear": ["editor"]},
    ]


def test_a_new_password_is_recorded_without_it(user_of: Users) -> None:
    user = user_of(Role.VIEWER)
    forget()
    user.set_password("another secret one")
    user.save()
    assert told() == [("user.changed", "", "viewer-user", {"password": ["********", "********"]})]


def test_a_login_alone_is_no_change_of_the_user(user_of: Users, client: Client) -> None:
    user = user_of(Role.VIEWER)
    forget()
    client.force_login(user)
    assert told("user.changed") == []


def test_credentials_of_the_registry_are_recorded_masked() -> None:
    service = Service.objects.create(name="crm", username="u", password="marked-secret")
    service.password = "marked-secret-2"
    service.save()
    service.save()
    service.delete()
    found = told("service.created", "service.changed", "service.deleted")
    assert [entry[0] for entry in found] == ["service.created", "service.changed", "service.deleted"]
    assert found[1][3] == {"password": ["********", "********"]}
    assert "marked" not in "".join(AuditEntry.objects.values_list("record", flat=True))


def test_tokens_made_revoked_and_used_are_recorded(
    user_of: Users, token_of: Callable[..., tuple[ApiToken, str]]
) -> None:
    owner = user_of(Role.EDITOR)
    service = Service.objects.create(name="crm")
    forget()
    token, secret = token_of(owner, Role.EDITOR, "voltmx")
    job = {"jobName": "x"}
    Client().post("/admin/api/jobs/job", job, "application/json", headers={"Authorization": f"Bearer {secret}"})
    token.revoked_at = token.expires_at
    token.save()
    assert [entry[0] for entry in told()] == ["apitoken.created", "apitoken.changed"]
    assert (secret[12:] in "".join(AuditEntry.objects.values_list("record", flat=True)), service.name) == (False, "crm")


def test_what_a_token_did_names_the_token(user_of: Users, token_of: Callable[..., tuple[ApiToken, str]]) -> None:
    job = a_job()
    Job.objects.filter(pk=job.pk).update(kind="voltmx")
    token, secret = token_of(user_of(Role.OPERATOR), Role.OPERATOR)
    forget()
    path = f"/admin/api/jobs/job/run/{job.number}"
    answer = Client().post(path, headers={"Authorization": f"Bearer {secret}"})
    entry = AuditEntry.objects.get().details()
    assert (answer.status_code, entry["action"], entry["via"]) == (200, "run.requested", f"token {token.prefix}")


def test_text_that_no_table_holds_is_recorded_anyway() -> None:
    from accounts import audit

    entry = audit.record("probe.made", target="a\x00b\ud800", changes={"x": ["\ud800", object()]}, by="\x00")
    entry.refresh_from_db()
    assert (entry.target, entry.by) == ("a\N{REPLACEMENT CHARACTER}b?", "\N{REPLACEMENT CHARACTER}")


def test_a_record_has_a_greatest_size() -> None:
    from accounts import audit

    entry = audit.record("probe.made", changes={"x": "y" * 100_000})
    assert entry.details()["changes"] == {"too large; fields": ["x"]}
