"""Plants hostile texts in every table that the console shows: a process of its own, in the database of a stack.

Prints JSON: the pages of lists, of rows, of their ends and of previews, by name, and the session of a superuser with a
hostile name.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import django

from tests.browser.hostile import HOSTILE, WORST

_YEARLY = "0 0 3 1 1 ? *"


def plant() -> dict[str, Any]:
    """What there is to visit."""
    from django.contrib import admin
    from django.contrib.admin.models import CHANGE, LogEntry
    from django.contrib.auth.models import Group, User
    from django.contrib.contenttypes.models import ContentType
    from django.db import transaction
    from django.urls import reverse

    from scheduler.models import Calendar, Execution, Job
    from zementis.models import InferencePage

    with transaction.atomic():
        user = User.objects.create(
            username=WORST, first_name=WORST[:150], last_name=HOSTILE[1], email=WORST, is_staff=True, is_superuser=True
        )
        group = Group.objects.create(name=WORST)
        rows = [user, group, *_core(), *_alerts(), *_devices_and_models(), *_accounts(user), *_registry(user)]
        LogEntry.objects.create(
            user=user,
            content_type=ContentType.objects.get_for_model(rows[2]),
            object_id=str(rows[2].pk),
            object_repr=WORST,
            action_flag=CHANGE,
            change_message=WORST,
        )
    # The texts are planted in turn and the worst comes last: it is what the newest row of a table has.
    newest = {type(row): row for row in rows}
    pages: dict[str, dict[str, str]] = {"lists": {"dashboard": reverse("admin:index")}, "rows": {}, "ends": {}}
    pages["previews"] = _previews([row.pk for row in rows if isinstance(row, Calendar)])
    for model, site in admin.site._registry.items():
        name = str(model._meta.model_name)
        address = f"/admin/{model._meta.app_label}/{name}/"
        pages["lists"][name] = address
        if model in (Job, Execution):
            pages["lists"][f"{name} found"] = f"{address}?{urlencode({'q': WORST})}"
        if model in newest:
            pages["rows"][name] = reverse(f"admin:{model._meta.app_label}_{name}_change", args=[newest[model].pk])
            if model in (Job, User):
                pages["ends"][f"{name} history"] = pages["rows"][name].replace("/change/", "/history/")
            if site.has_delete_permission(_of(user), newest[model]):
                pages["ends"][f"{name} delete"] = pages["rows"][name].replace("/change/", "/delete/")
    for place, row in enumerate(rows):
        if isinstance(row, Job) and row.name.startswith(WORST):
            for page in ("change", "edit"):
                pages["rows"][f"job {place} {page}"] = reverse(f"admin:scheduler_job_{page}", args=[row.pk])
            pages["rows"][f"job {place} clone"] = f"{reverse('admin:scheduler_job_add')}?clone={row.pk}"
            why = reverse("admin:scheduler_job_why", args=[row.pk])
            pages["rows"][f"job {place} why"] = f"{why}?{urlencode({'at': '2026-01-01T03:00:00', 'zone': WORST})}"
        if isinstance(row, Execution) and row.job.name.startswith(WORST):
            pages["rows"][f"run {place}"] = reverse("admin:scheduler_execution_change", args=[row.pk])
    pages["rows"]["plot"] = reverse("admin:zementis_inferences", args=[newest[InferencePage].execution_id])
    pages["rows"]["test call"] = pages["rows"]["service"].replace("/change/", "/test-call/")
    pages["rows"]["model to try"] = reverse("admin:zementis_scoringmodel_change", args=[_model_to_try().pk])
    return {"pages": pages, "session": _session(user)}


def _previews(calendars: list[int]) -> dict[str, str]:
    """What the job form shows beneath hostile schedules, and beneath one that falls on a day with a hostile name."""
    from django.urls import reverse

    typed: dict[str, dict[str, Any]] = {"closed day": {"run_at": "2140-01-01 03:00", "zone": "UTC"}}
    typed["closed day"]["calendars"] = calendars[-1]
    for place, text in enumerate(HOSTILE):
        typed[f"expression {place}"] = {"expression": text, "zone": "UTC"}
        typed[f"zone {place}"] = {"expression": _YEARLY, "zone": text}
        typed[f"instant {place}"] = {"run_at": f"2140-01-01 {text}", "zone": "UTC"}
    address = reverse("admin:scheduler_job_preview")
    return {name: f"{address}?{urlencode(fields)}" for name, fields in typed.items()}


def _of(user: Any) -> Any:
    from django.test import RequestFactory

    request = RequestFactory().get("/")
    request.user = user
    return request


def _session(user: Any) -> str:
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


def _core() -> list[Any]:
    """Calendars, limits, processes, entries; jobs with edits, and with runs that tell of everything."""
    from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

    from scheduler import jobs
    from scheduler.calendars import store
    from scheduler.models import JobChange, Limit, Process
    from scheduler.schedule import Schedule

    rows: list[Any] = []
    for place, text in enumerate(reversed(HOSTILE)):
        calendar = store.save(
            None,
            store.Rules(name=text[:100], description=text, dates=f"2140-01-01 {_line(text)}", ical_name=text),
            by=text,
        )
        definition = jobs.Definition(
            name=text,
            description=text,
            active=False,
            schedule=Schedule(expression=_YEARLY, zone="UTC"),
            arguments=_arguments(text),
            headers={"x-hostile": text},
            calendars=(calendar.pk,),
            history_strategy="FULL",
            concurrency_key=text[:255],
        )
        job = jobs.create("voltmx", definition, by=text)
        jobs.update(job, {"description": f"{text} again"}, by=text)
        rows += [calendar, job, *_runs(job, text)]
        rows.append(Limit.objects.create(key=text, runs=place + 1))
        rows.append(
            Process.objects.create(
                name=f"worker@{text}",
                kind=Process.Kind.WORKER,
                hostname=text,
                pid=1,
                queues=[text[:64]],
                info={text: text},
            )
        )
    rows.append(JobChange.objects.latest("id"))
    interval = IntervalSchedule.objects.create(every=1, period="days")
    rows.append(interval)
    rows.append(CrontabSchedule.objects.create(minute="1"))
    rows.append(
        PeriodicTask.objects.create(
            name=WORST, task=WORST, interval=interval, enabled=False, description=WORST, args=json.dumps([WORST])
        )
    )
    return rows


def _line(text: str) -> str:
    return " ".join(text.split())[:100]


def _arguments(text: str) -> dict[str, Any]:
    info = {
        "version": "1.0",
        "serviceType": "intSer",
        "serviceName": "demo",
        "objectName": "",
        "operationName": "echo",
        "requestheaderMap": {},
        "serviceExecutionType": "SERVER_URL",
        "postData": json.dumps({text: text}),
        "operationSecurityLevel": "public",
    }
    return {"jobServiceInfo": info}


def _runs(job: Any, text: str) -> list[Any]:
    from scheduler.models import Execution, Status
    from scheduler.models.execution import Attempt, Payload

    now = datetime.now(UTC)
    found = []
    for number, status in enumerate((Status.FAILED, Status.SUCCEEDED), start=1):
        at = now - timedelta(minutes=number)
        run = Execution.objects.create(
            job=job,
            number=number,
            scheduled_for=at,
            status=status,
            frequency=text,
            queue=text[:64],
            concurrency_key=text,
            created_at=at,
            ready_at=at,
            started_at=at,
            ended_at=at + timedelta(seconds=1),
            attempt=2,
            worker=text,
            requested_by=text,
            request_id=text[:64],
            arguments=_arguments(text),
            messages=[text, f"{text} twice"],
            complete=True,
        )
        Payload.objects.create(execution=run, request={text: [text]}, response={"body": text, text: {text: text}})
        Attempt.objects.create(execution=run, number=1, worker=text, started_at=at, ended_at=at, message=text)
        found.append(run)
    return found


def _alerts() -> list[Any]:
    from scheduler.models import Execution, Job
    from scheduler.models.alert import AlertRule, Channel, Delivery, Incident, Ping

    job = Job.objects.get(name=WORST)
    run = Execution.objects.filter(job=job).latest("id")
    now = datetime.now(UTC)
    later = now + timedelta(seconds=1)
    rows: list[Any] = []
    for text in reversed(HOSTILE):
        channel = Channel.objects.create(name=text[:100], url="json://127.0.0.1:9/", enabled=False)
        rule = AlertRule.objects.create(job=job, enabled=False)
        rule.channels.add(channel)
        incident = Incident.objects.create(
            rule=rule, job=job, execution_id=run.pk, number=run.number, summary=text, opened_at=now, closed_at=later
        )
        delivery = Delivery.objects.create(
            purpose="alert", channel=channel, incident=incident, title=text, body=text, state=2, problem=text,
            ended_at=later,
        )  # fmt: skip
        rows += [channel, rule, incident, delivery]
    rows.append(Ping.objects.create(job=job, url="http://127.0.0.1:9/", last_problem=WORST))
    return rows


def _devices_and_models() -> list[Any]:
    """Devices and groups, and models of which every word was made up; a scoring run with inferences to plot."""
    import numpy as np

    from scheduler import jobs
    from scheduler.models import Execution, Status
    from scheduler.schedule import Schedule
    from zementis.devices import managed_objects
    from zementis.inference_pages import PageStore
    from zementis.models import InferencePage, ModelSource, ModelVersion, ScoringModel
    from zementis.page_encoding import PageMaker

    rows: list[Any] = []
    source = ModelSource.objects.create(content_hash="0" * 64, content=b"<PMML/>")
    for text in reversed(HOSTILE):
        device = managed_objects.create({"name": text, "type": text, "c8y_IsDevice": {}, "x": {"note": text}}, by=text)
        group = managed_objects.create(
            {"name": f"{text} all", "type": "c8y_DeviceGroup", "c8y_IsDeviceGroup": {}}, by=text
        )
        managed_objects.add_children(group.pk, [device.pk], kind="asset")
        model = ScoringModel.objects.create(name=text, created_by=text)
        field = {"name": text, "type": text, "usage": text}
        ModelVersion.objects.create(
            model=model,
            number=1,
            source=source,
            format="PMML",
            file_name=text,
            size_bytes=7,
            description={
                "name": text,
                "description": text,
                "format": "PMML",
                "model_class": text,
                "inputs": [field],
                "outputs": [field],
                "accepts_missing": False,
                "engine": "trees",
                "engine_reason": text,
                "creation_date": None,
            },
            uploaded_by=text,
        )
        rows += [device, model]
    arguments = {
        "target": device.pk,
        "is_group": False,
        "model": WORST,
        "mappings": dict.fromkeys(HOSTILE, "a.b.value"),
        "data_from_previous_seconds": 60,
    }
    schedule = Schedule(expression=_YEARLY, zone="UTC")
    definition = jobs.Definition(name=f"{WORST} scored", schedule=schedule, active=False, arguments=arguments)
    job = jobs.create("zementis", definition, by=WORST)
    now = datetime.now(UTC)
    run = Execution.objects.create(
        job=job, number=1, scheduled_for=now, status=Status.SUCCEEDED, queue="inference", created_at=now, ready_at=now,
        started_at=now, ended_at=now, attempt=1,
    )  # fmt: skip
    times = np.arange(3, dtype=np.int64) * 1_000_000
    pages, store = PageMaker(), PageStore(run.pk, 1)
    store.put(pages.add(device.pk, times, {text: np.array([1.0, 2.0, 3.0]) for text in HOSTILE}))
    store.put(pages.end(device.pk))
    store.flush()
    return [*rows, job, run, InferencePage.objects.get(execution=run)]


def _model_to_try() -> Any:
    """A model that answers with hostile names, and with the hostile texts that it is given."""
    from onnx import helper

    from tests.zementis.inference import onnx_files
    from zementis import model_store
    from zementis.models import ScoringModel

    made = onnx_files.model(
        [helper.make_node("Identity", [text], [f"{text} out"]) for text in HOSTILE],
        inputs=[(text, onnx_files.STRING, (None, 1)) for text in HOSTILE],
        outputs=[(f"{text} out", onnx_files.STRING, (None, 1)) for text in HOSTILE],
    )
    stored = model_store.upload(made.SerializeToString(), file_name=f"{WORST} to try.onnx", format="ONNX", by=WORST)
    return ScoringModel.objects.get(name=stored.name)


def _accounts(user: Any) -> list[Any]:
    from django.contrib.auth.models import User

    from accounts import audit, second_factor, tokens, totp
    from accounts.models import Identity
    from accounts.roles import Role
    from scheduler.secret import Secret

    expires = datetime.now(UTC) + timedelta(days=1)
    # Not the visitor's: they would be asked for it.
    made = second_factor.make(User.objects.create(username=HOSTILE[1]), Secret.of(totp.new_seed()), step=0)
    assert made is not None
    rows: list[Any] = [made[0]]
    for text in reversed(HOSTILE):
        rows.append(tokens.issue(text[:100], owner=user, role=Role.VIEWER, expires_at=expires, by=text)[0])
        rows.append(Identity.objects.create(user=user, issuer=text, subject=text[:255]))
        rows.append(audit.record("probe.made", target=text, changes={text: [text, {text: text}]}, by=text))
    return rows


def _registry(user: Any) -> list[Any]:
    from voltmx import tokens as claims
    from voltmx.models import AccountSession, Service

    claims.open_session(user)
    service = Service.objects.create(
        name=WORST,
        version=HOSTILE[5][:10],
        description=WORST,
        username=WORST,
        app_key=WORST,
        identity=WORST,
        active=False,
    )
    return [service, AccountSession.objects.latest("created_at")]


def main() -> int:
    """The exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jobsite.settings")
    django.setup()
    print(json.dumps(plant()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
