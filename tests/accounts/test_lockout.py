"""Brute force at every door: one count for all of them, and no word about which accounts there are."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import hashers
from django.contrib.auth.models import User
from django.test import Client

from accounts.models import AuditEntry, FailedLogins
from accounts.roles import Role
from tests.accounts.conftest import PASSWORD
from zementis import authentication

CONSOLE, VOLTMX, ZEMENTIS = "/admin/login/", "/authService/accounts/login", "/user/currentUser"
DOORS = ("console", "voltmx", "zementis")


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    authentication.verified.clear()


def knock(door: str, name: str, password: str, **headers: str) -> Any:
    """Try a login; a refused one at the console answers 200 with the form."""
    client = Client()
    if door == "console":
        return client.post(CONSOLE, {"username": name, "password": password}, headers=headers)
    if door == "voltmx":
        return client.post(VOLTMX, {"userid": name, "password": password}, headers=headers)
    credentials = base64.b64encode(f"{name}:{password}".encode()).decode()
    return client.get(ZEMENTIS, headers={"Authorization": f"Basic {credentials}", **headers})


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", ["viewer-user", "no-such-user"])
def test_an_account_is_locked_whether_or_not_it_exists(
    user_of: Callable[..., User], settings: Any, door: str, name: str
) -> None:
    settings.LOGIN_ATTEMPTS = 2
    user_of(Role.VIEWER)
    refused = 200 if door == "console" else 401
    answers = [knock(door, name, "wrong") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [refused, refused, 429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 900


@pytest.mark.parametrize("door", DOORS)
def test_the_right_password_does_not_help_while_locked(user_of: Callable[..., User], settings: Any, door: str) -> None:
    settings.LOGIN_ATTEMPTS = 1
    user_of(Role.VIEWER)
    knock(door, "viewer-user", "wrong")
    assert knock(door, "viewer-user", PASSWORD).status_code == 429


def test_the_doors_share_their_count(user_of: Callable[..., User], settings: Any) -> None:
    settings.LOGIN_ATTEMPTS = 3
    user_of(Role.VIEWER)
    for door in DOORS:
        knock(door, "viewer-user", "wrong")
    assert [knock(door, "viewer-user", PASSWORD).status_code for door in DOORS] == [429, 429, 429]


def test_an_address_is_locked_over_all_accounts_and_doors(db: None, settings: Any) -> None:
    settings.LOGIN_ATTEMPTS = 1
    told = [knock(DOORS[number % 3], f"u{number}", "wrong").status_code for number in range(6)]
    assert told == [200, 401, 401, 200, 401, 429]


def test_behind_a_trusted_proxy_the_clients_address_counts(db: None, settings: Any) -> None:
    settings.LOGIN_ATTEMPTS, settings.TRUSTED_PROXIES = 1, 1
    for number in range(5):
        knock("voltmx", f"u{number}", "wrong", **{"X-Forwarded-For": "6.6.6.6, 192.0.2.1"})
    told = [
        knock("voltmx", "another", "wrong", **{"X-Forwarded-For": f"6.6.6.6, {address}"}).status_code
        for address in ("192.0.2.1", "192.0.2.2")
    ]
    assert told == [429, 401]


def test_an_ipv6_client_is_known_by_its_network(db: None, settings: Any) -> None:
    settings.LOGIN_ATTEMPTS, settings.TRUSTED_PROXIES = 1, 1
    told = [
        knock("voltmx", f"u{number}", "wrong", **{"X-Forwarded-For": address}).status_code
        for number, address in enumerate([*(f"2001:db8::{host:x}" for host in range(6)), "2001:db8:0:1::1"])
    ]
    assert told == [401, 401, 401, 401, 401, 429, 401]


@pytest.mark.parametrize("door", DOORS)
def test_unknown_inactive_and_known_accounts_cost_one_hash_and_read_alike(
    user_of: Callable[..., User], monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    user_of(Role.VIEWER)
    user_of(Role.EDITOR, is_active=False)
    calls: list[str] = []
    hasher = hashers.get_hasher()
    real = type(hasher).encode

    def counted(*arguments: Any) -> Any:
        calls.append("hash")
        return real(*arguments)

    monkeypatch.setattr(type(hasher), "encode", counted)
    seen = set()
    for name in ("viewer-user", "editor-user", "no-such-user"):
        calls.clear()
        answer = knock(door, name, "wrong")
        text = answer.content.decode().replace(name, "?") if door == "zementis" else ""
        seen.add((answer.status_code, len(calls), text))
    assert len(seen) == 1
    assert {count for _, count, _ in seen} == {1}


def test_a_member_without_staff_rights_reads_what_a_wrong_password_reads(user_of: Callable[..., User]) -> None:
    user = user_of(Role.VIEWER)
    user.is_staff = False
    user.save()
    right, wrong = (knock("console", "viewer-user", password) for password in (PASSWORD, "wrong"))
    assert right.context["form"].non_field_errors() == wrong.context["form"].non_field_errors()


def test_guesses_of_the_metrics_token_are_held_up_and_the_right_one_is_not(db: None, settings: Any) -> None:
    settings.LOGIN_ATTEMPTS, settings.METRICS_TOKEN, settings.METRICS_ALLOW_ADDRESSES = 1, "sesame", []
    guesses = ["a", "b", "c", "d", "e", "f", "sesame"]
    told = [Client().get("/metrics", headers={"Authorization": f"Bearer {guess}"}).status_code for guess in guesses]
    assert told == [401, 401, 401, 401, 401, 429, 200]


def test_guesses_of_the_old_password_in_an_open_session_count_with_those_at_the_doors(
    user_of: Callable[..., User], settings: Any
) -> None:
    settings.LOGIN_ATTEMPTS = 2
    user, client = user_of(Role.VIEWER), Client()
    client.force_login(user)
    fresh = "another horse battery"

    def change(old: str) -> Any:
        sent = {"old_password": old, "new_password1": fresh, "new_password2": fresh}
        return client.post("/admin/password_change/", sent)

    told = [change(old) for old in ("wrong", "wrong", "wrong", PASSWORD)]
    assert [answer.status_code for answer in told] == [200, 200, 429, 429]
    assert 0 < int(told[-1]["Retry-After"]) <= 900 and b"try again in" in told[-1].content
    user.refresh_from_db()
    assert (user.check_password(PASSWORD), knock("voltmx", "viewer-user", PASSWORD).status_code) == (True, 429)
    doors = [entry.details()["changes"]["door"] for entry in AuditEntry.objects.filter(action="login.failed")]
    assert doors == ["password change"] * 2
    FailedLogins.objects.all().delete()
    assert [change("wrong").status_code, change(PASSWORD)["Location"]] == [200, "/admin/password_change/done/"]
    # The right one forgives, and the new one opens.
    settings.LOGIN_ATTEMPTS = 1
    assert knock("voltmx", "viewer-user", fresh).status_code == 200
