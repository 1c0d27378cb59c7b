"""Every address of the URL configuration, with every method, for every kind of caller, against the table."""

from __future__ import annotations

import base64
from collections import Counter
from copy import copy
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.template.response import TemplateResponse
from django.test import Client
from django.urls import resolve
from django.utils import timezone
from drf_spectacular.views import SpectacularAPIView
from rest_framework.response import Response

from accounts.models import ApiToken
from tests.access.conftest import ADDRESS, PASSWORD, a_token, member, rendered
from tests.access.rows import IDENTITIES, Outcome, Row, routes, rows, rows_when_on
from voltmx import tokens as claims
from zementis import authentication

ROWS = rows()
# Whether who asks, what is asked for or how it is asked comes first is the address's own affair.
ABSENT = (401, 403, 404, 405, "login")


@pytest.fixture(autouse=True)
def _light(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages have no part in who gets in, and take their time."""
    # Refused tokens are what most of these requests are about.
    settings.LOGIN_ATTEMPTS = 10_000
    monkeypatch.setattr(TemplateResponse, "render", rendered)
    monkeypatch.setattr(SpectacularAPIView, "_get_schema_response", lambda view, request: Response({}))
    authentication.verified.clear()


def test_every_address_is_in_the_table() -> None:
    there, told = set(routes()), {row.route for row in ROWS}
    assert (sorted(there - told), sorted(told - there)) == ([], [])


def test_no_address_is_told_twice() -> None:
    assert [key for key, times in Counter((row.route, row.method) for row in ROWS).items() if times > 1] == []


def test_every_example_leads_to_its_address(things: dict[str, Any]) -> None:
    led = {row.route: resolve("/" + _path(row, things).partition("?")[0]).route for row in ROWS}
    # Where a pattern begins inside of another, Django leaves the mark of its beginning out.
    assert {route: found for route, found in led.items() if found != route.replace("/^", "/")} == {}


@pytest.mark.parametrize("identity", IDENTITIES)
def test_everybody_gets_in_where_the_table_says_and_nowhere_else(things: dict[str, Any], identity: str) -> None:
    callers = {surface: Caller(identity, surface) for surface in {row.surface for row in ROWS}}
    place = IDENTITIES.index(identity)
    wrong = {}
    for row in ROWS:
        if row.outcomes[place] == "absent" and identity not in ("anonymous", "administrator"):
            # What is not there for those two is there for nobody between them.
            continue
        expected, found = row.outcomes[place], callers[row.surface].tries(row, things)
        if found != expected and not (expected == "absent" and found in ABSENT):
            wrong[f"{row.method} {row.route}"] = (expected, found)
    assert wrong == {}


def test_addresses_that_settings_switch_on_open_as_the_table_says(things: dict[str, Any], settings: Any) -> None:
    settings.MFA, settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = "optional", "http://127.0.0.1:9", "console"
    wrong = {}
    for place, identity in enumerate(IDENTITIES):
        caller = Caller(identity, "console")
        for row in rows_when_on():
            expected, found = row.outcomes[place], caller.tries(row, things)
            if found != expected and not (expected == "absent" and found in ABSENT):
                wrong[f"{identity}: {row.method} {row.route}"] = (expected, found)
    assert wrong == {}


class Caller:
    """One identity at the door of one surface, with the login that is usual there."""

    def __init__(self, identity: str, surface: str) -> None:
        self._client = Client(raise_request_exception=False, REMOTE_ADDR=ADDRESS)
        self._headers: dict[str, str] = {}
        if identity in ("expired", "other"):
            self._headers["Authorization"] = f"Bearer {_worthless(identity, surface)}"
        elif identity != "anonymous":
            self._log_in(member(identity), surface)
        self._cookies = copy(self._client.cookies)

    def tries(self, row: Row, things: dict[str, Any]) -> Outcome:
        """Return the outcome in the table's words. What the request did is undone."""
        # A logout has taken the cookies along; its end of the session is undone.
        self._client.cookies = copy(self._cookies)
        with transaction.atomic():
            response = self._client.generic(
                row.method, "/" + _path(row, things), b"", "application/json", headers=self._headers
            )
            transaction.set_rollback(True)
        if response.status_code == 302 and response["Location"].startswith("/admin/login/"):
            return "login"
        if response.status_code in (401, 403, 405, 429) or response.status_code >= 500:
            return response.status_code
        return 404 if response.status_code == 404 and "absent" in row.outcomes else "in"

    def _log_in(self, user: User, surface: str) -> None:
        if surface == "console":
            self._client.force_login(user)
        elif surface in ("zementis", "jobsite"):
            credentials = base64.b64encode(f"{user.username}:{PASSWORD}".encode()).decode()
            self._headers["Authorization"] = f"Basic {credentials}"
        else:
            self._headers["X-VoltMX-Authorization"] = claims.open_session(user).claims


def _worthless(identity: str, surface: str) -> str:
    if identity == "expired":
        token, secret = a_token(member("administrator"), "any")
        ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now())
        return secret
    return a_token(member("administrator"), "voltmx" if surface == "zementis" else "zementis")[1]


def _path(row: Row, things: dict[str, Any]) -> str:
    path = row.path
    for name, key in things.items():
        path = path.replace(f"{{{name}}}", str(key))
    return path
