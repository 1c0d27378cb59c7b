"""API tokens: good for their surface, their role, their time and their owner, and not beyond."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts.models import ApiToken
from accounts.roles import Role

VOLTMX, ZEMENTIS = "/admin/api/jobs/job", "/service/zementis/jobs"
SURFACES = pytest.mark.parametrize("path", [VOLTMX, ZEMENTIS])
Users = Callable[..., User]
Tokens = Callable[..., tuple[ApiToken, str]]


def asked(secret: str, path: str, method: str = "GET") -> Any:
    return Client().generic(method, path, headers={"Authorization": f"Bearer {secret}"})


@SURFACES
def test_a_token_opens_both_surfaces(user_of: Users, token_of: Tokens, path: str) -> None:
    _, secret = token_of(user_of(Role.VIEWER))
    assert asked(secret, path).status_code == 200


def test_a_token_of_one_surface_is_none_on_the_other(user_of: Users, token_of: Tokens) -> None:
    owner = user_of(Role.VIEWER)
    secrets = {surface: token_of(owner, surface=surface)[1] for surface in ("voltmx", "zementis")}
    told = {
        (surface, path): asked(secret, path).status_code
        for surface, secret in secrets.items()
        for path in (VOLTMX, ZEMENTIS)
    }
    assert told == {
        ("voltmx", VOLTMX): 200,
        ("voltmx", ZEMENTIS): 401,
        ("zementis", VOLTMX): 401,
        ("zementis", ZEMENTIS): 200,
    }


def test_refusals_are_told_in_each_surfaces_own_form(db: None) -> None:
    assert asked("jst_none", VOLTMX).json() == {
        "status": "FAIL",
        "result": None,
        "message": "The bearer token is not valid, or no longer",
        "token": None,
    }
    assert asked("jst_none", ZEMENTIS).json()["message"] == "Not authorized!"


@SURFACES
@pytest.mark.parametrize(("owner", "role"), [(Role.ADMINISTRATOR, Role.VIEWER), (Role.VIEWER, Role.ADMINISTRATOR)])
def test_rights_are_what_owner_and_role_have_in_common(
    user_of: Users, token_of: Tokens, path: str, owner: Role, role: Role
) -> None:
    _, secret = token_of(user_of(owner), role)
    target = f"{path}/1" if path == VOLTMX else "/service/zementis/job/1"
    assert (asked(secret, path).status_code, asked(secret, target, "DELETE").status_code) == (200, 403)


def test_a_superusers_token_has_no_more_than_its_role(token_of: Tokens) -> None:
    _, secret = token_of(User.objects.create_superuser("root"), Role.VIEWER)
    assert asked(secret, f"{VOLTMX}/1", "DELETE").status_code == 403


@SURFACES
def test_an_expired_token_is_refused(user_of: Users, token_of: Tokens, path: str) -> None:
    token, secret = token_of(user_of(Role.VIEWER))
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now())
    assert asked(secret, path).status_code == 401


@SURFACES
def test_a_revoked_token_is_refused_at_once(user_of: Users, token_of: Tokens, path: str) -> None:
    token, secret = token_of(user_of(Role.VIEWER))
    assert asked(secret, path).status_code == 200
    call_command("api_token", "revoke", token.prefix, stdout=StringIO())
    assert asked(secret, path).status_code == 401


@SURFACES
def test_a_token_ends_with_its_owners_account(user_of: Users, token_of: Tokens, path: str) -> None:
    owner = user_of(Role.VIEWER)
    _, secret = token_of(owner)
    owner.is_active = False
    owner.save()
    assert asked(secret, path).status_code == 401


def test_only_a_hash_is_stored(user_of: Users, token_of: Tokens) -> None:
    token, secret = token_of(user_of(Role.VIEWER))
    stored = ApiToken.objects.values().get(pk=token.pk)
    assert [name for name, value in stored.items() if secret[12:] in str(value)] == []
    assert (len(secret), stored["prefix"]) == (47, secret[:12])


def test_the_last_use_is_written_at_most_once_a_minute(user_of: Users, token_of: Tokens) -> None:
    token, secret = token_of(user_of(Role.VIEWER))
    asked(secret, VOLTMX)
    token.refresh_from_db()
    first = token.last_used_at
    asked(secret, VOLTMX)
    token.refresh_from_db()
    assert first is not None
    assert token.last_used_at == first
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=first - timedelta(minutes=2))
    asked(secret, VOLTMX)
    token.refresh_from_db()
    assert token.last_used_at > first - timedelta(seconds=1)


def test_guesses_of_one_address_are_held_up_and_good_tokens_are_not(
    user_of: Users, token_of: Tokens, settings: Any
) -> None:
    settings.LOGIN_ATTEMPTS = 1
    _, good = token_of(user_of(Role.VIEWER))
    told = [asked(f"jst_{number}", path).status_code for number in range(3) for path in (VOLTMX, ZEMENTIS)]
    assert told == [401] * 5 + [429]
    assert int(asked("jst_more", VOLTMX)["Retry-After"]) > 0
    assert asked(good, VOLTMX).status_code == 200


def test_the_admin_shows_the_secret_once(user_of: Users, client: Client) -> None:
    administrator = user_of(Role.ADMINISTRATOR)
    client.force_login(administrator)
    fields = {"name": "n", "owner": administrator.pk, "surface": "any", "role": "viewer"}
    answer = client.post(
        "/admin/accounts/apitoken/add/", {**fields, "expires_at_0": "2099-01-01", "expires_at_1": "00:00:00"}
    )
    found = re.search(r"jst_[\w-]{43}", answer.content.decode())
    assert found is not None
    token = ApiToken.objects.get()
    page = client.get(f"/admin/accounts/apitoken/{token.pk}/change/").content.decode()
    assert ("no-store" in answer["Cache-Control"], found[0] in page, token.prefix in page) == (True, False, True)
    assert asked(found[0], VOLTMX).status_code == 200


def test_an_administrator_makes_no_token_that_speaks_for_a_superuser(user_of: Users, client: Client) -> None:
    root = User.objects.create_superuser("root")
    fields = {"name": "n", "owner": root.pk, "surface": "any", "role": "viewer", "expires_at_0": "2099-01-01"}
    told = []
    for user in (user_of(Role.ADMINISTRATOR), root):
        client.force_login(user)
        client.post("/admin/accounts/apitoken/add/", {**fields, "expires_at_1": "00:00:00"})
        told.append(ApiToken.objects.filter(owner=root).count())
    assert told == [0, 1]


def test_the_command_makes_lists_and_revokes(user_of: Users) -> None:
    owner = user_of(Role.OPERATOR)
    out = StringIO()
    call_command("api_token", "create", "from cron", "--owner", owner.username, "--role", "operator", stdout=out)
    secret = out.getvalue().strip()
    assert asked(secret, ZEMENTIS).status_code == 200
    call_command("api_token", "list", stdout=out)
    assert f"{secret[:12]} live any operator operator-user" in out.getvalue()


def test_the_command_refuses_an_owner_that_is_not_there(db: None) -> None:
    with pytest.raises(CommandError, match="there is no user nobody"):
        call_command("api_token", "create", "x", "--owner", "nobody")
