"""Handing on: what a worker holds and has not begun goes back into the queue, with nothing lost and nothing doubled."""

from typing import Any

import pytest
from django.db import OperationalError, connection
from redis import Redis

from scheduler import endings, executions, jobs, messages
from scheduler.connections import gave_way
from scheduler.models import Attempt, Execution, Status
from tests.scheduler.factories import a_job, counted, counters, started
from tests.scheduler.holding import holding, waiting_for_a_lock
from tests.scheduler.threads import in_thread
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def row(execution_id: int) -> Execution:
    return Execution.objects.get(pk=execution_id)


def published(broker: Redis) -> list[int]:
    """The executions that messages in the broker name, in the order in which they are taken."""
    found = broker.lrange(messages.key_of("probes", 5), 0, -1)
    return [execution_id for message in reversed(found) for execution_id in messages.decode_ids(message)]


def test_a_run_handed_on_is_queued_as_if_it_had_not_started(broker: Redis) -> None:
    job = a_job(overlap="allow", queue="probes")
    queued, run = jobs.run_now(job, by="tester"), started(job)
    broker.flushdb()
    executions.hand_on([queued.pk], [run])
    stored = row(run.execution_id)
    assert (stored.status, stored.attempt, stored.token, stored.worker, stored.started_at, stored.lease_until) == (
        Status.QUEUED,
        0,
        None,
        None,
        None,
        None,
    )
    assert published(broker) == [queued.pk, run.execution_id]
    assert [again.attempt for again in executions.start([run.execution_id], worker="worker-2")] == [1]
    assert (counters(job), Attempt.objects.count()) == ((2, 0, 0, 0, 0), 0)


def test_a_run_that_was_to_be_cancelled_ends_at_once_instead_of_being_handed_on(broker: Redis) -> None:
    job = a_job(queue="probes", overlap="queue", max_retries=3)
    run = started(job)
    held = jobs.run_now(job, by="tester")
    executions.cancel(row(run.execution_id), by="somebody")
    broker.flushdb()
    executions.hand_on([], [run])
    stored = row(run.execution_id)
    assert (stored.status, stored.messages) == (Status.CANCELLED, ["cancelled by somebody"])
    assert counters(job) == counted(job) == (1, 1, 0, 0, 1)
    # Its end let the run go that was held behind it.
    assert published(broker) == [held.pk]


def test_a_run_that_is_held_by_somebody_else_is_left_alone() -> None:
    job = a_job()
    run = started(job)
    executions.hand_on([], [run])
    [second] = executions.start([run.execution_id], worker="worker-2")
    executions.hand_on([], [run])
    assert (row(run.execution_id).status, row(run.execution_id).token) == (Status.RUNNING, second.token)


def test_a_run_whose_job_was_deleted_is_not_handed_on() -> None:
    job = a_job()
    run = started(job)
    jobs.delete(job, by="tester")
    executions.hand_on([], [run])
    assert row(run.execution_id).status == Status.RUNNING


def test_a_cancellation_does_not_miss_a_run_that_is_handed_on_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    job = a_job(queue="probes")
    run = started(job)
    ask = endings.ask_to_stop
    handing: list[Any] = []

    def patiently() -> None:
        while True:
            try:
                return executions.hand_on([], [run])
            except OperationalError as error:
                assert gave_way(error)

    def meanwhile(cursor: Any, execution_id: int, *, message: str) -> bool:
        thread = in_thread(patiently)
        handing.append(thread)
        wait_for(lambda: waiting_for_a_lock() or not thread.is_alive(), every=0.01, what="the run is handed on")
        return ask(cursor, execution_id, message=message)

    monkeypatch.setattr(executions, "ask_to_stop", meanwhile)
    assert executions.cancel(row(run.execution_id), by="somebody") is True
    handing[0].result()
    assert (row(run.execution_id).status, counters(job)) == (Status.CANCELLED, (0, 1, 0, 0, 1))


def test_nothing_is_handed_on_while_somebody_holds_a_job_of_it() -> None:
    busy, free = a_job(), a_job()
    runs = [started(busy), started(free)]
    with holding(busy), pytest.raises(OperationalError):
        executions.hand_on([], runs)
    connection.close()
    assert [row(run.execution_id).token for run in runs] == [run.token for run in runs]
    executions.hand_on([], runs)
    assert [row(run.execution_id).status for run in runs] == [Status.QUEUED] * 2
