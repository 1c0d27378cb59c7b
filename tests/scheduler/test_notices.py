"""The outbox of ended runs: what goes in, and that each end in it is told."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from scheduler import clock, executions, jobs, notices
from scheduler.alerts.watched import watched
from scheduler.endings import Ending, finish_many
from scheduler.job_types import NotTold, Outcome
from scheduler.models import Execution, Job, Notice, Status
from tests.scheduler.factories import a_job, lapse, started
from tests.scheduler.scripted import Scripted, a_scripted_job, ran
from tests.scheduler.threads import Background
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db(transaction=True)
FAILED = Outcome(Status.FAILED, ("no",))


def outbox() -> set[int]:
    return set(Notice.objects.values_list("execution_id", flat=True))


def again_now() -> None:
    Notice.objects.update(due_at=clock.now())


def some_failed(count: int, job: Job | None = None) -> set[int]:
    """So many ended runs in the outbox."""
    job = job or a_scripted_job(overlap="allow")
    runs = [started(job) for _ in range(count)]
    finish_many([Ending(run, FAILED) for run in runs])
    return {run.execution_id for run in runs}


def test_ends_without_success_go_into_the_outbox_with_the_end_itself() -> None:
    runs = {status: started(a_job()) for status in (Status.SUCCEEDED, Status.WARNED, Status.FAILED, Status.CANCELLED)}
    assert all(finish_many([Ending(run, Outcome(status)) for status, run in runs.items()]))
    assert outbox() == {runs[Status.FAILED].execution_id, runs[Status.CANCELLED].execution_id}


def test_a_run_that_is_tried_again_is_not_told_yet() -> None:
    run = started(a_job(max_retries=1))
    executions.finish(run, Outcome(Status.FAILED, retryable=True))
    assert outbox() == set()


def test_an_end_that_is_refused_is_not_told() -> None:
    run = started(a_job())
    assert (executions.finish(run, Outcome(Status.SUCCEEDED)), executions.finish(run, FAILED)) == (True, False)
    assert outbox() == set()


def test_a_lost_a_cancelled_and_an_expired_run_go_into_the_outbox() -> None:
    lost = started(a_job())
    lapse(lost.execution_id)
    executions.rescue()
    cancelled = jobs.run_now(a_job(), by="tester")
    executions.cancel(cancelled, by="tester")
    expired = jobs.run_now(a_job(expires_seconds=1), by="tester")
    Execution.objects.filter(pk=expired.pk).update(scheduled_for=clock.exact_now() - timedelta(seconds=5))
    assert executions.start([expired.pk], worker="w") == []
    assert outbox() == {lost.execution_id, cancelled.pk, expired.pk}


def test_a_success_costs_no_statement_more() -> None:
    def statements(outcome: Outcome) -> int:
        run = started(a_job())
        # What a worker remembers of the rules for seconds.
        watched.awaited([run])
        with CaptureQueriesContext(
            connection,
        ) as captured:
            executions.finish(run, outcome)
        return sum(" SELECT" in f" {query['sql']}" or "scheduler_" in query["sql"] for query in captured)

    assert statements(Outcome(Status.FAILED)) == statements(Outcome(Status.SUCCEEDED)) + 1


def test_each_end_is_told_once_with_its_job_loaded(scripted: Scripted) -> None:
    told = []
    scripted.then = lambda execution: told.append((execution.pk, execution.job.kind, execution.messages))
    scripted.work = lambda arguments, context: FAILED
    execution = ran(a_scripted_job())
    assert (notices.tell_all(), notices.tell_all()) == (1, 0)
    assert (told, outbox()) == ([(execution.pk, "scripted", ["no"])], set())


def test_many_beats_share_the_telling(scripted: Scripted) -> None:
    ids = some_failed(notices.BATCH * 2 + 7)
    told: list[int] = []
    scripted.then = lambda execution: told.append(execution.pk)
    beats = [Background(notices.tell_all) for _ in range(4)]
    assert sum(int(str(beat.result())) for beat in beats) == len(ids)
    assert (sorted(told), outbox()) == (sorted(ids), set())


def test_a_beat_that_dies_while_it_tells_leaves_the_notice_to_another(scripted: Scripted) -> None:
    ids = some_failed(3)
    assert {notice.execution_id for notice in notices.take(10)} == ids
    # Held by the dead beat until its hold ends.
    assert notices.tell_all() == 0
    again_now()
    assert (notices.tell_all(), outbox()) == (3, set())


def test_a_beat_that_was_slow_does_not_take_the_notice_from_the_one_that_has_it_now(scripted: Scripted) -> None:
    some_failed(1)
    entered, go_on = threading.Event(), threading.Event()

    def slow(execution: Execution) -> None:
        entered.set()
        assert go_on.wait(PATIENCE)

    scripted.then = slow
    beside = Background(notices.tell_all)
    assert entered.wait(PATIENCE)
    again_now()
    [taken] = notices.take(1)
    go_on.set()
    beside.result()
    assert (taken.attempts, Notice.objects.get().attempts) == (2, 2)


def test_a_beat_that_stops_gives_back_what_it_has_not_told(scripted: Scripted) -> None:
    ids = some_failed(3)
    told: list[int] = []
    scripted.then = lambda execution: told.append(execution.pk)
    assert notices.tell(until=lambda: bool(told)) == (1, 3)
    assert (outbox(), set(Notice.objects.values_list("attempts", flat=True))) == (ids - set(told), {0})
    assert notices.tell_all() == 2


def test_what_cannot_be_told_is_tried_again_later_and_noted_with_the_run_at_last(scripted: Scripted) -> None:
    [execution_id] = some_failed(1)

    def refuse(execution: Execution) -> None:
        raise NotTold("the pager is broken")

    scripted.then = refuse
    for attempt in range(1, notices.MOST_ATTEMPTS):
        again_now()
        assert (notices.tell_all(), Notice.objects.get().attempts) == (0, attempt)
        assert Notice.objects.get().due_at > clock.exact_now()
    again_now()
    assert (notices.tell_all(), outbox()) == (1, set())
    execution = Execution.objects.get(pk=execution_id)
    assert (execution.status, execution.messages) == (Status.FAILED, ["no", "the pager is broken"])


def test_one_that_crashes_costs_the_others_nothing(scripted: Scripted) -> None:
    ids = some_failed(3)
    worst = min(ids)

    def crash(execution: Execution) -> None:
        if execution.pk == worst:
            raise ZeroDivisionError

    scripted.then = crash
    assert (notices.tell_all(), outbox()) == (2, {worst})


def test_ends_of_deleted_jobs_and_of_unknown_kinds_are_told_to_nobody(scripted: Scripted) -> None:
    job = a_scripted_job()
    some_failed(1, job)
    jobs.delete(job, by="tester")
    some_failed(1)
    Job.objects.update(kind="gone")
    assert (notices.tell_all(), outbox()) == (2, set())


def test_a_hold_is_renewed_while_telling_takes_its_time(
    scripted: Scripted, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "RENEW_SECONDS", -1.0)
    some_failed(3)
    holds: list[list[datetime]] = []

    def look(execution: Execution) -> None:
        holds.append(sorted(Notice.objects.values_list("due_at", flat=True)))

    scripted.then = look
    assert notices.tell_all() == 3
    # Each time what is left was held anew, and what had been told was gone.
    assert [len(hold) for hold in holds] == [3, 2, 1]
    assert max(holds[0]) < min(holds[1]) <= max(holds[1]) < min(holds[2])
