"""A job's own beat entry, edited anywhere, acts on the job: also through ``QuerySet.update``, which sends no signal."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django_celery_beat.models import PeriodicTask

from scheduler import claims, clock, jobs, pauses, tasks
from scheduler.definition import HEADERS_LIMIT_BYTES
from scheduler.exceptions import InvalidJob
from scheduler.models import Execution, Job, JobChange, JobState, Reason, Status
from tests.scheduler.factories import MINUTELY, YEARLY, a_job, due, state

pytestmark = pytest.mark.django_db


def entry(job: Job) -> Any:
    return PeriodicTask.objects.filter(job_state__job=job)


def changes(job: Job) -> list[tuple[str, str]]:
    return list(JobChange.objects.filter(job_id=job.pk).order_by("pk").values_list("verb", "by"))[1:]


def test_disabling_the_entry_pauses_the_job() -> None:
    job = a_job()
    entry(job).update(enabled=False)
    stored = Job.objects.get(pk=job.pk)
    assert (stored.active, stored.version, state(job).next_fire_at) == (False, 2, None)
    assert changes(job) == [("deactivated", "beat entry")]


def test_enabling_the_entry_resumes_the_job_at_its_next_instant() -> None:
    job = jobs.deactivate(a_job(expression=YEARLY), by="tester")
    entry(job).update(enabled=True)
    resumed = state(job).next_fire_at
    assert (Job.objects.get(pk=job.pk).active, state(job).recompute) == (True, True)
    assert resumed is not None and clock.now() < resumed < clock.exact_now()
    # The test's transaction began before that.
    JobState.objects.filter(job=job).update(next_fire_at=clock.now())
    claims.claim(limit=10)
    year = datetime(clock.now().year + 1, 1, 1, tzinfo=UTC)
    assert (state(job).next_fire_at, state(job).recompute, Execution.objects.count()) == (year, False, 0)
    assert entry(job).get().clocked.clocked_time == year
    assert changes(job)[1:] == [("activated", "beat entry")]


def test_what_falls_due_between_resuming_and_the_clock_s_look_runs() -> None:
    job = jobs.deactivate(a_job(expression=MINUTELY), by="tester")
    entry(job).update(enabled=True)
    resumed = clock.now() - timedelta(seconds=90)
    JobState.objects.filter(job=job).update(next_fire_at=resumed)
    claims.claim(limit=10)
    minute = resumed.replace(second=0, microsecond=0)
    expected = [minute + timedelta(minutes=step) for step in (1, 2) if minute + timedelta(minutes=step) <= clock.now()]
    assert list(Execution.objects.of(job).order_by("scheduled_for").values_list("scheduled_for", flat=True)) == expected
    assert state(job).next_fire_at == expected[-1] + timedelta(minutes=1)


def test_what_was_due_when_the_entry_was_disabled_is_on_record() -> None:
    job = a_job(expression=MINUTELY)
    at = due(job, seconds_ago=1)
    entry(job).update(enabled=False)
    pauses.settle_all()
    assert list(Execution.objects.of(job).values_list("scheduled_for", "until", "status", "reason", "messages")) == [
        (at, None, Status.SKIPPED, Reason.MISSED, ["paused on its beat entry before the clock had claimed it"])
    ]


LARGE = {"x": "ß" * (HEADERS_LIMIT_BYTES // 2)}


@pytest.mark.parametrize(
    "changed",
    [{"queue": "two words"}, {"queue": "x" * 65}, {"expire_seconds": 0}, {"headers": json.dumps(LARGE)}],
)
def test_what_no_job_may_have_is_not_taken_over(changed: dict[str, Any]) -> None:
    job = a_job(queue="slow", expires_seconds=60, headers={"x": "y"})
    entry(job).update(**changed)
    stored = Job.objects.get(pk=job.pk)
    assert (stored.queue, stored.expires_seconds, stored.headers, stored.version) == ("slow", 60, {"x": "y"}, 1)


def test_the_largest_headers_of_a_job_may_be_edited_on_its_entry() -> None:
    job = a_job()
    largest = {"x": "ß" * ((HEADERS_LIMIT_BYTES - len('{"x": ""}')) // 2)}
    entry(job).update(headers=json.dumps(largest))
    assert Job.objects.get(pk=job.pk).headers == largest
    jobs.update(Job.objects.get(pk=job.pk), {"headers": {**largest}, "name": "new"}, by="tester")


def test_a_job_whose_headers_are_older_than_their_limit_can_be_edited_and_they_cannot_grow() -> None:
    job = a_job()
    Job.objects.filter(pk=job.pk).update(headers=LARGE)
    edited = jobs.update(Job.objects.get(pk=job.pk), {"name": "new"}, by="tester")
    entry(job).update(priority=1)
    stored = Job.objects.get(pk=job.pk)
    assert (edited.name, stored.priority, stored.headers) == ("new", 1, LARGE)
    with pytest.raises(InvalidJob, match="at most 2048 bytes as JSON, and has 2065"):
        jobs.update(stored, {"headers": {**LARGE, "y": 1}}, by="tester")


def test_an_entry_that_is_over_does_not_pause_its_job() -> None:
    job = a_job(expression=MINUTELY)
    JobState.objects.filter(job=job).update(next_fire_at=None)
    entry(job).update(enabled=False)
    assert (Job.objects.get(pk=job.pk).active, changes(job)) == (True, [])


def test_queue_priority_expiry_and_headers_of_the_entry_are_honoured() -> None:
    job = a_job(expression=MINUTELY)
    entry(job).update(queue="slow", priority=1, expire_seconds=30, headers='{"tenant": "t1"}')
    stored = Job.objects.get(pk=job.pk)
    assert (stored.queue, stored.priority, stored.expires_seconds, stored.headers, stored.version) == (
        "slow",
        1,
        30,
        {"tenant": "t1"},
        2,
    )
    due(job)
    [hint] = claims.claim(limit=10).hints
    assert (hint.queue, hint.priority, hint.headers) == ("slow", 1, '{"tenant": "t1"}')


def test_emptied_fields_of_the_entry_mean_the_defaults() -> None:
    job = a_job(queue="slow", priority=1, expires_seconds=30, headers={"x": "y"})
    entry(job).update(queue=None, priority=None, expire_seconds=None, headers="")
    stored = Job.objects.get(pk=job.pk)
    assert (stored.queue, stored.priority, stored.expires_seconds, stored.headers) == ("", 5, None, {})


@pytest.mark.parametrize("headers", ["not json", "[1]", '"text"', "null", '{"nul": "\\u0000"}'])
def test_headers_that_are_no_object_count_as_none(headers: str) -> None:
    job = a_job(expression=MINUTELY, headers={"x": "y"})
    entry(job).update(headers=headers)
    assert Job.objects.get(pk=job.pk).headers == {}


@pytest.mark.parametrize("queue", ["q" * 65, "q" * 200])
def test_a_queue_too_long_for_a_job_is_not_taken_over(queue: str) -> None:
    job = a_job(queue="slow")
    entry(job).update(queue=queue)
    assert Job.objects.get(pk=job.pk).queue == "slow"


def test_a_priority_beyond_the_scale_is_its_end() -> None:
    job = a_job()
    entry(job).update(priority=200)
    assert Job.objects.get(pk=job.pk).priority == 9


def test_an_entry_saved_by_its_own_form_acts_too() -> None:
    job = a_job()
    stored = entry(job).get()
    stored.enabled = False
    stored.queue = "slow"
    stored.save()
    saved = Job.objects.get(pk=job.pk)
    assert (saved.active, saved.queue) == (False, "slow")


def test_a_deleted_entry_leaves_the_job_firing() -> None:
    job = a_job(expression=MINUTELY)
    entry(job).get().delete()
    at = due(job)
    claims.claim(limit=10)
    assert list(Execution.objects.of(job).values_list("scheduled_for", "status")) == [(at, Status.QUEUED)]
    assert jobs.update(job, {"name": "still editable"}, by="tester").name == "still editable"


def test_entries_of_no_job_are_nobody_s_business() -> None:
    from django_celery_beat.models import IntervalSchedule

    interval = IntervalSchedule.objects.create(every=1, period="days")
    task = PeriodicTask.objects.create(name="mine", task="x", interval=interval)
    PeriodicTask.objects.filter(pk=task.pk).update(enabled=False, queue="q" * 200, headers="nonsense")
    task.refresh_from_db()
    assert (task.enabled, task.headers, JobChange.objects.count()) == (False, "nonsense", 0)


def test_the_stock_admin_s_run_selected_tasks_is_a_run_now_under_the_job_s_policy() -> None:
    job = a_job(overlap="skip")
    task = PeriodicTask.objects.get(job_state__job=job)
    for _ in range(2):
        tasks.run_job(*json.loads(task.args))
    assert list(Execution.objects.of(job).order_by("pk").values_list("status", "reason", "requested_by")) == [
        (Status.QUEUED, None, "beat entry"),
        (Status.SKIPPED, Reason.OVERLAP, "beat entry"),
    ]


def test_the_task_of_a_job_that_is_gone_does_nothing() -> None:
    tasks.run_job(10**9)
    assert not Execution.objects.exists()
