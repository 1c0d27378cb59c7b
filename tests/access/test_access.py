"""Every address of the URL configuration, with every method, for every kind of caller, against the table."""

from __future__ import annotations

import base64
from collections import Counter
from copy import copy
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.template.response import TemplateResponse
from django.test import Client
from django.urls import resolve
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from drf_spectacular.views import SpectacularAPIView
from rest_framework.response import Response

from accounts import audit, second_factor, tokens, totp
from accounts.models import ApiToken, Identity
from accounts.roles import Role
from scheduler import jobs
from scheduler.models import Calendar, JobChange, Limit, Process
from scheduler.models.alert import AlertRule, Channel, Delivery, Incident, Ping
from scheduler.secret import Secret
from tests.access.rows import IDENTITIES, Outcome, Row, routes, rows, rows_when_on
from tests.scheduler.factories import a_job
from tests.zementis.factories import a_model
from voltmx import tokens as claims
from voltmx.models import AccountSession, Service
from zementis import authentication
from zementis.models import InferencePage, ManagedObject

PASSWORD = "correct horse battery"
# Not an address that anything is opened to.
ADDRESS = "203.0.113.9"
ROWS = rows()
# Whether who asks, what is asked for or how it is asked comes first is the address's own affair.
ABSENT = (401, 403, 404, 405, "login")


@pytest.fixture
def things(db: None) -> dict[str, Any]:
    """One row of each table, by name, for the addresses that name one."""
    job = a_job()
    execution = jobs.run_now(job, by="tests")
    # Those of jobs cannot be deleted by anybody.
    interval = IntervalSchedule.objects.create(every=1, period="days")
    clocked = ClockedSchedule.objects.create(clocked_time=timezone.now())
    entry = PeriodicTask.objects.create(name="my own", task="x", interval=interval)
    user = User.objects.create_user("somebody")
    token, _ = _token(user, "any")
    claims.open_session(user)
    channel = Channel.objects.create(name="mail", url="mailto://u:p@example.com")
    rule = AlertRule.objects.create()
    incident = Incident.objects.create(rule=rule, job=job, execution_id=execution.pk, summary="failed")
    device = ManagedObject.objects.create(name="machine", owner="tests")
    return {
        "accounts.apitoken": token.pk,
        "accounts.auditentry": audit.record("probe.made").pk,
        "accounts.identity": Identity.objects.create(user=user, issuer="https://id.example.com", subject="1").pk,
        "accounts.secondfactor": _factor(user),
        "auth.group": Group.objects.create(name="team").pk,
        "auth.user": user.pk,
        "django_celery_beat.clockedschedule": clocked.pk,
        "django_celery_beat.crontabschedule": CrontabSchedule.objects.create().pk,
        "django_celery_beat.intervalschedule": interval.pk,
        "django_celery_beat.periodictask": entry.pk,
        "django_celery_beat.solarschedule": SolarSchedule.objects.create(event="sunset", latitude=1, longitude=1).pk,
        "scheduler.alertrule": rule.pk,
        "scheduler.channel": channel.pk,
        "scheduler.delivery": Delivery.objects.create(purpose="test", channel=channel, title="t", body="b").pk,
        "scheduler.incident": incident.pk,
        "scheduler.ping": Ping.objects.create(job=job, url="https://example.com/ping").pk,
        "scheduler.calendar": Calendar.objects.create(name="holidays", updated_by="tests").pk,
        "scheduler.execution": execution.pk,
        "scheduler.job": job.pk,
        "scheduler.jobchange": JobChange.objects.latest("id").pk,
        "scheduler.limit": Limit.objects.create(key="k", runs=1).pk,
        "scheduler.process": Process.objects.create(name="worker@h:1:1", kind="worker", hostname="h", pid=1).pk,
        "voltmx": 1,
        "voltmx.accountsession": AccountSession.objects.get().pk,
        "voltmx.service": Service.objects.create(name="crm").pk,
        "zementis.inferencepage": InferencePage.objects.create(
            execution=execution, attempt=1, page=1, device=device.pk, rows=1, data=b""
        ).pk,
        "zementis.managedobject": device.pk,
        "zementis.scoringmodel": a_model().pk,
    }


@pytest.fixture(autouse=True)
def _light(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages have no part in who gets in, and take their time."""
    # Refused tokens are what most of these requests are about.
    settings.LOGIN_ATTEMPTS = 10_000
    monkeypatch.setattr(TemplateResponse, "render", _rendered)
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
            self._log_in(_member(identity), surface)
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


def _member(role: str) -> User:
    user, is_new = User.objects.get_or_create(username=f"{role}-user", is_staff=True)
    if is_new:
        user.set_password(PASSWORD)
        user.save()
        if role != "nobody":
            user.groups.add(Group.objects.get(name=role))
    return user


def _factor(user: User) -> int:
    made = second_factor.make(user, Secret.of(totp.new_seed()), step=0)
    assert made is not None
    return int(made[0].pk)


def _worthless(identity: str, surface: str) -> str:
    if identity == "expired":
        token, secret = _token(_member("administrator"), "any")
        ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now())
        return secret
    return _token(_member("administrator"), "voltmx" if surface == "zementis" else "zementis")[1]


def _token(owner: User, surface: str) -> tuple[ApiToken, str]:
    ends = timezone.now() + timedelta(days=1)
    return tokens.issue("token", owner=owner, role=Role.ADMINISTRATOR, surface=surface, expires_at=ends, by="tests")


def _path(row: Row, things: dict[str, Any]) -> str:
    path = row.path
    for name, key in things.items():
        path = path.replace(f"{{{name}}}", str(key))
    return path


def _rendered(response: TemplateResponse) -> TemplateResponse:
    response.content = b""
    return response
