"""What a pause on a job's own beat entry cut off is recorded by a beat: once, with its reason, and in bounds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django_celery_beat.models import PeriodicTask

from scheduler import claims, clock, jobs, metrics, pauses
from scheduler.due import DueJob, Row
from scheduler.models import Execution, Job, Pause, Reason
from scheduler.why import Answer, why
from tests.scheduler.calendars.factories import a_calendar
from tests.scheduler.database_clock import told_clock
from tests.scheduler.factories import MINUTELY, YEARLY, a_job, due
from tests.scheduler.holding import holding

pytestmark = pytest.mark.django_db

SECONDLY = "* * * * * ?"


def pause(job: Job) -> None:
    PeriodicTask.objects.filter(job_state__job=job).update(enabled=False)


def records(job: Job) -> list[Any]:
    rows = Execution.objects.of(job).order_by("scheduled_for")
    return list(rows.values_list("scheduled_for", "until", "reason"))


def test_of_very_many_instants_the_older_ones_share_a_row() -> None:
    job = a_job(expression=SECONDLY)
    first = due(job, seconds_ago=5000)
    pause(job)
    pauses.settle_all()
    found = records(job)
    assert (found[0][0], found[0][1], found[0][2]) == (first, found[1][0] - timedelta(seconds=1), Reason.MISSED)
    assert [(row[0], row[1]) for row in found[1:]] == [
        (found[1][0] + timedelta(seconds=step), None) for step in range(1000)
    ]


def test_what_lies_on_a_closed_day_is_recorded_as_that() -> None:
    with told_clock() as tell:
        tell(datetime(2031, 3, 1, 22, 30, tzinfo=UTC))
        job = a_job(expression="0 0 * * * ?", calendars=[a_calendar(dates="2031-03-01").pk])
        tell(datetime(2031, 3, 2, 1, 30, tzinfo=UTC))
        pause(job)
        pauses.settle_all()
    assert [(instant.hour, reason) for instant, _, reason in records(job)] == [
        (23, Reason.CALENDAR),
        (0, Reason.MISSED),
        (1, Reason.MISSED),
    ]


def test_a_schedule_that_nobody_can_read_any_more_leaves_one_row_for_what_was_due() -> None:
    job = a_job(expression=MINUTELY)
    first = due(job, seconds_ago=90)
    pause(job)
    Job.objects.filter(pk=job.pk).update(zone="Nowhere/Gone")
    until = Pause.objects.get().until
    pauses.settle_all()
    assert records(job) == [(first, until, Reason.MISSED)]


def test_until_a_beat_has_recorded_it_the_answer_is_that_it_will() -> None:
    job = a_job(expression=SECONDLY)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scheduler_jobchange SET at = at - interval '1 hour'")
    at = due(job, seconds_ago=10)
    pause(job)
    before = why(job, at)
    pauses.settle_all()
    assert (before.answer, why(job, at).answer) == (Answer.PENDING, Answer.MISSED)
    assert "no beat has recorded it yet" in before.reason


def test_a_deleted_job_leaves_nothing_to_settle() -> None:
    job = a_job(expression=MINUTELY)
    due(job, seconds_ago=90)
    pause(job)
    jobs.delete(job, by="tester")
    assert (Pause.objects.exists(), pauses.settle_all()) == (False, 0)


def test_what_is_left_of_a_job_that_is_gone_is_cleared_away() -> None:
    Pause.objects.create(job_id=10**9, since=datetime(2026, 1, 1, tzinfo=UTC), resumed=False, until=clock.now())
    pauses.settle_all()
    assert not Pause.objects.exists()


def test_what_is_recorded_is_counted_once() -> None:
    job = a_job(expression=YEARLY)
    due(job, seconds_ago=3)
    pause(job)
    before = metrics._local.take()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scheduler.pauses.transaction.on_commit", lambda act: act())
        pauses.settle_all()
        Pause.objects.create(
            job_id=job.pk, since=Execution.objects.get().scheduled_for, resumed=False, until=clock.now()
        )
        pauses.settle_all()
    # Other threads of this process count what they do, too.
    ours = (metrics.DUE.name, metrics.SKIPPED.name)
    counted = {key: series.value for key, series in metrics._local.take().items() if key[0] in ours}
    metrics._local.put_back(before)
    assert counted == {(metrics.DUE.name, "probe", ""): 1.0, (metrics.SKIPPED.name, "probe", "missed"): 1.0}


@pytest.mark.django_db(transaction=True)
def test_a_job_that_somebody_holds_is_passed_over_until_it_is_free() -> None:
    held, free = a_job(expression=YEARLY), a_job(expression=YEARLY)
    for job in (held, free):
        due(job, seconds_ago=3)
        pause(job)
    with holding(held):
        assert pauses.settle_all() == 1
        assert (len(records(free)), len(records(held))) == (1, 0)
    assert (pauses.settle_all(), len(records(held)), pauses.settle_all()) == (1, 1, 0)


def test_what_the_database_does_not_take_of_one_job_costs_no_other_its_records(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, sound = a_job(expression=YEARLY), a_job(expression=YEARLY)
    for job in (broken, sound):
        due(job, seconds_ago=3)
        pause(job)
    rows_of = pauses._rows

    def rows(job: DueJob, since: datetime, *, resumed: bool, until: datetime) -> list[Row]:
        made = rows_of(job, since, resumed=resumed, until=until)
        # No status is as large as that, nor is the column.
        return [(*row[:5], 10**6, *row[6:]) for row in made] if job.job_pk == broken.pk else made

    monkeypatch.setattr(pauses, "_rows", rows)
    assert pauses.settle_all() == 1
    waiting = list(Pause.objects.values_list("job_id", flat=True))
    assert (waiting, len(records(broken)), len(records(sound))) == ([broken.pk], 0, 1)


def test_one_call_goes_on_for_no_longer_than_a_claim_may(monkeypatch: pytest.MonkeyPatch) -> None:
    for job in (a_job(expression=YEARLY), a_job(expression=YEARLY)):
        due(job, seconds_ago=3)
        pause(job)
    monkeypatch.setattr(claims, "MOST_SECONDS", 0.0)
    assert [pauses.settle_all() for _ in range(3)] == [1, 1, 0]
