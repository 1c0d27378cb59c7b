"""The page of one job."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scheduler import job_types, jobs
from scheduler.console.fires import Fire, next_fires
from scheduler.models import Execution, Job, Status, Trigger
from scheduler.schedule import Schedule
from tests.probe.job_type import ProbeJob
from tests.scheduler.admin.conftest import Login
from tests.scheduler.admin.pages import said, text, url
from tests.scheduler.factories import MINUTELY, a_job, started

PAGE = "scheduler_job_change"


def test_the_page_shows_the_definition_with_secrets_masked(boss: Client) -> None:
    job = a_job(name="Night report", arguments={"secret": "hunter2", "city": "Ulm"}, queue="slow-lane")
    page = text(boss.get(url(PAGE, job.pk)))
    assert "hunter2" not in page
    for expected in ("Night report", "&quot;city&quot;: &quot;Ulm&quot;", "********", "slow-lane", "by tester"):
        assert expected in page


def test_arguments_of_an_unknown_kind_are_not_shown(boss: Client) -> None:
    job = a_job(arguments={"secret": "hunter2"})
    job_types.unregister("probe")
    try:
        page = text(boss.get(url(PAGE, job.pk)))
    finally:
        job_types.register(ProbeJob())
    assert "hunter2" not in page
    assert "No installed application knows this kind of job" in page


def test_ten_fires_are_shown_in_the_zone_of_the_job(boss: Client) -> None:
    job = a_job(expression="0 0 9 1 1 ?", zone="Europe/Berlin")
    fires = boss.get(url(PAGE, job.pk)).context["fires"]
    assert len(fires) == 10
    assert all(fire.shown.endswith("-01-01 09:00:00 +0100") for fire in fires)


def test_a_clock_change_between_fires_is_marked() -> None:
    schedule = Schedule(expression="0 0 12 * * ?", zone="Europe/Berlin")
    found = next_fires(schedule, after=datetime(2027, 3, 26, 12, tzinfo=UTC), limit=3)
    assert [(fire.at and fire.at.hour, fire.change) for fire in found] == [
        (11, ""),
        (10, "clock forward 60 min"),
        (10, ""),
    ]


def test_fires_that_a_clock_change_swallows_or_doubles_are_marked() -> None:
    night = Schedule(expression="0 30 2 * * ?", zone="Europe/Berlin")
    spring = next_fires(night, after=datetime(2027, 3, 27, 12, tzinfo=UTC), limit=1)
    autumn = next_fires(night, after=datetime(2026, 10, 24, 12, tzinfo=UTC), limit=1)
    assert [(fire.shown, fire.at, fire.change) for fire in (*spring, *autumn)] == [
        ("Sun 2027-03-28 02:30:00", None, "passed over: the clock jumps"),
        ("Mon 2027-03-29 02:30:00 +0200", datetime(2027, 3, 29, 0, 30, tzinfo=UTC), "clock forward 60 min"),
        (
            "Sun 2026-10-25 02:30:00 +0100",
            datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
            "the second time the clock shows it",
        ),
    ]


def test_a_swallowed_fire_is_on_the_page_and_has_no_time_here(boss: Client) -> None:
    job = a_job(expression="0 30 2 ? 3 SUN", zone="Europe/Berlin")
    page = text(boss.get(url(PAGE, job.pk)))
    assert "passed over: the clock jumps" in page
    assert "does not fire" in page


def test_a_start_and_an_end_hold_for_swallowed_fires_too() -> None:
    night = Schedule(
        expression="0 30 2 * * ?",
        zone="Europe/Berlin",
        starts_at=datetime(2027, 3, 28, 2, tzinfo=UTC),
        ends_at=datetime(2027, 3, 30, tzinfo=UTC),
    )
    found = next_fires(night, after=datetime(2027, 3, 1, tzinfo=UTC), limit=5)
    assert [fire.shown for fire in found] == ["Mon 2027-03-29 02:30:00 +0200"]


def test_no_more_fires_than_there_are() -> None:
    at = datetime(2090, 1, 1, tzinfo=UTC)
    found = next_fires(Schedule(run_at=at), after=datetime(2027, 1, 1, tzinfo=UTC), limit=10)
    assert found == [Fire(at, at, None)]


def test_the_newest_runs_and_skipped_instants_are_shown(boss: Client) -> None:
    job = a_job()
    run = jobs.run_now(job, by="tester")
    now = datetime.now(UTC)
    skipped = Execution.objects.create(
        job=job, scheduled_for=now, status=Status.SKIPPED, reason="overlap", queue="services", ended_at=now
    )
    older = Execution.objects.create(
        job=job,
        scheduled_for=now - timedelta(days=1),
        trigger=Trigger.MISFIRE,
        status=Status.SKIPPED,
        reason="missed",
        queue="services",
        ended_at=now,
    )
    shown = boss.get(url(PAGE, job.pk)).context["runs"]
    assert [execution.pk for execution in shown] == [skipped.pk, run.pk, older.pk]


def test_the_page_takes_as_many_queries_with_many_runs_as_with_one(boss: Client) -> None:
    job = a_job(overlap="allow")
    started(job)
    boss.get(url(PAGE, job.pk))
    with CaptureQueriesContext(connection) as one:
        boss.get(url(PAGE, job.pk))
    for _ in range(30):
        started(job)
    with CaptureQueriesContext(connection) as many:
        boss.get(url(PAGE, job.pk))
    assert len(many) == len(one)


def test_edits_are_shown_with_what_was_before(boss: Client) -> None:
    job = a_job(name="before")
    jobs.update(job, {"name": "<b>after</b>"}, by="anna")
    page = text(boss.get(url(PAGE, job.pk)))
    assert "Updated by anna" in page
    assert "&lt;b&gt;after&lt;/b&gt;" in page


def test_run_now_from_the_page(boss: Client) -> None:
    job = a_job(name="report")
    answer = boss.post(url("scheduler_job_run", job.pk))
    assert answer.headers["Location"] == url(PAGE, job.pk)
    assert said(answer) == [f"Asked for a run: report (probe {job.number})"]
    assert Execution.objects.get().requested_by == "boss"


def test_pause_and_resume_from_the_page(boss: Client) -> None:
    job = a_job(expression=MINUTELY)
    boss.post(url("scheduler_job_deactivate", job.pk))
    assert not Job.objects.get().active
    boss.post(url("scheduler_job_activate", job.pk))
    assert Job.objects.get().active


def test_a_job_that_never_fires_again_cannot_be_resumed_into_silence(boss: Client) -> None:
    job = a_job(expression=MINUTELY, active=False)
    page = text(boss.get(url(PAGE, job.pk)))
    assert "Fires once resumed" in page
    assert "paused" in page


@pytest.mark.parametrize("verb", ["run", "activate", "deactivate"])
def test_what_acts_takes_no_get(boss: Client, verb: str) -> None:
    job = a_job()
    assert boss.get(url(f"scheduler_job_{verb}", job.pk)).status_code == 405
    assert not Execution.objects.exists()


@pytest.mark.parametrize("verb", ["run", "activate", "deactivate"])
def test_what_acts_needs_a_csrf_token(boss: Client, verb: str) -> None:
    job = a_job()
    boss.handler.enforce_csrf_checks = True
    assert boss.post(url(f"scheduler_job_{verb}", job.pk)).status_code == 403


@pytest.mark.parametrize("verb", ["run", "activate", "deactivate"])
def test_somebody_who_may_only_look_is_refused(viewer: Client, verb: str) -> None:
    job = a_job()
    assert viewer.post(url(f"scheduler_job_{verb}", job.pk)).status_code == 403
    assert Job.objects.get().version == job.version
    assert not Execution.objects.exists()


def test_somebody_who_may_only_look_is_offered_nothing_to_press(viewer: Client) -> None:
    job = a_job()
    page = text(viewer.get(url(PAGE, job.pk)))
    for word in ("Run now", ">Pause<", ">Edit<", ">Clone<", ">Delete<"):
        assert word not in page


def test_who_may_not_see_runs_or_changes_is_shown_none(login: Login) -> None:
    job = a_job()
    jobs.run_now(job, by="somebody")
    page = text(login("scheduler.view_job").get(url(PAGE, job.pk)))
    assert "Newest runs" not in page
    assert "Changes" not in page


def test_acting_on_no_job_is_not_found(boss: Client) -> None:
    assert boss.post(url("scheduler_job_run", 999)).status_code == 404


def test_the_page_of_no_job_leads_back(boss: Client) -> None:
    answer = boss.get(url(PAGE, 999))
    assert (answer.status_code, answer.headers["Location"]) == (302, url("index"))
