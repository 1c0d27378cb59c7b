"""The front page, and the preview beneath an expression."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client

from scheduler import clock, executions, jobs, processes
from scheduler.job_types import Outcome
from scheduler.models import Execution, Process, Status
from tests.scheduler.admin.conftest import Login
from tests.scheduler.admin.pages import text, url
from tests.scheduler.factories import MINUTELY, a_job, started

PREVIEW = "scheduler_job_preview"


def test_the_dashboard_shows_what_runs_and_what_comes(viewer: Client) -> None:
    run = started(a_job(name="<b>busy</b>"))
    a_job(name="soon", expression=MINUTELY)
    page = text(viewer.get(url("index")))
    assert "&lt;b&gt;busy&lt;/b&gt;" in page
    assert url("scheduler_execution_change", run.execution_id) in page
    assert ">soon</a>" in page
    assert f'data-refresh="{url("scheduler_dashboard_live")}"' in page


def test_the_part_that_refreshes_is_no_whole_page(viewer: Client) -> None:
    part = text(viewer.get(url("scheduler_dashboard_live")))
    assert "Runs by the hour" in part
    assert "<html" not in part


def test_an_alarm_is_raised_where_no_beat_is_alive(viewer: Client) -> None:
    assert "No beat is alive" in text(viewer.get(url("index")))
    processes.renew("beat@a:1:1", Process.Kind.BEAT)
    assert "No beat is alive" not in text(viewer.get(url("index")))


def test_an_alarm_is_raised_where_nobody_works_on_a_queue(viewer: Client) -> None:
    jobs.run_now(a_job(queue="lonely"), by="tester")
    assert "Nobody works on the queue lonely: 1 run waits" in text(viewer.get(url("index")))
    processes.renew("worker@a:1:1", Process.Kind.WORKER, queues=["lonely"], slots=1)
    assert "Nobody works" not in text(viewer.get(url("index")))


def test_tiles_lead_to_lists_of_what_they_count(viewer: Client) -> None:
    job = a_job(overlap="allow")
    for status in (Status.SUCCEEDED, Status.FAILED, Status.FAILED):
        executions.finish(started(job), Outcome(status))
    started(job)
    jobs.run_now(a_job(), by="tester")
    busy = a_job()
    for _ in range(2):
        jobs.run_now(busy, by="tester")
    old = started(job)
    executions.finish(old, Outcome(Status.FAILED))
    long_ago = clock.now() - timedelta(days=2)
    Execution.objects.filter(pk=old.execution_id).update(created_at=long_ago, scheduled_for=long_ago)
    a_job(expression=MINUTELY)
    page = text(viewer.get(url("index")))
    tiles = re.findall(r'<a class="c-tile" href="([^"]+)"><span>([^<]+)</span><strong[^>]*>([\d,]+)<', page)
    counted = {name: int(count) for _, name, count in tiles}
    assert counted == {
        "Jobs that will fire": 4,
        "Queued": 2,
        "Running": 1,
        "Runs, 24 h": 6,
        "Failed, 24 h": 2,
        "Skipped, 24 h": 1,
    }
    listed = {name: viewer.get(unescape(href)).context["cl"].result_count for href, name, _ in tiles}
    assert listed == counted


def test_what_comes_leads_to_all_of_it_in_its_order(viewer: Client) -> None:
    for _ in range(13):
        a_job(expression=MINUTELY)
    assert '?state=soon">all 13</a>' in text(viewer.get(url("index")))


def test_all_processes_are_counted_and_some_are_shown(viewer: Client) -> None:
    Process.objects.bulk_create(
        Process(name=f"worker@a:{pid}:1", kind="worker", hostname="a", pid=pid, queues=["services"], slots=2)
        for pid in range(60)
    )
    processes.renew("beat@a:1:1", Process.Kind.BEAT)
    page = viewer.get(url("index"))
    found = page.context["overview"]
    assert (found["beats"], found["workers"], found["queues"][0].slots) == (1, 60, 120)
    assert "50 of 61 are shown" in text(page)


def test_who_may_not_see_runs_sees_no_numbers(login: Login) -> None:
    a_job(name="soon", expression=MINUTELY)
    client = login("scheduler.view_job")
    page = text(client.get(url("index")))
    assert "Runs by the hour" not in page
    assert "soon" not in page
    assert client.get(url("scheduler_dashboard_live")).status_code == 403


def test_a_preview_shows_meaning_and_fires_in_the_zone(viewer: Client) -> None:
    page = text(viewer.get(url(PREVIEW), {"expression": "0 0 9 1 1 ?", "zone": "Europe/Berlin"}))
    assert "At 09:00, on day 1 of the month, in January" in page
    assert page.count("-01-01 09:00:00 +0100") == 8


def test_a_preview_tells_what_a_clock_change_swallows(viewer: Client) -> None:
    page = text(viewer.get(url(PREVIEW), {"expression": "0 30 2 ? 3 1L", "zone": "Europe/Berlin"}))
    assert "passed over: the clock jumps" in page


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"expression": "every <day>", "zone": "UTC"}, "has 2 fields"),
        ({"expression": "0 0 9 1 1 ?", "zone": "<Mars>"}, "is not a time zone"),
        ({"expression": "0 0 9 1 1 ? 2001", "zone": "UTC"}, "It never fires after"),
        ({"expression": "* " * 5000, "zone": "UTC"}, ""),
        ({"expression": "0 0 9 1 1 ?"}, "is not a time zone"),
    ],
)
def test_a_preview_tells_what_is_wrong(viewer: Client, asked: dict[str, str], said: str) -> None:
    answer = viewer.get(url(PREVIEW), asked)
    assert answer.status_code == 200
    assert said in text(answer)
    assert "<day>" not in text(answer)
    assert "<Mars>" not in text(answer)


@pytest.mark.parametrize(
    ("typed", "first", "fires"),
    [
        ({"starts_at": "2090-01-02 00:00"}, "Mon 2091-01-01 09:00:00 +0000", 8),
        ({"starts_at": "2090-01-01 09:00:00", "ends_at": "2092-01-01 09:00:00"}, "Sun 2090-01-01 09:00:00 +0000", 2),
        ({"starts_at": "2090-01-02"}, None, 8),
        ({"expression": "", "run_at": "2090-05-06 07:08:09"}, "Sat 2090-05-06 07:08:09 +0000", 1),
    ],
)
def test_a_preview_heeds_start_end_and_the_one_instant(
    viewer: Client, typed: dict[str, str], first: str | None, fires: int
) -> None:
    page = text(viewer.get(url(PREVIEW), {"expression": "0 0 9 1 1 ?", "zone": "UTC", **typed}))
    assert page.count("<li") == fires
    assert first is None or first in page[: page.index("</li>")]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"starts_at": "2090-01-02 00:00", "ends_at": "2090-01-03 00:00"}, "between its start and its end."),
        ({"starts_at": "2090-01-02 00:00", "ends_at": "2090-01-01 00:00"}, "The end must lie after the start"),
        ({"run_at": "2090-01-02 00:00"}, "either an expression or one instant"),
        ({"starts_at": "2090-02-30 00:00"}, "starts at: &#x27;2090-02-30 00:00&#x27; is no day and time"),
        ({"ends_at": "<b> </b>"}, "is no day and time"),
        ({"ends_at": "9999-12-31 23:59:59"}, "At 09:00"),
    ],
)
def test_a_preview_tells_what_is_wrong_with_the_instants(viewer: Client, typed: dict[str, str], told: str) -> None:
    answer = viewer.get(url(PREVIEW), {"expression": "0 0 9 1 1 ?", "zone": "UTC", **typed})
    assert (answer.status_code, told.lower() in text(answer).lower()) == (200, True)
    assert "<b>" not in text(answer)


def test_a_preview_of_nothing_is_empty(viewer: Client) -> None:
    assert text(viewer.get(url(PREVIEW))).strip() == ""


def test_a_preview_needs_permission(login: Login) -> None:
    assert login().get(url(PREVIEW), {"expression": "0 0 9 1 1 ?", "zone": "UTC"}).status_code == 403
