"""The page that tells what happened at an instant."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from scheduler import jobs
from scheduler.admin.why_page import Asked, read
from scheduler.models import Execution, Job, JobChange, Status
from tests.scheduler.admin.conftest import Login
from tests.scheduler.admin.pages import text, url
from tests.scheduler.factories import a_job

WHY = "scheduler_job_why"
# A new year that is over, at which a yearly job was due.
DUE = datetime(2026, 1, 1, tzinfo=UTC)


def old_job(**changes: Any) -> Job:
    """A job that existed before DUE."""
    job = a_job(**changes)
    JobChange.objects.filter(job_id=job.pk).update(at=datetime(2025, 1, 1, tzinfo=UTC))
    return job


def test_the_page_tells_what_became_of_an_instant_with_its_evidence(viewer: Client) -> None:
    job = old_job()
    run = Execution.objects.create(
        job=job, number=1, scheduled_for=DUE, status=Status.FAILED, queue="services", started_at=DUE, ended_at=DUE,
        messages=["<b>HTTP 500</b>"],
    )  # fmt: skip
    page = viewer.get(url(WHY, job.pk), {"at": "2026-01-01T00:00:00"})
    assert page.context["answer"].answer == "ran"
    assert page.context["tone"] == "failed"
    assert url("scheduler_execution_change", run.pk) in text(page)
    assert "&lt;b&gt;HTTP 500&lt;/b&gt;" in text(page)


def test_an_instant_is_read_in_the_zone_of_the_job(viewer: Client) -> None:
    job = old_job(zone="Europe/Berlin")
    page = viewer.get(url(WHY, job.pk), {"at": "2026-01-01T00:00:00"})
    assert page.context["asked"] == Asked(datetime(2025, 12, 31, 23, tzinfo=UTC), "Europe/Berlin")


def test_instants_around_are_offered(viewer: Client) -> None:
    page = viewer.get(url(WHY, old_job().pk), {"at": "2026-06-01T00:00"})
    assert page.context["answer"].answer == "not due"
    assert [due.at.year for due in page.context["around"]] == [2023, 2024, 2025, 2026, 2027, 2028, 2029, 2030]
    assert "?at=2026-01-01T00%3A00%3A00%2B00%3A00&amp;zone=UTC" in text(page)


def test_a_deleted_job_can_still_be_asked_about(viewer: Client) -> None:
    job = old_job(name="gone")
    jobs.delete(job, by="anna")
    page = viewer.get(url(WHY, job.pk), {"at": "2026-01-01T00:00:00"})
    assert page.context["answer"].answer == "deleted"
    assert "anna deleted the job" in text(page).lower()
    assert url(WHY, job.pk) in text(viewer.get(url("scheduler_jobchange_changelist")))


def test_without_an_instant_the_page_asks_for_one(viewer: Client) -> None:
    page = viewer.get(url(WHY, old_job().pk))
    assert page.context["answer"] is None
    assert page.status_code == 200


@pytest.mark.parametrize(
    ("at", "zone", "problem"),
    [
        ("yesterday", "UTC", "This is no instant: write 2027-01-31 03:00:00."),
        ("2026-02-30T00:00", "UTC", "There is no such instant."),
        ("0001-01-01T00:00", "Europe/Berlin", "There is no such instant."),
        ("9999-12-31T23:59:59", "America/New_York", "There is no such instant."),
        ("2026-01-01T00:00", "Mars", "'Mars' is not a time zone; use an IANA name such as Europe/Berlin"),
    ],
)
def test_what_is_no_instant_is_told(viewer: Client, at: str, zone: str, problem: str) -> None:
    page = viewer.get(url(WHY, old_job().pk), {"at": at, "zone": zone})
    assert (page.status_code, page.context["problem"]) == (200, problem)


@pytest.mark.parametrize("at", ["0001-01-01T00:00", "1969-06-01T00:00", "9999-12-31T23:59:59", "2300-01-01T00:00"])
def test_an_instant_out_of_all_proportion_is_answered(viewer: Client, at: str) -> None:
    assert viewer.get(url(WHY, old_job().pk), {"at": at, "zone": "UTC"}).status_code == 200


def test_an_instant_with_an_offset_is_itself() -> None:
    asked, problem = read("2026-01-01T02:00:00+02:00", "Europe/Berlin")
    assert (asked, problem) == (Asked(DUE, "Europe/Berlin"), "")
    assert asked is not None
    assert (asked.typed, asked.shown) == ("2026-01-01T01:00:00", "Thu 2026-01-01 01:00:00 +0100")


def test_a_job_that_never_was_is_not_found(viewer: Client) -> None:
    assert viewer.get(url(WHY, 999)).status_code == 404


def test_asking_needs_the_permission_to_see_runs(login: Login) -> None:
    assert login("scheduler.view_job").get(url(WHY, old_job().pk)).status_code == 403
