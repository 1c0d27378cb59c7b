"""How runs ended stays counted by job and day when retention deletes them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db.models import Sum

from scheduler import jobs, retention
from scheduler.console import runs
from scheduler.console.charts import Day
from scheduler.models import Execution, Job, JobDay, JobState, Status
from tests.scheduler.factories import a_job, started
from tests.scheduler.threads import together

pytestmark = pytest.mark.django_db

MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=100)
SECOND = timedelta(seconds=1)


def ended(job: Job, *outcomes: tuple[datetime, Status], expired: bool = True, visible: bool = True) -> None:
    """Runs of ``job`` that ended then and so, to be deleted unless told otherwise."""
    first = JobState.objects.get(job=job).last_number + 1
    Execution.objects.bulk_create(
        Execution(
            job=job,
            number=None if status == Status.SKIPPED else first + place,
            reason="overlap" if status == Status.SKIPPED else None,
            scheduled_for=at - place * timedelta(microseconds=1),
            status=status,
            started_at=at,
            ended_at=at,
            expires_at=datetime.now(UTC) + timedelta(days=-1 if expired else 1),
            visible=visible,
            attempt=1,
            queue="services",
        )
        for place, (at, status) in enumerate(outcomes)
    )
    of = dict.fromkeys(("success_count", "warning_count", "failure_count"), 0)
    for _at, status in outcomes:
        name = {Status.SUCCEEDED: "success_count", Status.WARNED: "warning_count", Status.SKIPPED: ""}.get(
            status, "failure_count"
        )
        if name and visible:
            of[name] += 1
    JobState.objects.filter(job=job).update(last_number=first + len(outcomes), total_count=sum(of.values()), **of)


def days(job: Job) -> dict[date, Day]:
    return dict(runs.days(Job.objects.with_state().get(pk=job.pk), now=datetime.now(UTC)))


def test_deleting_runs_changes_no_day_of_the_calendar() -> None:
    job, other = a_job(), a_job()
    outcomes = [
        (MIDNIGHT - SECOND, Status.FAILED),
        (MIDNIGHT, Status.SUCCEEDED),
        (MIDNIGHT + SECOND, Status.CANCELLED),
        (MIDNIGHT + 2 * SECOND, Status.WARNED),
        (MIDNIGHT + 3 * SECOND, Status.SKIPPED),
        (MIDNIGHT + 4 * SECOND, Status.SUCCEEDED),
    ]
    for one in (job, other):
        ended(one, *outcomes)
    before = {MIDNIGHT.date() - timedelta(days=1): Day(1, 1), MIDNIGHT.date(): Day(4, 1)}
    assert days(job) == before
    # One at a time, so that most add to a day that is there.
    seen = []
    while retention.purge(batch=1):
        seen.append((days(job), days(other)))
    assert seen == [(before, before)] * 12
    assert not Execution.objects.exists()
    assert list(
        JobDay.objects.filter(job=job).order_by("day").values_list("succeeded", "warned", "failed", "cancelled")
    ) == [
        (0, 0, 1, 0),
        (2, 1, 0, 1),
    ]


def test_runs_that_history_hides_are_counted_as_before_their_deletion() -> None:
    job = a_job(history_strategy="OFF")
    ended(job, (MIDNIGHT, Status.SUCCEEDED), visible=False)
    before = days(job)
    retention.purge()
    assert days(job) == before == {MIDNIGHT.date(): Day(1, 0)}


def test_runs_that_are_kept_and_runs_that_were_deleted_make_up_a_day_together() -> None:
    job = a_job()
    ended(job, (MIDNIGHT, Status.FAILED), (MIDNIGHT + SECOND, Status.SUCCEEDED))
    retention.purge()
    ended(job, (MIDNIGHT + 2 * SECOND, Status.SUCCEEDED), expired=False)
    assert days(job) == {MIDNIGHT.date(): Day(3, 1)}


def test_the_figures_of_a_day_are_kept_for_a_little_more_than_a_year() -> None:
    job = a_job()
    # Two days beside the bound: between two statements a day may turn.
    long_ago = MIDNIGHT - timedelta(days=retention.DAYS_KEPT - 100 + 2)
    ended(job, (long_ago, Status.SUCCEEDED), (MIDNIGHT, Status.SUCCEEDED))
    retention.purge()
    assert list(JobDay.objects.values_list("day", flat=True)) == [MIDNIGHT.date()]
    JobDay.objects.create(job=job, day=long_ago.date(), succeeded=1, warned=0, failed=0, cancelled=0)
    retention.clean()
    assert list(JobDay.objects.values_list("day", flat=True)) == [MIDNIGHT.date()]


def test_a_deleted_job_takes_its_figures_along() -> None:
    job, other = a_job(), a_job()
    for one in (job, other):
        ended(one, (MIDNIGHT, Status.SUCCEEDED))
    retention.purge()
    started(job)
    jobs.delete(job, by="tester")
    retention.clean()
    assert list(JobDay.objects.values_list("job_id", flat=True)) == [other.pk]


@pytest.mark.django_db(transaction=True)
def test_beats_that_delete_at_once_count_every_run_once() -> None:
    job = a_job()
    ended(job, *((MIDNIGHT + place * SECOND, Status.SUCCEEDED) for place in range(40)))
    gone = [*together(*[lambda: retention.purge_all(batch=3)] * 3), retention.purge_all()]
    total = JobDay.objects.aggregate(total=Sum("succeeded"))["total"]
    assert (sum(one for one in gone if isinstance(one, int)), total, Execution.objects.count()) == (40, 40, 0)
