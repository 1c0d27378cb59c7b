"""Marked secrets are planted wherever secrets go in, things are run, and every output is searched for the marks."""

from __future__ import annotations

import base64
import json
import logging
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from redis import Redis

from accounts import audit, tokens
from accounts.roles import Role
from jobsite import health
from jobsite.logs import JsonFormatter, TextFormatter
from scheduler import jobs, messages, notices, runner
from scheduler.alerts import deliveries
from scheduler.alerts.watched import watched
from scheduler.models import AlertRule, Channel, Condition, Delivery, Execution, Incident, Job, JobChange, Ping, Status
from tests.access.commands import COMMANDS, SAID
from tests.access.echoing import Echo
from tests.access.marks import mark, plain, seen
from tests.access.rows import rows
from tests.http_server import PatientServer
from tests.voltmx.wire import Wire, sample
from voltmx.foundry import answers as vendor_answers
from voltmx.foundry import identity
from voltmx.models import AccountSession, Service
from zementis.devices.cumulocity import CumulocitySource
from zementis.devices.source import DataSourceError


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    """The echoing service's address."""
    server = PatientServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Logs(logging.Handler):
    """Keeps every line, in both formats."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += [JsonFormatter().format(record), TextFormatter().format(record)]


@pytest.fixture
def logs() -> Iterator[Logs]:
    """All that is logged, at the lowest level that a setting can ask for."""
    handler, root, templates = Logs(), logging.getLogger(), logging.getLogger("django.template")
    levels = root.level, templates.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    # Names of variables that a template looks for in vain, with a traceback each.
    templates.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(levels[0])
    templates.setLevel(levels[1])


@pytest.fixture(autouse=True)
def _open(settings: Any) -> Iterator[None]:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.VOLTMX_ALLOW_ADDRESSES = settings.ALERTS_ALLOW_ADDRESSES = ["loopback"]
    settings.METRICS_ALLOW_ADDRESSES = ["loopback"]
    settings.EMAIL_HOST_PASSWORD = plain("mail-password")
    settings.METRICS_TOKEN = plain("metrics-token")
    settings.OIDC_CLIENT_SECRET = plain("oidc-secret")
    settings.SECRET_KEY = mark("signing-key") * 3
    settings.LOGIN_ATTEMPTS = 10_000
    identity.tokens.clear()
    watched.forget()
    yield
    identity.tokens.clear()


CALLS: dict[str, dict[str, Any]] = {
    "ok": {"operationName": "ok"},
    "fail": {"operationName": "fail"},
    "text": {"operationName": "text"},
    "gone": {"serviceName": "gone", "operationName": "ok"},
    "crash": {"operationName": "crash", "requestheaderMap": {"X-Api-Key": plain("header-key")}},
}


def a_service_job(wire: Wire, number: int, name: str) -> None:
    """A job with secrets in every place of it that takes some."""
    basic = base64.b64encode(f"ada:{plain('header-basic')}".encode()).decode()
    info = {
        "serviceName": "crm",
        "requestheaderMap": {
            "Authorization": f"Bearer {plain('header-bearer')}" if name != "text" else f"Basic {basic}",
            "X-Api-Key": plain("header-key"),
        },
        "queryParams": {"api_key": mark("query-key"), "page": 1},
        "operationSecurityLevel": "authenticated",
        "authentication": {
            "type": "APP_USER",
            "appKey": "app",
            "appSecret": plain("job-app-secret"),
            "username": "ada",
            "password": mark("job-password"),
        }
        if name != "fail"
        else None,
        **CALLS[name],
    }
    wire.create(
        sample(jobId=number, jobName=name, historyStrategy="FULL", info={key: v for key, v in info.items() if v})
    )


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.live
@pytest.mark.django_db(transaction=True)
def test_no_marked_secret_is_in_any_output(
    broker: Redis, echo: str, logs: Logs, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    outputs: dict[str, str] = {}
    boss = User.objects.create_superuser("boss", "boss@example.com", plain("user-password"))
    wire = Wire(Client(raise_request_exception=False)).log_in("boss", plain("user-password"))
    claims = wire.headers["X-VoltMX-Authorization"]
    console = Client(raise_request_exception=False)

    def note(what: str, answer: Any) -> Any:
        raw = b"".join(answer.streaming_content) if answer.streaming else answer.content
        outputs[f"{what}: {answer.status_code}"] = f"{raw.decode('utf-8', 'replace')}\n{answer.headers}"
        return answer

    # -- What goes in ------------------------------------------------------------------------------------------------
    identities = {"app_key": "app", "app_secret": mark("registry-app-secret"), "username": "ada"}
    for name, url in (("crm", echo), ("gone", f"http://127.0.0.1:{closed_port()}")):
        Service.objects.create(name=name, server_url=url, password=mark("registry-password"), **identities)
    for number, name in enumerate(CALLS, start=1):
        a_service_job(wire, number, name)
    failing = Job.objects.get(name="fail")
    port = urlsplit(echo).port
    hook = f"json://user:{plain('channel-password')}@127.0.0.1:{port}/hook/{plain('channel-path')}"
    channel = Channel.objects.create(name="ops", url=hook)
    rule = AlertRule.objects.create(condition=Condition.FAILURE)
    rule.channels.add(channel)
    ping = Ping.objects.create(job=failing, url=f"{echo}/ping/{plain('ping-path')}", tell_failure=True)
    day = IntervalSchedule.objects.create(every=1, period="days")
    own = PeriodicTask.objects.create(name="own", task="x", interval=day)
    ends = timezone.now() + timedelta(days=1)
    token, secret = tokens.issue("t", owner=boss, role=Role.VIEWER, surface="any", expires_at=ends, by="boss")
    watched.forget()

    # -- What goes wrong at the doors --------------------------------------------------------------------------------
    for door in ("/authService/accounts/login", "/admin/login/"):
        for name, password in (
            ("boss", plain("wrong-password")),
            (plain("name-typed-as-password"), "x"),
        ):
            fields = {"userid": name, "username": "boss" if "admin" in door else name, "password": password}
            note(f"{door} {name == 'boss'}", console.post(door, fields))
    for login in (f"boss:{plain('wrong-password')}", f"boss:{plain('user-password')}"):
        packed = base64.b64encode(login.encode()).decode()
        for path in ("/service/zementis/jobs", "/service/zementis/job/none", "/api/schedule/preview?expression=x"):
            note(f"{path} {len(login)}", console.get(path, headers={"Authorization": f"Basic {packed}"}))
    for value in (secret, f"{secret}x"):
        note(
            f"bearer {len(value)}", console.get("/service/zementis/jobs", headers={"Authorization": f"Bearer {value}"})
        )
    refused = {"requestheaderMap": {"Authorization": f"a\n{plain('header-bearer')}"}, "serviceName": "../x"}
    note("refused", wire.send("POST", "/admin/api/jobs/job", sample(jobId=99, jobName="refused", info=refused)))
    note("refused", wire.send("POST", "/admin/api/jobs/job", b'{"a": "' + plain("post-password").encode()))
    bad = {"jobServiceInfo": {"authentication": {"password": [plain("job-password")], "x": plain("job-app-secret")}}}
    note("refused again", wire.send("PUT", "/admin/api/jobs/job", {"jobId": 1, **bad}))

    # -- What runs ---------------------------------------------------------------------------------------------------
    usual = vendor_answers.judge

    def judge(answer: Any, **more: Any) -> Any:
        if b"/crash" in answer.body:
            raise ValueError(f"cannot judge {answer.body!r}")
        return usual(answer, **more)

    monkeypatch.setattr(vendor_answers, "judge", judge)
    for job in Job.objects.filter(kind="voltmx").order_by("number"):
        note(f"run {job.name}", wire.send("POST", f"/admin/api/jobs/job/run/{job.number}"))
        jobs.update(job, {"overlap": "allow"}, by="boss")
        arguments = {**job.arguments, "authentication": {"type": "ADMIN", "username": "x", "password": "y"}}
        jobs.run_now(Job.objects.get(pk=job.pk), by="boss", arguments=arguments)
    outputs["messages"] = dump(broker)
    runner.run_all(list(Execution.objects.filter(status=Status.QUEUED).values_list("pk", flat=True)))
    assert not Execution.objects.filter(status__lt=2).exists()
    notices.tell_all()
    deliveries.deliver_all()
    assert {*Delivery.objects.values_list("attempts", flat=True)} >= {1}
    source = CumulocitySource(echo, tenant="t", user="u", password=plain("tenant-password"), retries=0)
    with pytest.raises(DataSourceError) as told:
        source.target(5)
    outputs["tenant"] = str(told.value)
    monkeypatch.setattr(messages, "_paused_until", 0.0)
    real = settings.CELERY_BROKER_URL
    settings.CELERY_BROKER_URL = f"redis://:{plain('broker-password')}@127.0.0.1:{closed_port()}/0"
    messages.client.cache_clear()
    assert not messages.publish([messages.Hint(1, "services", 0)])
    assert not health._broker_answers()
    note("ready", console.get("/readyz"))
    settings.CELERY_BROKER_URL = real
    messages.client.cache_clear()

    # -- What comes out ----------------------------------------------------------------------------------------------
    for job in Job.objects.filter(kind="voltmx"):
        for path in (
            f"job/{job.number}",
            f"history/{job.number}",
            f"history/{job.number}/1",
            f"history/{job.number}/2",
        ):
            note(f"{path}", wire.send("GET", f"/admin/api/jobs/{path}"))
    note("all jobs", wire.send("GET", "/admin/api/jobs/job"))
    for path in ("/metrics", "/api/schema", "/healthz", "/user/currentUser", "/tenant/currentTenant"):
        note(path, console.get(path, headers={"X-VoltMX-Authorization": claims}))
    console.force_login(boss)
    things = {
        "accounts.apitoken": token.pk,
        "accounts.auditentry": audit.record("probe.made").pk,
        "auth.user": boss.pk,
        "django_celery_beat.periodictask": own.pk,
        "scheduler.alertrule": rule.pk,
        "scheduler.channel": channel.pk,
        "scheduler.delivery": Delivery.objects.latest("pk").pk,
        "scheduler.incident": Incident.objects.latest("pk").pk,
        "scheduler.ping": ping.pk,
        "scheduler.jobchange": JobChange.objects.latest("pk").pk,
        "voltmx.accountsession": AccountSession.objects.latest("created_at").pk,
    }
    several: dict[str, list[Any]] = {
        "scheduler.job": list(Job.objects.values_list("pk", flat=True)),
        # The second of each has arguments of its own, and is seen over the API and in its row.
        "scheduler.execution": list(Execution.objects.filter(number=1).values_list("pk", flat=True)),
        "voltmx.service": list(Service.objects.values_list("pk", flat=True)),
    }
    pages = 0
    for row in rows():
        if row.surface == "console" and row.method == "GET" and "logout" not in row.path:
            for path in filled(row.path, things, several):
                pages += note(f"GET {path}", console.get(f"/{path}")).status_code == 200
    assert pages > 60
    typed = {"name": "ops", "address": f"nonsense://{plain('channel-path')}", "url": f"x://{plain('channel-path')}"}
    for path in (
        f"scheduler/channel/{channel.pk}/change/",
        "scheduler/channel/add/",
        f"scheduler/ping/{ping.pk}/change/",
    ):
        note(f"POST {path}", console.post(f"/admin/{path}", typed))
    service = {"name": "../", "password": plain("registry-password"), "app_secret": plain("registry-app-secret")}
    note("POST service", console.post("/admin/voltmx/service/add/", service))
    passwords = {"username": "x y", "password1": plain("user-password"), "password2": plain("wrong-password")}
    note("POST user", console.post("/admin/auth/user/add/", passwords))
    monkeypatch.setenv("VOLTMX_IMPORT_PASSWORD", plain("wrong-password"))
    for name, command in COMMANDS.items():
        outputs[name] = command(echo)
    outputs["Redis"] = dump(broker)
    outputs["PostgreSQL"] = rows_of_all_tables()
    outputs["log"] = "\n".join(logs.lines)
    assert "run.started" in outputs["log"]
    assert "reached.example" not in outputs["log"]
    found = {what: marks for what, text in outputs.items() if (marks := seen(text) + others(text, secret, claims))}
    assert found == {}
    assert {what: outputs[what] for what, text in SAID.items() if text not in outputs[what]} == {}
    # What was searched is not empty of what it is about.
    answers = [execution.payload.response for execution in Execution.objects.exclude(payload=None)]
    assert sum("********" in json.dumps(answer) for answer in answers) >= 4


def others(text: str, token: str, claims: str) -> list[str]:
    """Secrets that we make ourselves: tokens, as far as they are secret."""
    known = {"API token": token[12:], "claims token": claims}
    return [name for name, value in known.items() if value in text]


def filled(path: str, things: dict[str, Any], several: dict[str, list[Any]]) -> Iterator[str]:
    """The paths of a row of the table, with every key that there is."""
    for name, key in things.items():
        path = path.replace(f"{{{name}}}", str(key))
    for name, keys in several.items():
        if f"{{{name}}}" in path:
            for key in keys if path.endswith("/change/") else keys[:1]:
                yield path.replace(f"{{{name}}}", str(key))
            return
    if "{" not in path:
        yield path


def dump(broker: Redis) -> str:
    """Everything that Redis holds, bodies of messages unpacked."""
    texts = []
    for key in broker.scan_iter():
        kind = broker.type(key)
        items: Any = broker.lrange(key, 0, -1) if kind == b"list" else [broker.dump(key) or b""]
        for item in items:
            texts.append(item.decode("utf-8", "replace"))
            if kind == b"list":
                texts.append(base64.b64decode(json.loads(item)["body"]).decode())
    return "\n".join(texts)


def rows_of_all_tables() -> str:
    """Every row of every table, as text."""
    texts = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608 - names from the catalogue
            texts += [f"{table} {row[0]}" for row in cursor.fetchall()]
    return "\n".join(texts)


def test_a_search_finds_what_is_there() -> None:
    secret = mark("job-password")
    packed = [base64.b64encode(f"{before}{secret}".encode()).decode() for before in ("", "x", "xy")]
    assert seen(f"a {secret} b") == ["job-password"]
    assert [seen(text) for text in packed] == [["job-password in base64"]] * 3


def test_keys_are_not_in_what_settings_show() -> None:
    from django.views.debug import get_default_exception_reporter_filter

    shown = str(get_default_exception_reporter_filter().get_safe_settings())
    assert Fernet.generate_key().decode() not in shown
    from django.conf import settings

    assert [key for key in (settings.SECRET_KEY, *settings.ENCRYPTION_KEYS) if key in shown] == []
