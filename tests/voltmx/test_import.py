"""Copying jobs from one running instance of this project into another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import StringIO
from typing import Any

import psycopg
import pytest
import requests
from django.core.management import CommandError, call_command
from django.db import connection

from scheduler import jobs
from scheduler.models import Job
from tests.processes import Processes, database_url
from tests.voltmx.wire import PASSWORD, SAMPLE, Wire, sample
from voltmx.console import Console, ConsoleError
from voltmx.demo.foundry import Foundry
from voltmx.demo.server import FoundryServer

SECRETIVE = {
    "requestheaderMap": {"X-Trace": "7", "Authorization": "marked"},
    "authentication": {"appKey": "k", "appSecret": "marked"},
}


class Source:
    """Another instance: a web server on a database of its own, spoken to over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        answer = self.call("POST", "/authService/accounts/login", data={"userid": "ada", "password": PASSWORD})
        self._headers = {"X-VoltMX-Authorization": answer["claims_token"]["value"]}

    def call(self, method: str, path: str, **options: Any) -> Any:
        headers = getattr(self, "_headers", {})
        answer = requests.request(method, self.url + path, headers=headers, timeout=20, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def source(processes: Processes) -> Iterator[Source]:
    other = database_url(suffix="_source")
    name = f"{connection.settings_dict['NAME']}_source"
    with psycopg.connect(database_url(), autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}"')
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            processes.start("manage.py", "migrate", "-v", "0", DATABASE_URL=other).wait(deadline=120)
            account: Any = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD, "DATABASE_URL": other}
            command = ("createsuperuser", "--noinput", "--username", "ada", "--email", "ada@example.com")
            assert processes.start("manage.py", *command, **account).wait(deadline=60) == 0
            _web, url = processes.web(DATABASE_URL=other)
            yield Source(url)
        finally:
            processes.close()
            # Without force, which may not end an autovacuum worker; the server waits for sessions that are ending.
            server.execute(f'DROP DATABASE IF EXISTS "{name}"')


def run(url: str, *options: str) -> list[str]:
    """The lines that ``manage.py import_voltmx`` prints."""
    out = StringIO()
    os.environ["VOLTMX_IMPORT_PASSWORD"] = PASSWORD
    try:
        call_command("import_voltmx", "--url", url, "--user", "ada", *options, stdout=out)
    finally:
        del os.environ["VOLTMX_IMPORT_PASSWORD"]
    return out.getvalue().splitlines()


def comparable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the list without what belongs to the instance."""
    return [{name: row[name] for name in row if name not in ("updatedUser", "updatedDate")} for row in rows]


@pytest.mark.live
def test_all_jobs_of_another_instance_are_copied_once(source: Source, live_server: Any, wire: Wire) -> None:
    own = [
        SAMPLE,
        sample(jobId=7, jobName="with secrets", info=SECRETIVE, emailNotifications={"onFailure": ["a@b.example"]}),
        sample(
            jobId=8,
            jobName="objects",
            jobStatus="Inactive",
            jobFrequency="* 0/10 * * * ? *",
            without=("jobFrequencyInfo", "description"),
            info={
                "serviceType": "objSer",
                "objectName": "Order",
                "operationName": "get",
                "queryParams": {"b": 1, "a": 2},
            },
        ),
    ]
    for body in own:
        source.call("POST", "/admin/api/jobs/job", json=body)
    remarks = "".join(
        f"; {place} is a secret that the console does not give away: enter it here"
        for place in ("requestheaderMap.Authorization", "authentication.appSecret")
    )
    steps = ["create    testjob1", f"create    with secrets{remarks}", "create    objects"]

    dry = "3 create, 0 update, 0 unchanged, 0 refuse (nothing was written: --apply does it)"
    assert run(source.url) == [*steps, dry]
    assert not Job.objects.exists()

    assert run(source.url, "--apply") == [*steps, "3 create, 0 update, 0 unchanged, 0 refuse"]
    assert comparable(wire.get("/admin/api/jobs/job")) == comparable(source.call("GET", "/admin/api/jobs/job"))
    for number in (2, 8):
        assert wire.get(f"/admin/api/jobs/job{number}") == source.call("GET", f"/admin/api/jobs/job{number}")
    copied = wire.get("/admin/api/jobs/job7")["jobServiceInfo"]
    assert (copied["requestheaderMap"], copied["authentication"]) == (
        {"X-Trace": "7"},
        {"type": "APP_USER", "appKey": "k"},
    )

    # Entered here, the secrets stay, and the second copy changes nothing.
    wire.send("PUT", "/admin/api/jobs/job", {"jobId": 7, "jobServiceInfo": SECRETIVE})
    before = list(Job.objects.values().order_by("number"))
    same = ["unchanged testjob1", "unchanged with secrets", "unchanged objects"]
    assert run(source.url, "--apply") == [*same, "0 create, 0 update, 3 unchanged, 0 refuse"]
    assert list(Job.objects.values().order_by("number")) == before

    # What changes there is changed here, and what is paused here stays so.
    wire.send("PUT", "/admin/api/jobs/job", {"jobId": 2, "jobStatus": "Inactive"})
    source.call("PUT", "/admin/api/jobs/job", json={"jobId": 2, "retentionPeriod": "9", "jobFrequency": "0 5 * * * ?"})
    assert run(source.url, "--apply")[0] == "update    testjob1; changes arguments, retention_days, schedule"
    changed = wire.get("/admin/api/jobs/job2")
    assert (changed["retentionPeriod"], changed["jobFrequency"], changed["jobStatus"]) == (
        "9",
        "0 5 * * * ?",
        "Inactive",
    )

    # An id that is taken here gives way, and copies can come paused.
    for job in Job.objects.all():
        jobs.delete(job, by="admin")
    wire.create(sample(jobName="another"))
    lines = run(source.url, "--apply", "--inactive")
    assert lines[0] == "create    testjob1; the id 2 is taken here: it gets the next free one"
    assert {row["jobName"]: row["jobStatus"] for row in wire.get("/admin/api/jobs/job")} == {
        "another": "Active",
        **dict.fromkeys(("testjob1", "with secrets", "objects"), "Inactive"),
    }


def test_jobs_that_cannot_be_stored_are_told_and_the_others_copied(
    live_server: Any, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = {
        1: {**sample(jobId=1, jobName="good")},
        2: {**sample(jobName="bad"), "jobFrequency": "* * * * * ? *"},
    }
    monkeypatch.setattr(Console, "log_in", lambda *_: None)
    monkeypatch.setattr(Console, "jobs", lambda _: [*bodies.values(), {"jobName": "no id"}])
    monkeypatch.setattr(Console, "job", lambda _, number: bodies[number])
    out = StringIO()
    monkeypatch.setenv("VOLTMX_IMPORT_PASSWORD", "x")
    with pytest.raises(CommandError, match="2 jobs were refused"):
        call_command("import_voltmx", "--url", "http://x", "--user", "x", "--apply", stdout=out)
    refusal = "the job would run every 1 minute; at least 5 minutes must lie between"
    assert out.getvalue().splitlines() == [
        "create    good",
        f"refuse    bad; jobFrequency: {refusal}",
        "refuse    no id; the list names no id or no name",
        "1 create, 0 update, 0 unchanged, 2 refuse",
    ]
    assert [row["jobName"] for row in wire.get("/admin/api/jobs/job")] == ["good"]


def test_a_console_that_refuses_the_login_is_told(live_server: Any) -> None:
    with pytest.raises(ConsoleError, match=r"login answers HTTP status 401: Invalid User Credentials"):
        Console(live_server.url).log_in("nobody", "wrong")


@pytest.mark.parametrize("path", ["broken", "html", "reset", "list", "redirect"])
def test_a_console_that_answers_nonsense_is_told(path: str) -> None:
    with FoundryServer(Foundry(faults=True)) as server, pytest.raises(ConsoleError):
        Console(f"{server.url}/services/faults/{path}?x=").log_in("x", "y")


def test_a_console_that_is_not_there_is_told() -> None:
    with pytest.raises(ConsoleError, match="cannot be called: ConnectionError"):
        Console("http://127.0.0.1:1").log_in("x", "y")
