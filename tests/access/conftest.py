"""One row of each table, people of each role, and pages that are not drawn."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.template.response import TemplateResponse
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from accounts import audit, second_factor, tokens, totp
from accounts.models import ApiToken, Identity
from accounts.roles import Role
from scheduler import jobs
from scheduler.models import Calendar, JobChange, Limit, Process
from scheduler.models.alert import AlertRule, Channel, Delivery, Incident, Ping
from scheduler.secret import Secret
from tests.scheduler.factories import a_job
from tests.zementis.factories import a_model
from voltmx import tokens as claims
from voltmx.models import AccountSession, Service
from zementis.models import InferencePage, ManagedObject

PASSWORD = "correct horse battery"
# Not an address that anything is opened to.
ADDRESS = "203.0.113.9"


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
    token, _ = a_token(user, "any")
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


def member(role: str) -> User:
    user, is_new = User.objects.get_or_create(username=f"{role}-user", is_staff=True)
    if is_new:
        user.set_password(PASSWORD)
        user.save()
        if role != "nobody":
            user.groups.add(Group.objects.get(name=role))
    return user


def a_token(owner: User, surface: str) -> tuple[ApiToken, str]:
    ends = timezone.now() + timedelta(days=1)
    return tokens.issue("token", owner=owner, role=Role.ADMINISTRATOR, surface=surface, expires_at=ends, by="tests")


def rendered(response: TemplateResponse) -> TemplateResponse:
    response.content = b""
    return response


def _factor(user: User) -> int:
    made = second_factor.make(user, Secret.of(totp.new_seed()), step=0)
    assert made is not None
    return int(made[0].pk)
