"""Runs that begin late or take long: found while they are open, and at their end."""

from __future__ import annotations

import re

import pytest

from scheduler import executions, notices
from scheduler.alerts import overdue
from scheduler.alerts.overdue import Overdue
from scheduler.alerts.watched import watched
from scheduler.job_types import Outcome
from scheduler.models import Condition, Execution, Incident, Notice, Status
from tests.scheduler.alerts.conftest import Receiver
from tests.scheduler.alerts.factories import a_channel, a_rule, open_incidents, runs, settle, succeeds, waits
from tests.scheduler.factories import a_job, started

pytestmark = pytest.mark.django_db
DONE = Outcome(Status.SUCCEEDED)


def test_a_queued_run_that_waits_too_long_is_told_once_and_the_next_one_on_time_ends_it(receiver: Receiver) -> None:
    a_rule(a_channel(receiver.webhook), condition=Condition.LATE, seconds=60)
    job = a_job(name="nightly", overlap="allow")
    late = waits(job, seconds=100)
    find = Overdue()
    assert (find(), find()) == (1, 0)
    settle()
    [title] = receiver.titles
    assert re.fullmatch(r"Job nightly: run 1 waits \d+ s already and has not begun", title)
    succeeds(job)
    settle()
    # The first still waits.
    assert open_incidents() == 1
    assert executions.cancel(late, by="tester")
    settle()
    assert (open_incidents(), receiver.titles[1:]) == (0, ["Job nightly: well again"])


def test_a_running_run_that_takes_too_long_is_told_before_it_ends(receiver: Receiver) -> None:
    a_rule(a_channel(receiver.webhook), condition=Condition.LONG, seconds=60)
    job = a_job(name="nightly", overlap="allow")
    run = runs(job, seconds=100)
    assert Overdue()() == 1
    succeeds(job)
    settle()
    assert open_incidents() == 1
    executions.finish(run, DONE)
    settle()
    assert (open_incidents(), receiver.titles[1:]) == (0, ["Job nightly: well again"])


def test_nothing_is_found_without_rules_and_before_its_time() -> None:
    job = a_job(overlap="allow")
    waits(job, seconds=50)
    runs(job, seconds=50)
    assert Overdue()() == 0
    a_rule(condition=Condition.LATE, seconds=60)
    a_rule(condition=Condition.LONG, seconds=60)
    assert Overdue()() == 0


def test_a_run_that_waits_for_its_next_attempt_has_begun() -> None:
    a_rule(condition=Condition.LATE, seconds=60)
    execution = waits(a_job(), seconds=100)
    Execution.objects.filter(pk=execution.pk).update(attempt=1)
    assert Overdue()() == 0


def test_pages_are_gone_through_pass_by_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overdue, "PAGE", 2)
    monkeypatch.setattr(overdue, "PAGES", 1)
    a_rule(condition=Condition.LATE, seconds=60)
    for _ in range(5):
        waits(a_job(), seconds=100)
    find = Overdue()
    assert [find() for _ in range(4)] == [2, 2, 1, 0]


@pytest.mark.parametrize("condition", [Condition.LATE, Condition.LONG])
def test_a_slow_run_that_succeeded_between_two_looks_is_found_at_its_end(condition: Condition) -> None:
    a_rule(condition=condition, seconds=60)
    job = a_job()
    run = runs(job, seconds=100)
    if condition is Condition.LATE:
        Execution.objects.filter(pk=run.execution_id).update(started_at=run.created_at)
        run = started_like(run, started_at=run.created_at, scheduled_for=run.scheduled_for)
        Execution.objects.filter(pk=run.execution_id).update(scheduled_for=run.scheduled_for)
    assert executions.finish(run, DONE)
    assert Notice.objects.count() == 1
    notices.tell_all()
    assert Incident.objects.get().summary.splitlines()[0].startswith(f"Job {job.name}: run 1 ")


def started_like(run: executions.Started, **changes: object) -> executions.Started:
    return executions.Started(**{**run.__dict__, **changes})


def test_a_worker_s_memory_of_the_rules_lasts_for_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs(a_job(), seconds=100)
    assert watched.awaited([run]) == set()
    a_rule(condition=Condition.LONG, seconds=60)
    assert watched.awaited([run]) == set()
    monkeypatch.setattr("scheduler.alerts.watched.TRUSTED_SECONDS", -1.0)
    assert watched.awaited([run]) == {run.execution_id}


def test_rules_of_other_jobs_and_kinds_do_not_make_a_run_slow() -> None:
    a_rule(job=a_job(), condition=Condition.LONG, seconds=60)
    a_rule(kind="other", condition=Condition.LONG, seconds=60)
    run = runs(a_job(), seconds=100)
    assert watched.awaited([run]) == set()


def test_a_run_that_was_not_started_in_time_is_late() -> None:
    a_rule(condition=Condition.LATE, seconds=60)
    execution = waits(a_job(expires_seconds=1), seconds=100)
    assert executions.start([execution.pk], worker="w") == []
    notices.tell_all()
    assert "it was not started in time" in Incident.objects.get().summary


def test_quick_runs_leave_nothing_behind() -> None:
    a_rule(condition=Condition.LATE, seconds=60)
    a_rule(condition=Condition.LONG, seconds=60)
    assert executions.finish(started(a_job()), DONE)
    assert not Notice.objects.exists()
