"""The service registry in the console and on the command line; the demo's entry and job."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from scheduler.models import Job, Limit
from tests.voltmx.wire import Wire
from voltmx import demo, registry
from voltmx.demo.server import FoundryServer
from voltmx.models import AccountSession, Service

FIELDS = {"name": "orders", "version": "1.0", "server_url": "http://127.0.0.1:9", "active": "on"}
TRIAL = {
    "serviceType": "intSer",
    "operationName": "echo",
    "version": "1.0",
    "operationSecurityLevel": "public",
    "requestheaderMap": '{"X-Trace": "7"}',
    "postData": '{"a": "<b>"}',
}


@pytest.fixture
def console(user: User, client: Client) -> Client:
    """The admin, open."""
    client.force_login(user)
    return client


def command(*arguments: str) -> str:
    """What ``manage.py voltmx_services`` prints."""
    out = StringIO()
    call_command("voltmx_services", *arguments, stdout=out)
    return out.getvalue()


# -- Console ---------------------------------------------------------------------------------------------------------


def test_an_entry_is_added_with_its_secrets_encrypted_and_never_shown(console: Client) -> None:
    secrets = {"app_key": "k", "app_secret": "marked-secret", "username": "ada", "password": "marked-password"}
    answer = console.post(
        reverse("admin:voltmx_service_add"), {**FIELDS, **secrets, "concurrency_limit": "4"}, follow=True
    )
    entry = Service.objects.get()
    assert answer.status_code == 200
    assert (entry.app_secret.reveal(), entry.password.reveal()) == ("marked-secret", "marked-password")
    assert list(Limit.objects.values_list("key", "runs")) == [("voltmx:orders", 4)]
    page = console.get(reverse("admin:voltmx_service_change", args=[entry.pk])).content.decode()
    assert "marked" not in page
    assert entry.app_secret.encrypted not in page


def test_secrets_left_empty_stay_and_go_with_what_they_belong_to(console: Client) -> None:
    entry = registry.save(
        Service(name="orders", version="1.0", app_key="k", app_secret="s", username="u", password="p")
    )
    change = reverse("admin:voltmx_service_change", args=[entry.pk])
    assert console.post(change, {**FIELDS, "app_key": "k2"}).status_code == 302
    entry.refresh_from_db()
    assert (entry.app_key, entry.app_secret.reveal(), entry.password) == ("k2", "s", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"server_url": "http://169.254.169.254/"},
        {"server_url": "ftp://x"},
        {"name": "a/b"},
        {"name": ""},
        {"concurrency_limit": "0"},
        {"login_path": "no-slash"},
    ],
)
def test_an_entry_that_cannot_be_called_is_refused_on_its_form(console: Client, changes: dict[str, str]) -> None:
    answer = console.post(reverse("admin:voltmx_service_add"), {**FIELDS, **changes})
    assert (answer.status_code, Service.objects.count()) == (200, 0)


def test_deleting_entries_takes_their_limits_away(console: Client) -> None:
    entry = registry.save(Service(name="orders", concurrency_limit=3))
    other = registry.save(Service(name="other", concurrency_limit=3))
    console.post(reverse("admin:voltmx_service_delete", args=[entry.pk]), {"post": "yes"})
    console.post(
        reverse("admin:voltmx_service_changelist"),
        {"action": "delete_selected", "_selected_action": [other.pk], "post": "yes"},
    )
    assert (Service.objects.count(), Limit.objects.count()) == (0, 0)


def test_a_test_call_shows_what_the_service_answers(console: Client, foundry: FoundryServer) -> None:
    entry = registry.save(Service(name="demo", server_url=foundry.url))
    address = reverse("admin:voltmx_service_test_call", args=[entry.pk])
    assert "Get response" in console.get(address).content.decode()
    page = console.post(address, TRIAL).content.decode()
    assert "Success: HTTP 200 in" in page
    assert "Content-Type" in page
    assert "&quot;x-trace&quot;: &quot;7&quot;" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert not Job.objects.exists()


@pytest.mark.parametrize("key", ["0", "x", "1%00", "99999999999999999999", "-1"])
def test_a_test_call_of_an_entry_that_cannot_be_is_not_found(console: Client, key: str) -> None:
    address = reverse("admin:voltmx_service_test_call", args=["KEY"]).replace("KEY", key)
    assert (console.get(address).status_code, console.post(address, TRIAL).status_code) == (404, 404)


def test_a_test_call_that_fails_says_why(console: Client, foundry: FoundryServer) -> None:
    entry = registry.save(Service(name="demo", server_url=foundry.url))
    page = console.post(
        reverse("admin:voltmx_service_test_call", args=[entry.pk]), {**TRIAL, "operationName": "failing"}
    ).content.decode()
    assert "Fail: HTTP 200" in page
    assert "opstatus 8009: the backend said no" in page


@pytest.mark.parametrize(
    "changes",
    [{"operationName": "../x"}, {"requestheaderMap": "{"}, {"requestheaderMap": '{"A": 1}'}, {"postData": "x"}],
)
def test_a_test_call_with_bad_fields_is_not_made(
    console: Client, foundry: FoundryServer, changes: dict[str, str]
) -> None:
    entry = registry.save(Service(name="demo", server_url=foundry.url))
    answer = console.post(reverse("admin:voltmx_service_test_call", args=[entry.pk]), {**TRIAL, **changes})
    assert (answer.status_code, foundry.foundry.seen) == (200, [])
    assert 'role="alert"' in answer.content.decode()


def test_a_test_call_needs_its_permission(user_with: Callable[..., User], client: Client) -> None:
    entry = registry.save(Service(name="demo"))
    viewer = user_with("view_service")
    viewer.is_staff = True
    viewer.save()
    client.force_login(viewer)
    assert client.get(reverse("admin:voltmx_service_test_call", args=[entry.pk])).status_code == 403


def test_deleting_an_open_login_revokes_its_tokens(wire: Wire, console: Client) -> None:
    session = AccountSession.objects.get()
    console.post(reverse("admin:voltmx_accountsession_delete", args=[session.pk]), {"post": "yes"})
    assert wire.send("GET", "/admin/api/jobs/job").status_code == 401


# -- Command line ----------------------------------------------------------------------------------------------------


def test_the_command_adds_lists_changes_and_removes_entries(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOLTMX_APP_SECRET", "marked-secret")
    said = [
        command("set", "orders", "--server", "http://127.0.0.1:9", "--app-key", "k", "--concurrency-limit", "4"),
        command("set", "orders", "--service-version", "2.0", "--server", "http://127.0.0.1:10", "--off"),
        command("list"),
        command("set", "orders", "--concurrency-limit", "2"),
        command("remove", "orders", "--service-version", "2.0"),
    ]
    assert said == [
        "orders added\n",
        "orders 2.0 added\n",
        "orders (every other version): http://127.0.0.1:9, at most 4 at once, with an identity\n"
        "orders (2.0): http://127.0.0.1:10, switched off\n",
        "orders changed\n",
        "orders 2.0 removed\n",
    ]
    entry = Service.objects.get()
    assert (entry.concurrency_limit, entry.app_secret.reveal()) == (2, "marked-secret")
    assert "marked" not in "".join(said)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("remove", "nothing"), "there is no entry nothing"),
        (("set", "orders", "--server", "http://169.254.169.254"), "link-local"),
        (("set", "a/b", "--server", "http://127.0.0.1"), "name:"),
    ],
)
def test_the_command_says_what_it_cannot_do(db: None, arguments: tuple[str, ...], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        command(*arguments)


# -- Demo ------------------------------------------------------------------------------------------------------------


def test_the_demo_is_loaded_once(db: None) -> None:
    first, second = demo.load(), demo.load()
    assert first.pk == second.pk
    assert list(Service.objects.values_list("name", "version", "server_url")) == [("openweather", "", "")]
    assert (first.name, first.frequency, first.history_strategy) == ("weather-demo", "0 0/5 * * * ? *", "FULL")


def test_the_stack_serves_the_demos_service(client: Client) -> None:
    answer = client.post("/services/openweather/getWeather", {"cityName": "Utrecht"}, content_type="application/json")
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["opstatus"], body["cityName"]) == (200, 0, "Utrecht")
    assert client.post("/services/faults/slow").status_code == 404
    assert client.post("/authService/anyapp/login").status_code == 401
    assert client.generic("POST", "/services/openweather/getWeather", b"x" * 70_000).status_code == 413
