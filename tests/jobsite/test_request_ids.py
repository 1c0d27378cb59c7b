"""One id from the request to the run: taken or made, sent back, stored, and in the log lines."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobsite.logs import JsonFormatter
from scheduler import claims, executions, jobs, request_id, runner
from scheduler.endings import Ending
from scheduler.job_types import Outcome
from scheduler.models import Execution, JobChange, Status
from scheduler.request_id import RequestIdFilter
from tests.scheduler.factories import a_job, due

MADE = re.compile(r"[0-9a-f]{32}")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged, one JSON object a line, as in production."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(RequestIdFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


def logged(lines: io.StringIO) -> list[tuple[str, object]]:
    """Of each line of ours: its verb and its request id."""
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    return [(line["event"].split()[0], line.get("request_id")) for line in found if "." in line["event"].split()[0]]


@pytest.fixture
def boss(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss", "", "secret"))
    return client


@pytest.mark.parametrize("sent", ["a", "trace-1", "0af7651916cd43dd8448eb211c80319c", "Root=1-67891233:abc", "x" * 64])
def test_a_sane_id_is_taken_and_sent_back(sent: str, db: None) -> None:
    assert Client().get("/admin/login/", headers={"X-Request-ID": sent})["X-Request-ID"] == sent


@pytest.mark.parametrize("sent", ["", " ", "-a", "a b", "x" * 65, "a\tb", "é", 'a"b', "<a>", "a;b", "a,b"])
def test_any_other_id_is_replaced_by_one_of_ours(sent: str, db: None) -> None:
    answers = [Client().get("/admin/login/", headers={"X-Request-ID": sent})["X-Request-ID"] for _ in range(2)]
    assert [bool(MADE.fullmatch(found)) for found in answers] == [True, True]
    assert answers[0] != answers[1]


@pytest.mark.parametrize("path", ["/nowhere", "/healthz", "/admin/api/jobs/1", "/service/zementis/jobs"])
def test_every_answer_has_an_id(path: str, db: None) -> None:
    assert Client().get(path, headers={"X-Request-ID": "trace-1"})["X-Request-ID"] == "trace-1"


def test_the_id_of_a_request_is_in_its_lines_and_in_no_other(boss: Client, lines: io.StringIO) -> None:
    job = a_job()
    boss.post(f"/admin/scheduler/job/{job.pk}/run/?secret=1", headers={"X-Request-ID": "trace-1"})
    jobs.run_now(a_job(), by="tester")
    assert logged(lines) == [
        ("job.created", None),
        ("run.requested", "trace-1"),
        ("request.answered", "trace-1"),
        ("job.created", None),
        ("run.requested", None),
    ]
    assert "secret" not in lines.getvalue()


def test_a_request_that_only_reads_is_told_at_the_lowest_level(boss: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="jobsite.request_ids"):
        boss.get("/admin/")
        boss.post("/admin/")
    told = [record for record in caplog.records if record.message == "request.answered"]
    assert [(record.levelname, vars(record)["method"]) for record in told] == [("DEBUG", "GET"), ("INFO", "POST")]


@pytest.mark.django_db(transaction=True)
def test_a_run_that_was_asked_for_carries_the_id_through_its_worker(lines: io.StringIO) -> None:
    job = a_job()
    with request_id.bound("trace-1"):
        execution = jobs.run_now(job, by="tester")
    assert Execution.objects.get(pk=execution.pk).request_id == "trace-1"
    runner.run_all([execution.pk])
    assert logged(lines) == [
        ("job.created", None),
        ("run.requested", "trace-1"),
        ("run.started", "trace-1"),
        ("run.finished", "trace-1"),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_run_of_the_clock_has_an_id_of_its_own(lines: io.StringIO) -> None:
    job = a_job()
    due(job)
    with request_id.bound("trace-1"):
        claims.claim(limit=1)
    execution = Execution.objects.get()
    assert execution.request_id is None
    runner.run_all([execution.pk])
    assert logged(lines)[-2:] == [("run.started", f"run-{execution.pk}"), ("run.finished", f"run-{execution.pk}")]


@pytest.mark.django_db
def test_ends_that_are_written_together_keep_their_own_ids(lines: io.StringIO) -> None:
    ids = []
    for name in ("trace-1", "trace-2"):
        with request_id.bound(name):
            ids.append(jobs.run_now(a_job(), by="tester").pk)
    runs = sorted(executions.start(ids, worker="w"), key=lambda run: run.execution_id)
    executions.finish_many([Ending(run, Outcome(Status.SUCCEEDED)) for run in runs])
    assert logged(lines)[-2:] == [("run.finished", "trace-1"), ("run.finished", "trace-2")]


def test_an_edit_keeps_the_id_of_its_request(boss: Client) -> None:
    job = a_job()
    boss.post(f"/admin/scheduler/job/{job.pk}/deactivate/", headers={"X-Request-ID": "trace-1"})
    change = JobChange.objects.latest("pk")
    assert (change.verb, change.request_id) == ("deactivated", "trace-1")
    assert "trace-1" in boss.get(f"/admin/scheduler/jobchange/{change.pk}/change/").content.decode()


def test_the_page_of_a_run_shows_what_to_look_for_in_the_logs(boss: Client) -> None:
    job = a_job(overlap="allow")
    boss.post(f"/admin/scheduler/job/{job.pk}/run/", headers={"X-Request-ID": "trace-1"})
    with request_id.bound(None):
        own = jobs.run_now(job, by="tester")
    asked = Execution.objects.get(request_id="trace-1")
    pages = [boss.get(f"/admin/scheduler/execution/{pk}/change/").content.decode() for pk in (asked.pk, own.pk)]
    assert ("<code>trace-1</code>" in pages[0], f"<code>run-{own.pk}</code>" in pages[1]) == (True, True)
