"""The life of an execution, verb by verb."""

from datetime import timedelta

import pytest
from django.conf import settings

from scheduler import executions, jobs
from scheduler.endings import Ending, backoff_seconds
from scheduler.job_types import Outcome
from scheduler.models import Attempt, Execution, Payload, Reason, Status
from tests.scheduler.factories import a_job, counters, due, lapse, make_ready, started, state

pytestmark = pytest.mark.django_db

SUCCESS = Outcome(Status.SUCCEEDED)
TRANSIENT = Outcome(Status.FAILED, ("refused",), retryable=True)


def row(execution_id: int) -> Execution:
    return Execution.objects.get(pk=execution_id)


def test_a_start_takes_the_run_with_a_lease_and_a_token() -> None:
    job = a_job(arguments={"a": 1}, timeout_seconds=5, max_retries=2)
    execution = jobs.run_now(job, by="tester")
    [run] = executions.start([execution.pk], worker="worker-1")
    stored = row(execution.pk)
    assert (run.job_pk, run.number, run.attempt, run.arguments, run.timeout_seconds, run.max_retries) == (
        job.pk,
        1,
        1,
        {"a": 1},
        5,
        2,
    )
    assert (stored.status, stored.token, stored.worker, stored.publish_at) == (
        Status.RUNNING,
        run.token,
        "worker-1",
        None,
    )
    assert stored.lease_until is not None
    assert stored.started_at is not None
    assert stored.lease_until - stored.started_at == pytest.approx(
        timedelta(seconds=settings.SCHEDULER_LEASE_SECONDS), abs=timedelta(seconds=1)
    )


def test_a_run_starts_with_its_own_arguments_where_it_has_some() -> None:
    assert started(a_job(arguments={"a": 1}), a=2).arguments == {"a": 2}


def test_what_runs_is_not_started_again() -> None:
    run = started(a_job())
    assert executions.start([run.execution_id], worker="worker-2") == []
    assert row(run.execution_id).worker == "worker-1"


def test_what_does_not_exist_is_not_started() -> None:
    assert executions.start([10**12], worker="worker-1") == []


def test_what_waits_behind_another_run_is_not_started() -> None:
    job = a_job(overlap="queue")
    started(job)
    held = jobs.run_now(job, by="tester")
    assert (held.ready_at, executions.start([held.pk], worker="worker-2")) == (None, [])


def test_what_waits_for_its_next_attempt_is_not_started_early() -> None:
    run = started(a_job(max_retries=1, retry_delay_seconds=100))
    executions.finish(run, TRANSIENT)
    assert executions.start([run.execution_id], worker="worker-2") == []


def test_a_run_that_did_not_start_in_time_expires() -> None:
    job = a_job(expires_seconds=60)
    execution = jobs.run_now(job, by="tester")
    Execution.objects.filter(pk=execution.pk).update(scheduled_for=execution.scheduled_for - timedelta(seconds=61))
    assert executions.start([execution.pk], worker="worker-1") == []
    stored = row(execution.pk)
    assert (stored.status, stored.reason, stored.messages) == (Status.SKIPPED, Reason.EXPIRED, ["not started in time"])
    assert counters(job) == (0, 0, 0, 0, 0)


def test_a_run_that_started_in_time_does_not_expire_between_its_attempts() -> None:
    run = started(a_job(expires_seconds=60, max_retries=1))
    executions.finish(run, TRANSIENT)
    make_ready(run.execution_id)
    Execution.objects.filter(pk=run.execution_id).update(scheduled_for=run.scheduled_for - timedelta(seconds=61))
    assert [again.attempt for again in executions.start([run.execution_id], worker="worker-2")] == [2]


def test_a_heartbeat_renews_the_lease_and_writes_the_progress() -> None:
    run = started(a_job())
    lapse(run.execution_id)
    before = row(run.execution_id).lease_until
    assert executions.renew([(run.execution_id, run.token, 3, 10)]) == [
        executions.Renewal(run.execution_id, cancel_requested=False)
    ]
    stored = row(run.execution_id)
    assert stored.lease_until is not None
    assert before is not None
    assert stored.lease_until > before + timedelta(seconds=10)
    assert (stored.progress_done, stored.progress_total) == (3, 10)


def test_a_heartbeat_with_another_token_renews_nothing() -> None:
    run = started(a_job())
    before = row(run.execution_id).lease_until
    assert executions.renew([(run.execution_id, run.token + 1, None, None)]) == []
    assert row(run.execution_id).lease_until == before


def test_a_heartbeat_learns_of_a_cancellation() -> None:
    run = started(a_job())
    executions.cancel(row(run.execution_id), by="tester")
    assert executions.renew([(run.execution_id, run.token, None, None)]) == [
        executions.Renewal(run.execution_id, cancel_requested=True)
    ]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.SUCCEEDED, (0, 1, 1, 0, 0)),
        (Status.WARNED, (0, 1, 0, 1, 0)),
        (Status.FAILED, (0, 1, 0, 0, 1)),
        (Status.CANCELLED, (0, 1, 0, 0, 1)),
    ],
)
def test_an_end_is_written_and_counted(status: Status, expected: tuple[int, ...]) -> None:
    job = a_job(retention_days=3)
    run = started(job)
    assert executions.finish(run, Outcome(status, ("said so",)))
    stored = row(run.execution_id)
    assert (stored.status, stored.messages, stored.token, stored.lease_until) == (status, ["said so"], None, None)
    assert stored.ended_at is not None
    assert stored.expires_at is not None
    assert stored.expires_at - stored.ended_at == pytest.approx(timedelta(days=3), abs=timedelta(seconds=1))
    assert counters(job) == expected
    assert (state(job).last_status, state(job).last_ended_at) == (status, stored.ended_at)


def test_the_last_status_of_a_job_is_that_of_the_run_that_ended_last() -> None:
    job = a_job(overlap="allow")
    first, second = started(job), started(job)
    executions.finish_many([Ending(second, Outcome(Status.FAILED)), Ending(first, SUCCESS)])
    assert (state(job).last_status, state(job).last_ended_at) == (Status.SUCCEEDED, row(first.execution_id).ended_at)


def test_an_end_is_accepted_once() -> None:
    job = a_job()
    run = started(job)
    assert (executions.finish(run, SUCCESS), executions.finish(run, Outcome(Status.FAILED))) == (True, False)
    assert (row(run.execution_id).status, counters(job)) == (Status.SUCCEEDED, (0, 1, 1, 0, 0))


def test_a_worker_that_lost_its_lease_cannot_write_its_end() -> None:
    job = a_job(max_retries=1)
    lost = started(job)
    lapse(lost.execution_id)
    assert executions.rescue() == 1
    make_ready(lost.execution_id)
    [second] = executions.start([lost.execution_id], worker="worker-2")
    assert executions.finish(lost, Outcome(Status.FAILED, ("too late",))) is False
    assert executions.finish(lost, TRANSIENT) is False
    assert (row(lost.execution_id).status, row(lost.execution_id).token) == (Status.RUNNING, second.token)
    assert executions.finish(second, SUCCESS)
    assert counters(job) == (0, 1, 1, 0, 0)


def test_an_end_after_the_job_was_deleted_is_refused() -> None:
    job = a_job()
    run = started(job)
    jobs.delete(job, by="tester")
    assert (executions.finish(run, SUCCESS), row(run.execution_id).status) == (False, Status.RUNNING)


def test_a_failure_after_the_job_was_deleted_is_not_tried_again() -> None:
    job = a_job(max_retries=2)
    run = started(job)
    jobs.delete(job, by="tester")
    assert (executions.finish(run, TRANSIENT), Attempt.objects.count()) == (False, 0)


def test_the_lease_of_a_run_whose_job_was_deleted_is_not_renewed() -> None:
    job, other = a_job(), a_job()
    runs = [started(job), started(other)]
    jobs.delete(job, by="tester")
    renewed = executions.renew([(run.execution_id, run.token, None, None) for run in runs])
    assert [renewal.execution_id for renewal in renewed] == [runs[1].execution_id]


def test_a_queued_run_whose_job_was_deleted_neither_starts_nor_is_cancelled() -> None:
    job = a_job()
    execution = jobs.run_now(job, by="tester")
    jobs.delete(job, by="tester")
    assert (executions.start([execution.pk], worker="w"), executions.cancel(execution, by="tester")) == ([], False)


def test_a_failure_worth_retrying_is_queued_again_and_its_attempt_is_on_record() -> None:
    job = a_job(max_retries=2, retry_delay_seconds=100)
    run = started(job)
    assert executions.finish(run, TRANSIENT)
    stored = row(run.execution_id)
    attempt = Attempt.objects.get()
    assert (stored.status, stored.token, stored.worker, stored.attempt) == (Status.QUEUED, None, None, 1)
    assert (attempt.execution_id, attempt.number, attempt.worker, attempt.message, attempt.retry_at) == (
        run.execution_id,
        1,
        "worker-1",
        "refused",
        stored.ready_at,
    )
    assert stored.ready_at == stored.publish_at
    assert counters(job) == (1, 0, 0, 0, 0)


def test_the_last_attempt_ends_the_run() -> None:
    job = a_job(max_retries=1)
    run = started(job)
    executions.finish(run, TRANSIENT)
    make_ready(run.execution_id)
    [second] = executions.start([run.execution_id], worker="worker-2")
    executions.finish(second, TRANSIENT)
    assert (row(run.execution_id).status, row(run.execution_id).attempt, Attempt.objects.count()) == (
        Status.FAILED,
        2,
        1,
    )
    assert counters(job) == (0, 1, 0, 0, 1)


def test_a_failure_not_worth_retrying_ends_the_run() -> None:
    run = started(a_job(max_retries=5))
    executions.finish(run, Outcome(Status.FAILED, ("404",)))
    assert (row(run.execution_id).status, Attempt.objects.count()) == (Status.FAILED, 0)


def test_a_cancelled_run_that_fails_is_not_tried_again() -> None:
    job = a_job(max_retries=5)
    run = started(job)
    executions.cancel(row(run.execution_id), by="tester")
    assert executions.finish(run, TRANSIENT)
    stored = row(run.execution_id)
    assert (stored.status, stored.messages, Attempt.objects.count()) == (
        Status.CANCELLED,
        ["cancelled by tester", "refused"],
        0,
    )
    assert counters(job) == (0, 1, 0, 0, 1)


def test_a_run_that_was_replaced_is_not_tried_again() -> None:
    job = a_job(max_retries=5, overlap="replace")
    run = started(job)
    successor = jobs.run_now(job, by="tester")
    executions.finish(run, TRANSIENT)
    assert row(run.execution_id).status == Status.CANCELLED
    assert row(successor.pk).ready_at is not None


@pytest.mark.parametrize("attempt", range(1, 12))
def test_the_delay_doubles_up_to_its_limit_with_half_of_it_jitter(attempt: int) -> None:
    whole = min(10 * 2 ** (attempt - 1), 3600)
    delays = [backoff_seconds(attempt, first=10, longest=3600) for _ in range(200)]
    assert min(delays) >= whole / 2
    assert max(delays) <= whole
    assert len(set(delays)) > 100


def test_the_delay_of_a_very_late_attempt_is_finite() -> None:
    assert backoff_seconds(30_000, first=2**31 - 1, longest=2**31 - 1) <= 2**31 - 1


POISON = "nul \x00 and half \ud800"
CLEAN = "nul \ufffd and half ?"


def test_a_message_that_postgresql_cannot_hold_does_not_cost_the_run_its_end() -> None:
    run = started(a_job())
    assert executions.finish(run, Outcome(Status.FAILED, (POISON,)))
    assert row(run.execution_id).messages == [CLEAN]


def test_a_message_that_postgresql_cannot_hold_does_not_cost_the_run_its_retry() -> None:
    run = started(a_job(max_retries=1))
    assert executions.finish(run, Outcome(Status.FAILED, (POISON,), retryable=True))
    assert Attempt.objects.get().message == CLEAN


def test_messages_beyond_the_limit_stay_a_list() -> None:
    run = started(a_job())
    executions.finish(run, Outcome(Status.FAILED, ("short", "x" * 200_000, "never seen")))
    stored = row(run.execution_id).messages
    assert stored[0] == "short"
    assert all(isinstance(message, str) for message in stored)
    assert sum(len(message) for message in stored) <= settings.SCHEDULER_PAYLOAD_LIMIT_BYTES + 100


@pytest.mark.parametrize(
    ("strategy", "status", "visible", "payload"),
    [
        ("OFF", Status.SUCCEEDED, False, False),
        ("OFF", Status.FAILED, False, False),
        ("MINIMAL", Status.SUCCEEDED, True, False),
        ("MINIMAL", Status.FAILED, True, False),
        ("ERROR", Status.SUCCEEDED, True, False),
        ("ERROR", Status.WARNED, True, False),
        ("ERROR", Status.FAILED, True, True),
        ("FULL", Status.SUCCEEDED, True, True),
        ("FULL", Status.FAILED, True, True),
    ],
)
def test_history_keeps_what_its_strategy_says(strategy: str, status: Status, visible: bool, payload: bool) -> None:
    job = a_job(history_strategy=strategy)
    run = started(job)
    executions.finish(run, Outcome(status, request={"q": 1}, response={"r": 2}))
    stored = row(run.execution_id)
    assert (stored.visible, stored.complete) == (visible, payload)
    assert list(Payload.objects.values_list("request", "response", "truncated")) == (
        [({"q": 1}, {"r": 2}, False)] if payload else []
    )
    assert list(Execution.objects.of(job).history()) == ([stored] if visible else [])
    assert counters(job)[1] == int(visible)


def test_a_payload_beyond_the_limit_is_cut_and_marked() -> None:
    run = started(a_job(history_strategy="FULL"))
    executions.finish(run, Outcome(Status.SUCCEEDED, request="small", response="x" * 200_000))
    payload = Payload.objects.get()
    assert (payload.request, payload.truncated) == ("small", True)
    assert len(str(payload.response)) <= settings.SCHEDULER_PAYLOAD_LIMIT_BYTES


def test_off_leaves_the_fire_unique() -> None:
    job = a_job(history_strategy="OFF", expression="0 * * * * ?")
    from scheduler import claims

    due(job)
    claims.claim(limit=10)
    [run] = executions.start(list(Execution.objects.values_list("pk", flat=True)), worker="w")
    executions.finish(run, SUCCESS)
    due(job)
    claims.claim(limit=10)
    assert (Execution.objects.count(), list(Execution.objects.history()), counters(job)) == (1, [], (0, 0, 0, 0, 0))


def test_a_cancelled_queued_run_never_starts() -> None:
    job = a_job()
    execution = jobs.run_now(job, by="tester")
    assert executions.cancel(execution, by="somebody")
    stored = row(execution.pk)
    assert (stored.status, stored.messages) == (Status.CANCELLED, ["cancelled by somebody"])
    assert executions.start([execution.pk], worker="worker-1") == []
    assert counters(job) == (0, 1, 0, 0, 1)


def test_a_run_that_waits_for_its_next_attempt_can_be_cancelled() -> None:
    job = a_job(max_retries=3)
    run = started(job)
    executions.finish(run, TRANSIENT)
    assert executions.cancel(row(run.execution_id), by="somebody")
    assert (row(run.execution_id).status, counters(job)) == (Status.CANCELLED, (0, 1, 0, 0, 1))


def test_a_run_that_has_ended_cannot_be_cancelled() -> None:
    run = started(a_job())
    executions.finish(run, SUCCESS)
    assert executions.cancel(row(run.execution_id), by="somebody") is False
    assert row(run.execution_id).status == Status.SUCCEEDED


def test_the_one_who_cancels_may_have_any_name() -> None:
    execution = jobs.run_now(a_job(), by="tester")
    assert executions.cancel(execution, by=POISON)
    assert row(execution.pk).messages == [f"cancelled by {CLEAN}"]
