"""Operations that need a login: anonymous and authenticated app users, accounts, and their tokens."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from scheduler import job_types
from scheduler.job_types import Outcome
from scheduler.models import Status
from tests.voltmx.wire import Run, sample
from voltmx import registry
from voltmx.arguments import read
from voltmx.demo.server import FoundryServer
from voltmx.foundry import operation
from voltmx.models import Service
from voltmx.registry import Server

pytestmark = pytest.mark.django_db

APP = {"type": "APP_USER", "appKey": "weatherapp", "appSecret": "s3cret-of-the-app"}
ADA = {**APP, "identity": "userstore", "username": "ada", "password": "pw-of-ada"}


def run(level: str, service: str, login: dict[str, str] | None, **info: Any) -> Outcome:
    """The outcome of calling an operation of a security level."""
    changes = {"operationSecurityLevel": level, "serviceName": service, "operationName": "latest", **info}
    if login is not None:
        changes["authentication"] = login
    arguments = read({"jobServiceInfo": sample(info=changes)["jobServiceInfo"]})
    return job_types.get("voltmx").run(arguments.stored(), Run())


@pytest.mark.parametrize("level", ["anonymous", "Anonymous App User", "ANONYMOUS_APP_USER"])
def test_an_anonymous_operation_is_called_with_an_apps_token(foundry: FoundryServer, level: str) -> None:
    outcome = run(level, "anonymousnews", APP)
    login, call = foundry.foundry.seen
    assert (outcome.status, outcome.response["body"]["user"]) == (Status.SUCCEEDED, "anonymous")
    assert (login.method, login.path, dict(login.query), login.body) == (
        "POST",
        "/authService/weatherapp/login",
        {},
        b"",
    )
    assert (login.headers["x-voltmx-app-key"], login.headers["x-voltmx-app-secret"]) == (
        "weatherapp",
        "s3cret-of-the-app",
    )
    assert call.headers["x-voltmx-authorization"]


def test_an_authenticated_operation_is_called_with_a_users_token(foundry: FoundryServer) -> None:
    outcome = run("authenticated", "securedledger", ADA)
    login = foundry.foundry.seen[0]
    assert (outcome.status, outcome.response["body"]["user"]) == (Status.SUCCEEDED, "ada")
    assert (login.path, dict(login.query)) == ("/authService/weatherapp/login", {"provider": "userstore"})
    assert login.body == b"userid=ada&password=pw-of-ada"


def test_an_account_logs_in_at_the_accounts_door(foundry: FoundryServer) -> None:
    outcome = run("authenticated", "securedledger", {"type": "ADMIN", "username": "root", "password": "pw-of-root"})
    assert (outcome.status, outcome.response["body"]["user"]) == (Status.SUCCEEDED, "root")
    assert foundry.foundry.seen[0].path == "/authService/accounts/login"


def test_a_public_operation_needs_no_login_even_where_one_is_given(foundry: FoundryServer) -> None:
    run("public", "openweather", ADA)
    assert foundry.foundry.logins() == []


def test_the_registrys_identity_serves_jobs_without_one(foundry: FoundryServer) -> None:
    registry.save(
        Service(
            name="securedledger",
            server_url=foundry.url,
            app_key="weatherapp",
            app_secret="s3cret-of-the-app",
            identity="userstore",
            username="ada",
            password="pw-of-ada",
        )
    )
    outcome = run("authenticated", "securedledger", None)
    assert (outcome.status, outcome.response["body"]["user"]) == (Status.SUCCEEDED, "ada")
    assert "pw-of-ada" not in str(Service.objects.values_list().get())


def test_a_login_path_of_the_registry_replaces_the_usual_one(foundry: FoundryServer) -> None:
    entry = Service(name="anonymousnews", server_url=foundry.url, login_path="/authService/weatherapp/login")
    registry.save(entry)
    outcome = run("anonymous", "anonymousnews", {**APP, "appKey": "100000002"})
    assert foundry.foundry.seen[0].path == "/authService/weatherapp/login"
    assert outcome.status is Status.SUCCEEDED


def test_a_token_is_used_until_it_expires(foundry: FoundryServer) -> None:
    for _ in range(3):
        assert run("authenticated", "securedledger", ADA).status is Status.SUCCEEDED
    assert len(foundry.foundry.logins()) == 1


def test_an_expired_token_is_replaced(foundry: FoundryServer) -> None:
    # Less than the time a call is given, so that the token is old at once.
    foundry.foundry.token_seconds = 5
    for _ in range(2):
        assert run("authenticated", "securedledger", ADA).status is Status.SUCCEEDED
    assert len(foundry.foundry.logins()) == 2


def test_a_token_that_the_server_no_longer_takes_is_replaced_once(foundry: FoundryServer) -> None:
    run("authenticated", "securedledger", ADA)
    foundry.foundry.revoke_tokens()
    outcome = run("authenticated", "securedledger", ADA)
    assert outcome.status is Status.SUCCEEDED
    assert len(foundry.foundry.logins()) == 2


def test_a_service_that_takes_no_token_at_all_fails_after_two(foundry: FoundryServer) -> None:
    outcome = run("anonymous", "securedledger", APP)
    assert outcome.messages == ("Internal error during job execution: HTTP status 401: Invalid Session",)
    assert [request.path for request in foundry.foundry.seen] == [
        "/authService/weatherapp/login",
        "/services/securedledger/latest",
    ] * 2


def test_different_logins_have_different_tokens(foundry: FoundryServer) -> None:
    run("authenticated", "securedledger", ADA)
    other = run("authenticated", "securedledger", {**ADA, "password": "wrong"})
    assert other.messages == (
        "Internal error during job execution: the login was refused with HTTP status 401: Invalid User Credentials",
    )
    assert other.status is Status.FAILED


def test_many_runs_at_once_log_in_once(foundry: FoundryServer) -> None:
    info = {"operationSecurityLevel": "authenticated", "serviceName": "securedledger", "authentication": ADA}
    arguments = read({"jobServiceInfo": sample(info=info)["jobServiceInfo"]})
    server = Server(url=foundry.url, connect_timeout=5, read_timeout=5)
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(operation.perform_on(server, arguments, Run()).outcome))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [outcome.status for outcome in outcomes] == [Status.SUCCEEDED] * 8
    assert len(foundry.foundry.logins()) == 1


@pytest.mark.parametrize(
    ("level", "login", "told"),
    [
        ("anonymous", None, "the operation needs a login: neither the job nor the registry has an app key"),
        ("authenticated", APP, "the operation needs an app user: neither the job nor the registry has one"),
    ],
)
def test_a_missing_identity_is_told(foundry: FoundryServer, level: str, login: Any, told: str) -> None:
    outcome = run(level, "securedledger", login)
    assert outcome.messages == (f"Internal error during job execution: {told}",)
    assert foundry.foundry.seen == []


def test_no_secret_is_left_in_what_history_may_keep(foundry: FoundryServer) -> None:
    outcome = run(
        "authenticated",
        "faults",
        ADA,
        operationName="leak",
        requestheaderMap={"Authorization": "Bearer marked-header"},
        queryParams={"api_key": "marked-parameter"},
    )
    token = foundry.foundry.seen[-1].headers["x-voltmx-authorization"]
    kept = str(outcome)
    assert outcome.status is Status.SUCCEEDED
    for secret in ("s3cret-of-the-app", "pw-of-ada", "marked-header", "marked-parameter", token):
        assert secret not in kept
    assert outcome.request["headers"]["X-VoltMX-Authorization"] == "********"


def test_no_secret_is_left_in_the_log(foundry: FoundryServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    run("authenticated", "securedledger", ADA, queryParams={"api_key": "marked-parameter"})
    token = foundry.foundry.seen[-1].headers["x-voltmx-authorization"]
    for secret in ("s3cret-of-the-app", "pw-of-ada", "marked-parameter", token):
        assert secret not in caplog.text
