"""Instants that did not run: told by the beat that skips them, over with the next run that begins."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduler import claims, executions, jobs, notices
from scheduler.job_types import Outcome
from scheduler.models import Condition, Execution, Incident, Job, Notice, Reason, Status
from scheduler.schedule import Schedule
from tests.scheduler.alerts.conftest import Receiver
from tests.scheduler.alerts.factories import a_channel, a_rule, open_incidents, settle, succeeds, waits
from tests.scheduler.factories import MINUTELY, a_job, due, started

pytestmark = pytest.mark.django_db


def falls_due(job: Job, *, seconds_ago: float = 0.0) -> datetime:
    instant = due(job, seconds_ago=seconds_ago)
    claims.claim(limit=10)
    return instant


def headlines() -> list[str]:
    return [incident.summary.partition("\n")[0] for incident in Incident.objects.order_by("id")]


@pytest.mark.django_db(transaction=True)
def test_fires_beside_a_run_that_does_not_end_are_told_once_and_the_next_run_that_begins_ends_it(
    receiver: Receiver,
) -> None:
    a_rule(a_channel(receiver.webhook), condition=Condition.NOT_RUN)
    job = a_job(name="nightly")
    stuck = started(job)
    first = falls_due(job, seconds_ago=2)
    settle()
    falls_due(job, seconds_ago=1)
    settle()
    # The run that is in the way began before.
    assert (open_incidents(), Incident.objects.get().times) == (1, 2)
    [post] = receiver.seen
    assert post.body["title"] == (
        f"Job nightly: did not run at {first:%Y-%m-%d %H:%M:%S} UTC: an earlier run was not finished"
    )
    assert f"Probe, job {job.number}\nDue: {first:%Y-%m-%d %H:%M:%S} UTC\nSkipped: " in post.body["message"]
    executions.finish(stuck, Outcome(Status.FAILED))
    settle()
    assert open_incidents() == 1
    started(job)
    settle()
    assert (open_incidents(), receiver.titles[1:]) == (0, ["Job nightly: well again"])
    assert " and was found 2 times.\n" in receiver.seen[1].body["message"]


def test_what_was_missed_while_no_beat_was_there_is_told_as_one() -> None:
    a_rule(condition=Condition.NOT_RUN)
    job = a_job(name="nightly", misfire="skip", expression=MINUTELY)
    falls_due(job, seconds_ago=600)
    notices.tell_all()
    missed = Execution.objects.filter(job=job, reason=Reason.MISSED)
    assert (missed.count() > 5, Notice.objects.count(), open_incidents()) == (True, 0, 1)
    newest = missed.latest("id").scheduled_for
    assert headlines() == [
        f"Job nightly: did not run at {newest:%Y-%m-%d %H:%M:%S} UTC: nothing could start it in time"
    ]


def test_a_run_that_nobody_took_in_time_did_not_run() -> None:
    a_rule(condition=Condition.NOT_RUN)
    execution = waits(a_job(expires_seconds=1), seconds=100)
    assert executions.start([execution.pk], worker="w") == []
    notices.tell_all()
    assert headlines()[0].endswith(": no worker took it in time")


def test_a_queued_run_that_is_replaced_did_not_run_and_one_that_somebody_cancels_is_not_told() -> None:
    a_rule(condition=Condition.NOT_RUN)
    replaced, cancelled = a_job(overlap="replace"), a_job()
    jobs.run_now(replaced, by="tester")
    falls_due(replaced)
    assert executions.cancel(jobs.run_now(cancelled, by="tester"), by="tester")
    notices.tell_all()
    [incident] = Incident.objects.all()
    assert (incident.job_id, incident.number) == (replaced.pk, 1)
    assert headlines()[0].endswith(": replaced by a newer run")


def test_a_job_that_the_clock_pauses_is_told() -> None:
    a_rule(condition=Condition.NOT_RUN)
    job = a_job()
    Job.objects.filter(pk=job.pk).update(expression="no schedule")
    instant = falls_due(job, seconds_ago=5)
    notices.tell_all()
    assert headlines()[0].startswith(f"Job {job.name}: did not run from {instant:%Y-%m-%d %H:%M:%S} UTC to ")
    assert "Reason: the clock could not work out its fires" in Incident.objects.get().summary


def test_what_ran_late_or_need_not_run_is_not_told() -> None:
    a_rule(condition=Condition.NOT_RUN)
    a_rule(condition=Condition.LATE, seconds=1)
    coalesced = a_job(expression=MINUTELY)
    falls_due(coalesced, seconds_ago=600)
    assert Execution.objects.filter(job=coalesced, reason=Reason.COALESCED).count() > 5
    # Who asks for a run sees himself that there is none.
    busy = a_job()
    succeeding = started(busy)
    assert jobs.run_now(busy, by="tester").reason == Reason.OVERLAP
    executions.finish(succeeding, Outcome(Status.SUCCEEDED))
    notices.tell_all()
    assert headlines() == []


def test_an_instant_that_did_not_run_is_no_late_run() -> None:
    a_rule(condition=Condition.LATE, seconds=1)
    a_rule(condition=Condition.NOT_RUN)
    falls_due(a_job(misfire="skip"), seconds_ago=600)
    notices.tell_all()
    assert [incident.rule.condition for incident in Incident.objects.select_related("rule")] == [Condition.NOT_RUN]


def test_skipped_instants_leave_nothing_for_beats_to_do_where_no_rule_waits_for_them() -> None:
    a_rule()
    a_rule(condition=Condition.NOT_RUN, enabled=False)
    job = a_job()
    started(job)
    falls_due(job)
    assert (Execution.objects.filter(reason=Reason.OVERLAP).count(), Notice.objects.count()) == (1, 0)


def test_a_claim_that_skips_nothing_asks_no_more_where_a_rule_waits() -> None:
    job = a_job(overlap="allow")
    asked = []
    for seconds in (2, 1):
        due(job, seconds_ago=seconds)
        with CaptureQueriesContext(connection) as queries:
            claims.claim(limit=10)
        asked.append(len(queries))
        a_rule(condition=Condition.NOT_RUN)
    assert (asked[0], Execution.objects.count()) == (asked[1], 2)


def test_a_job_s_own_rule_holds_for_it_alone() -> None:
    mine, other = a_job(misfire="skip"), a_job(misfire="skip")
    a_rule(job=mine, condition=Condition.NOT_RUN)
    for job in (mine, other):
        falls_due(job, seconds_ago=600)
    notices.tell_all()
    assert [incident.job_id for incident in Incident.objects.all()] == [mine.pk]


def test_an_edit_tells_of_what_it_settles() -> None:
    a_rule(condition=Condition.NOT_RUN)
    job = a_job(misfire="skip")
    due(job, seconds_ago=600)
    jobs.update(job, {"schedule": Schedule(expression=MINUTELY)}, by="tester")
    succeeds(job)
    assert open_incidents() == 1
