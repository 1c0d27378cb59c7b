"""What the dashboard and the charts ask of the runs."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduler import jobs, processes
from scheduler.console import overview, runs
from scheduler.console.charts import Day
from scheduler.models import Execution, Job, JobState, Process, Status, Trigger
from tests.scheduler.factories import MINUTELY, a_job, due, started

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


def ended(
    job: Job,
    number: int,
    *,
    at: datetime,
    status: Status = Status.SUCCEEDED,
    late: float = 1.0,
    took: float = 2.0,
) -> Execution:
    """A run of the past."""
    began = at + timedelta(seconds=late)
    JobState.objects.filter(job=job).update(last_number=number)
    return Execution.objects.create(
        job=job,
        number=number,
        scheduled_for=at,
        created_at=at,
        started_at=began,
        ended_at=began + timedelta(seconds=took),
        status=status,
        attempt=1,
        queue="services",
    )


def test_a_day_with_a_failure_is_no_full_success() -> None:
    counts = Counter({Status.SUCCEEDED: 2_999, Status.FAILED: 1})
    day = overview.LastDay(NOW, (), counts, None, (), is_cut=False)
    assert (day.success_percent, replace(day, counts=counts - Counter({Status.FAILED: 1})).success_percent) == (
        "99.9 %",
        "100.0 %",
    )


def test_the_last_day_counts_by_the_hour_and_outcome() -> None:
    job = a_job()
    ended(job, 1, at=NOW - timedelta(days=2), status=Status.FAILED)
    ended(job, 2, at=NOW - timedelta(hours=3))
    ended(job, 3, at=NOW - timedelta(hours=3, minutes=-1), status=Status.FAILED)
    ended(job, 4, at=NOW - timedelta(minutes=1), status=Status.WARNED)
    day = overview.last_day(NOW)
    assert (day.runs, day.failed, day.success_percent, day.is_cut) == (3, 1, "66.7 %", False)
    busy = {bar.title: dict(bar.parts) for bar in day.hours if sum(bar.parts.values())}
    nothing = dict.fromkeys(("succeeded", "warned", "failed", "cancelled", "skipped", "running", "queued"), 0)
    assert busy == {
        "11-22 09:00 UTC: 1 succeeded, 1 failed": {**nothing, "succeeded": 1, "failed": 1},
        "11-22 12:00 UTC: 1 warned": {**nothing, "warned": 1},
    }
    assert len(day.hours) == 25


def test_skipped_instants_are_no_runs() -> None:
    job = a_job()
    Execution.objects.create(
        job=job, scheduled_for=NOW, created_at=NOW, ended_at=NOW, status=Status.SKIPPED, reason="missed", queue="q"
    )
    day = overview.last_day(NOW)
    assert (day.runs, day.counts[Status.SKIPPED], day.success_percent) == (0, 1, "–")


def test_the_95th_percentile_of_lateness_is_of_scheduled_runs() -> None:
    job = a_job()
    for number in range(1, 22):
        ended(job, number, at=NOW - timedelta(minutes=number), late=number / 10)
    Execution.objects.create(
        job=job,
        number=99,
        scheduled_for=NOW - timedelta(hours=1),
        created_at=NOW - timedelta(minutes=1),
        started_at=NOW,
        ended_at=NOW,
        status=Status.SUCCEEDED,
        trigger=Trigger.MANUAL,
        attempt=1,
        queue="services",
    )
    assert overview.last_day(NOW).p95_lateness == pytest.approx(2.0, rel=0.15)


def test_a_day_without_runs_is_shown_empty() -> None:
    day = overview.last_day(NOW)
    assert (day.runs, day.p95_lateness, day.success_percent) == (0, None, "–")


def test_counts_end_at_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "CAP", 2)
    seen = []
    for _ in range(3):
        a_job()
        seen.append(str(overview.capped("scheduled")))
    assert seen == ["1", "2", "2+"]


def test_running_shows_progress_told_or_guessed_from_earlier_runs() -> None:
    told, guessed, unknown = a_job(name="told"), a_job(name="guessed"), a_job(name="unknown")
    ended(guessed, 1, at=NOW, took=40)
    runs_now = {job.name: started(job).execution_id for job in (told, guessed, unknown)}
    Execution.objects.filter(pk=runs_now["told"]).update(progress_done=1, progress_total=4)
    now = datetime.now(UTC)
    Execution.objects.filter(pk__in=runs_now.values()).update(started_at=now - timedelta(seconds=10))
    found = {run.execution.job.name: run for run in overview.running(now)}
    assert {name: (run.percent, run.is_guess, run.usual_seconds) for name, run in found.items()} == {
        "told": (25, False, None),
        "guessed": (25, True, 40.0),
        "unknown": (None, True, None),
    }
    assert found["told"].elapsed == timedelta(seconds=10)


def test_what_comes_is_what_fires_within_a_day_soonest_first() -> None:
    later, sooner = a_job(expression=MINUTELY), a_job(expression=MINUTELY)
    a_job(name="next year")
    a_job(expression=MINUTELY, active=False)
    due(sooner, seconds_ago=5)
    assert [state.job_id for state, _ in overview.coming(datetime.now(UTC))] == [sooner.pk, later.pk]


def test_queues_tell_what_waits_and_who_works() -> None:
    processes.renew("worker@a:1:1", Process.Kind.WORKER, queues=["services", "slow"], slots=8)
    processes.renew("worker@b:1:1", Process.Kind.WORKER, queues=["slow"], slots=2)
    execution = jobs.run_now(a_job(queue="lonely"), by="tester")
    found = {queue.name: (queue.waiting, queue.oldest, queue.slots) for queue in overview.queues()}
    execution.refresh_from_db()
    assert found == {"services": (0, None, 8), "slow": (0, None, 10), "lonely": (1, execution.created_at, 0)}


def test_failures_are_the_newest_of_the_last_day() -> None:
    job = a_job()
    ended(job, 1, at=NOW - timedelta(days=3), status=Status.FAILED)
    first = ended(job, 2, at=NOW - timedelta(hours=2), status=Status.FAILED)
    ended(job, 3, at=NOW - timedelta(hours=1))
    second = ended(job, 4, at=NOW, status=Status.FAILED)
    assert [run.pk for run in overview.failures(overview.last_day(NOW))] == [second.pk, first.pk]


def test_the_overview_takes_a_fixed_number_of_queries() -> None:
    started(a_job())
    with CaptureQueriesContext(connection) as one:
        list(overview.overview()["coming"])
    for _ in range(10):
        started(a_job(expression=MINUTELY))
    with CaptureQueriesContext(connection) as many:
        list(overview.overview()["coming"])
    assert len(many) == len(one)


def test_a_strip_holds_the_last_sixty_runs_oldest_first() -> None:
    job, other = a_job(), a_job()
    for number in range(1, 64):
        ended(job, number, at=NOW + timedelta(minutes=number), took=number)
    found = runs.strips([job.pk, other.pk])
    assert (len(found[job.pk]), found[other.pk]) == (60, [])
    assert (found[job.pk][0].seconds, found[job.pk][-1].seconds) == (4.0, 63.0)
    assert found[job.pk][-1].title == "63 succeeded, 1 min 3 s, 11-22 13:33"


def test_series_hold_durations_and_latenesses_oldest_first() -> None:
    job = a_job()
    ended(job, 1, at=NOW, late=3, took=5)
    ended(job, 2, at=NOW + timedelta(minutes=1), status=Status.FAILED, late=1, took=7)
    started(job)
    found = runs.series(Job.objects.with_state().get())
    assert [(dot.value, dot.tone) for dot in found.durations] == [(5.0, "succeeded"), (7.0, "failed")]
    assert [dot.value for dot in found.latenesses] == [3.0, 1.0]


def test_days_count_how_runs_ended() -> None:
    job = a_job()
    ended(job, 1, at=NOW - timedelta(days=400))
    ended(job, 2, at=NOW - timedelta(days=1))
    ended(job, 3, at=NOW, status=Status.FAILED)
    ended(job, 4, at=NOW + timedelta(minutes=1))
    found = runs.days(Job.objects.with_state().get(), now=NOW)
    assert found == {date(2026, 11, 21): Day(1, 0), date(2026, 11, 22): Day(2, 1)}


def test_days_read_no_more_than_the_newest_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "CALENDAR_RUNS", 1)
    job = a_job()
    ended(job, 1, at=NOW - timedelta(days=1))
    ended(job, 2, at=NOW)
    assert runs.days(Job.objects.with_state().get(), now=NOW) == {date(2026, 11, 22): Day(1, 0)}
