"""Why did it (not) run: the answer, and the rows it rests on."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from django.db import connection

from scheduler import claims, clock, executions, jobs
from scheduler.job_types import Outcome
from scheduler.models import Execution, Job, JobChange, JobState, Reason, Status
from scheduler.schedule import Schedule
from scheduler.why import Answer, Why, why
from tests.scheduler.factories import MINUTELY, YEARLY, a_job, due, make_ready, started

pytestmark = pytest.mark.django_db

HOURLY = "0 0 * * * ?"


@cache
def this_minute() -> datetime:
    """The minute in which the test began, also where the next one begins meanwhile."""
    return clock.now().replace(second=0, microsecond=0)


@pytest.fixture(autouse=True)
def a_new_minute() -> None:
    this_minute.cache_clear()


def last_minute(back: int = 0) -> datetime:
    """The minute that began last, or one so many before it."""
    return this_minute() - timedelta(minutes=back)


def an_old_job(*, days: int = 10, **changes: Any) -> Job:
    """A job that was created so many days ago."""
    job = a_job(**changes)
    JobChange.objects.filter(job_id=job.pk).update(at=clock.now() - timedelta(days=days))
    return job


def claim_at(job: Job, instant: datetime) -> None:
    """Let the clock claim what is due of ``job`` since ``instant``."""
    JobState.objects.filter(job=job).update(next_fire_at=instant)
    claims.claim(limit=10)


def told(found: Why) -> tuple[Answer, list[int | None], list[str]]:
    return (
        found.answer,
        [execution.number for execution in found.executions],
        [change.verb for change in found.changes],
    )


def test_an_instant_that_ran() -> None:
    job = an_old_job(expression=MINUTELY)
    at = last_minute()
    claim_at(job, at)
    [run] = executions.start([Execution.objects.get().pk], worker="w")
    executions.finish(run, Outcome(Status.FAILED, ("404 Not Found",)))
    found = why(job, at)
    assert told(found) == (Answer.RAN, [1], [])
    assert found.reason.endswith("and failed: 404 Not Found")


def test_an_instant_whose_run_is_queued() -> None:
    job = an_old_job(expression=MINUTELY, queue="slow")
    claim_at(job, last_minute())
    found = why(job, last_minute())
    assert told(found) == (Answer.QUEUED, [1], [])
    assert found.reason == "it waits for a worker of the queue 'slow', of which 0 are alive"


def test_an_instant_whose_run_waits_for_another() -> None:
    job = an_old_job(expression=MINUTELY, overlap="queue")
    started(job)
    claim_at(job, last_minute())
    found = why(job, last_minute())
    assert (told(found), found.reason) == ((Answer.QUEUED, [2, 1], []), "it waits for run 1 to end")


def test_an_instant_whose_run_waits_for_its_next_attempt() -> None:
    job = an_old_job(expression=MINUTELY, max_retries=1, retry_delay_seconds=1000)
    claim_at(job, last_minute())
    [run] = executions.start([Execution.objects.get().pk], worker="w")
    executions.finish(run, Outcome(Status.FAILED, retryable=True))
    assert why(job, last_minute()).reason.startswith("attempt 1 failed, the next is due at ")
    make_ready(run.execution_id)
    executions.start([run.execution_id], worker="w")
    assert why(job, last_minute()).answer is Answer.RUNNING


def test_an_instant_that_is_running() -> None:
    job = an_old_job(expression=MINUTELY)
    claim_at(job, last_minute())
    executions.start([Execution.objects.get().pk], worker="host:1")
    found = why(job, last_minute())
    assert told(found) == (Answer.RUNNING, [1], [])
    assert found.reason.endswith("on host:1, attempt 1")


def test_an_instant_whose_run_was_cancelled() -> None:
    job = an_old_job(expression=MINUTELY)
    claim_at(job, last_minute())
    executions.cancel(Execution.objects.get(), by="somebody")
    found = why(job, last_minute())
    assert told(found) == (Answer.CANCELLED, [1], [])
    assert found.reason.endswith("cancelled by somebody")


def test_an_instant_that_was_skipped_names_the_run_in_its_way() -> None:
    job = an_old_job(expression=MINUTELY)
    run = started(job)
    claim_at(job, last_minute())
    assert (told(why(job, last_minute())), why(job, last_minute()).reason) == (
        (Answer.SKIPPED, [None, 1], []),
        "run 1 was not finished: it is not over yet",
    )
    executions.finish(run, Outcome(Status.SUCCEEDED))
    assert why(job, last_minute()).reason.startswith("run 1 was not finished: it ended at ")


def test_an_instant_that_was_coalesced_names_the_run_that_stood_for_it() -> None:
    job = an_old_job(expression=MINUTELY, misfire_grace_seconds=0)
    claim_at(job, last_minute(3))
    found = why(job, last_minute(2))
    assert told(found) == (Answer.COALESCED, [None, 1], [])
    assert "run 1, due at " in found.reason


def test_an_instant_that_was_missed() -> None:
    job = an_old_job(expression=MINUTELY, misfire="skip", misfire_grace_seconds=0)
    claim_at(job, last_minute(3))
    assert told(why(job, last_minute(2))) == (Answer.MISSED, [None], [])


def test_an_instant_inside_the_span_of_a_long_outage() -> None:
    job = an_old_job(expression=MINUTELY, misfire="skip", misfire_grace_seconds=0)
    claim_at(job, last_minute(3000))
    found = why(job, last_minute(2500))
    assert told(found) == (Answer.MISSED, [None], ["created"])
    assert found.executions[0].until is not None


def test_what_lies_between_the_instants_of_a_span_was_not_due() -> None:
    job = an_old_job(expression=MINUTELY, misfire="skip", misfire_grace_seconds=0)
    claim_at(job, last_minute(3000))
    assert why(job, last_minute(2500) + timedelta(seconds=30)).answer is Answer.NOT_DUE


def test_an_instant_that_expired() -> None:
    job = an_old_job(expression=MINUTELY, expires_seconds=1, misfire_grace_seconds=3600)
    claim_at(job, last_minute(5))
    executions.start([Execution.objects.get(number=1).pk], worker="w")
    assert told(why(job, last_minute(5))) == (Answer.EXPIRED, [1], [])


def test_an_instant_that_no_beat_has_claimed_yet() -> None:
    job = an_old_job(expression=MINUTELY)
    JobState.objects.filter(job=job).update(next_fire_at=last_minute(2))
    found = why(job, last_minute(1))
    assert told(found) == (Answer.PENDING, [], ["created"])
    assert found.reason.endswith("no beat is alive")


def test_an_instant_ahead() -> None:
    job = an_old_job(expression=YEARLY)
    ahead = datetime(clock.now().year + 1, 1, 1, tzinfo=UTC)
    assert why(job, ahead).answer is Answer.FUTURE


def test_an_instant_that_is_none_of_the_schedule_s() -> None:
    job = an_old_job(expression="0 0 3 * * ?", zone="Europe/Berlin")
    found = why(job, datetime(2026, 7, 1, 3, 0, tzinfo=UTC))
    assert found.answer is Answer.NOT_DUE
    at = clock.now() - timedelta(days=2)
    found = why(job, at.replace(hour=3, minute=30, second=0, microsecond=0))
    assert found.answer is Answer.NOT_DUE
    assert "'0 0 3 * * ?' in Europe/Berlin, does not fire at that instant; it fires at " in found.reason


def test_an_instant_before_the_job_existed() -> None:
    job = an_old_job(expression=HOURLY, days=1)
    found = why(job, last_minute().replace(minute=0) - timedelta(days=2))
    assert told(found) == (Answer.NOT_DUE, [], ["created"])
    assert found.reason.startswith("the job did not exist yet: tester created it at ")


def test_an_instant_while_the_job_was_paused() -> None:
    job = an_old_job(expression=HOURLY)
    jobs.deactivate(job, by="pauser")
    JobChange.objects.filter(job_id=job.pk, verb="deactivated").update(at=clock.now() - timedelta(days=5))
    jobs.activate(job, by="resumer")
    JobChange.objects.filter(job_id=job.pk, verb="activated").update(at=clock.now() - timedelta(days=3))
    hour = last_minute().replace(minute=0)
    found = why(job, hour - timedelta(days=4))
    assert told(found) == (Answer.PAUSED, [], ["created", "deactivated"])
    assert found.reason.startswith("the job was paused: pauser paused it at ")
    assert why(job, hour - timedelta(days=2)).answer is Answer.UNKNOWN


def test_an_instant_while_the_job_is_paused_on_its_beat_entry() -> None:
    from django_celery_beat.models import PeriodicTask

    job = an_old_job(expression=YEARLY)
    PeriodicTask.objects.filter(job_state__job=job).update(enabled=False)
    found = why(job, datetime(clock.now().year + 1, 1, 1, tzinfo=UTC))
    assert told(found) == (Answer.PAUSED, [], ["created", "deactivated"])
    assert "beat entry paused it" in found.reason


def test_the_schedule_that_was_in_force_then_decides() -> None:
    job = an_old_job(expression=HOURLY)
    jobs.update(job, {"schedule": Schedule(expression="0 30 * * * ?")}, by="editor")
    JobChange.objects.filter(job_id=job.pk, verb="updated").update(at=clock.now() - timedelta(days=5))
    hour = last_minute().replace(minute=0)
    half = timedelta(minutes=30)
    before, after = hour - timedelta(days=6), hour - timedelta(days=4)
    assert [why(job, instant).answer for instant in (before, before + half, after, after + half)] == [
        Answer.UNKNOWN,
        Answer.NOT_DUE,
        Answer.NOT_DUE,
        Answer.UNKNOWN,
    ]
    assert told(why(job, after))[2] == ["created", "updated"]


def test_a_job_whose_creation_is_not_on_record_is_judged_by_its_first_change() -> None:
    job = an_old_job(expression=HOURLY)
    jobs.update(job, {"schedule": Schedule(expression="0 30 * * * ?")}, by="editor")
    JobChange.objects.filter(job_id=job.pk, verb="created").delete()
    hour = last_minute().replace(minute=0) - timedelta(days=1)
    assert [why(job, instant).answer for instant in (hour, hour + timedelta(minutes=30))] == [
        Answer.UNKNOWN,
        Answer.NOT_DUE,
    ]


def test_an_instant_whose_record_outlived_its_days() -> None:
    job = an_old_job(expression=HOURLY, retention_days=2)
    found = why(job, last_minute().replace(minute=0) - timedelta(days=3))
    assert found.answer is Answer.UNKNOWN
    assert "2 days of retention" in found.reason


def test_an_instant_of_a_job_that_was_deleted() -> None:
    job = an_old_job(expression=HOURLY)
    pk = job.pk
    jobs.delete(job, by="remover")
    gone = Job(pk=pk)
    before, after = why(gone, last_minute().replace(minute=0)), why(gone, clock.now() + timedelta(days=1))
    assert (told(before), told(after)) == ((Answer.DELETED, [], ["deleted"]), (Answer.DELETED, [], ["deleted"]))
    assert before.reason.endswith("what became of this instant is not known")
    assert after.reason.startswith("remover deleted the job at ")


def test_a_job_that_never_was() -> None:
    assert why(Job(pk=10**9), clock.now()).answer is Answer.UNKNOWN


def test_an_instant_of_a_job_that_the_clock_had_to_pause() -> None:
    job = an_old_job(expression=HOURLY)
    at = last_minute().replace(minute=0)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scheduler_job SET zone = 'Nowhere/Land'")
    claim_at(job, at)
    found = why(job, at)
    assert (found.answer, [row.reason for row in found.executions]) == (Answer.MISSED, [Reason.MISSED])
    assert "the clock could not work out its fires and paused the job: InvalidSchedule" in found.reason


def test_a_schedule_that_cannot_be_read_any_more_says_so() -> None:
    job = an_old_job(expression=HOURLY)
    JobChange.objects.filter(job_id=job.pk).delete()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scheduler_job SET zone = 'Nowhere/Land'")
    found = why(job, last_minute())
    assert found.answer is Answer.UNKNOWN
    assert "cannot be read" in found.reason


def test_a_run_now_at_the_same_instant_is_no_fire() -> None:
    job = an_old_job(expression=MINUTELY)
    execution = jobs.run_now(job, by="tester")
    Execution.objects.filter(pk=execution.pk).update(scheduled_for=last_minute())
    assert why(job, last_minute()).answer is Answer.UNKNOWN


def test_an_instant_may_be_given_in_any_zone() -> None:
    from zoneinfo import ZoneInfo

    job = an_old_job(expression=MINUTELY)
    claim_at(job, last_minute())
    assert why(job, last_minute().astimezone(ZoneInfo("Asia/Tokyo"))).answer is Answer.QUEUED


def test_an_instant_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        why(an_old_job(), datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused


def test_the_answer_takes_a_bounded_number_of_queries(django_assert_max_num_queries: object) -> None:
    job = an_old_job(expression=MINUTELY, misfire="skip", misfire_grace_seconds=0)
    for turn in range(20):
        jobs.update(job, {"active": bool(turn % 2)}, by="t")
    claim_at(job, last_minute(3000))
    with django_assert_max_num_queries(10):  # type: ignore[operator]
        why(job, last_minute(2500))


def test_what_is_due_right_now_is_told_as_soon_as_it_is_claimed() -> None:
    job = an_old_job(expression=MINUTELY)
    at = due(job)
    claims.claim(limit=10)
    assert why(job, at).answer is Answer.QUEUED
