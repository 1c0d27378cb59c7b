"""The sweep publishes again what was lost, and leaves alone what waits."""

from datetime import timedelta

import pytest
from django.contrib.postgres.functions import TransactionNow
from django.db.models import F
from redis import Redis

from scheduler import executions, jobs, limits, messages, recovery
from scheduler.job_types import Outcome
from scheduler.messages import Hint
from scheduler.models import Execution, Job, Status
from scheduler.sweep import Sweep
from tests.scheduler.factories import a_job, make_ready, started

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause is left over from a test in which Redis was away."""
    monkeypatch.setattr(messages, "_paused_until", 0.0)


@pytest.fixture
def sweep(broker: Redis) -> Sweep:
    """A sweep that has seen this Redis before."""
    sweep = Sweep()
    sweep()
    return sweep


def waiting(broker: Redis) -> list[int]:
    """The execution ids in the messages of the services' queue at the usual priority."""
    return [
        execution_id
        for message in reversed(broker.lrange(messages.key_of("services", 5), 0, -1))
        for execution_id in messages.decode_ids(message)
    ]


def queued(job: Job, *, age: float = 10.0) -> Execution:
    """A queued run that nobody has taken for ``age`` seconds, and that is due to be looked at."""
    execution = jobs.run_now(job, by="tester")
    Execution.objects.filter(pk=execution.pk).update(
        ready_at=TransactionNow() - timedelta(seconds=age), publish_at=TransactionNow() - timedelta(seconds=1)
    )
    return execution


def next_look(execution: Execution) -> float:
    """Seconds from now until the sweep looks at ``execution`` again."""
    [wait] = Execution.objects.filter(pk=execution.pk).values_list(F("publish_at") - TransactionNow(), flat=True)
    seconds: float = wait.total_seconds()
    return seconds


def test_a_run_whose_message_is_gone_is_published_again(sweep: Sweep, broker: Redis) -> None:
    execution = queued(a_job())
    assert (sweep(), waiting(broker)) == (1, [execution.pk])
    assert next_look(execution) == 10


def test_what_deleted_jobs_left_does_not_stand_before_what_others_lost(sweep: Sweep, broker: Redis) -> None:
    deleted, other = a_job(overlap="allow"), a_job()
    left = [queued(deleted, age=60) for _ in range(5)]
    lost = queued(other)
    jobs.delete(deleted, by="tester")
    broker.flushdb()
    # As Redis is known to it still.
    broker.set(recovery.SERVER_KEY, broker.info("server")["run_id"])
    Execution.objects.filter(pk__in=[run.pk for run in left]).update(publish_at=TransactionNow() - timedelta(seconds=2))
    assert (sweep(limit=2), waiting(broker)) == (1, [lost.pk])


def test_a_run_whose_message_still_waits_is_left_alone(sweep: Sweep, broker: Redis) -> None:
    execution = queued(a_job())
    messages.publish([Hint(execution.pk, "services", 5)])
    assert (sweep(), waiting(broker)) == (0, [execution.pk])
    assert next_look(execution) == 10


def test_a_run_is_lost_where_only_newer_ones_wait(sweep: Sweep, broker: Redis) -> None:
    execution = queued(a_job())
    messages.publish([Hint(execution.pk + 1, "services", 5)])
    assert sweep() == 1
    assert waiting(broker) == [execution.pk, execution.pk + 1]


def test_a_run_waits_where_older_ones_do(sweep: Sweep, broker: Redis) -> None:
    execution = queued(a_job())
    messages.publish([Hint(execution.pk - 1, "services", 5)])
    assert sweep() == 0


def test_what_waits_at_another_priority_says_nothing(sweep: Sweep, broker: Redis) -> None:
    execution = queued(a_job(priority=9))
    messages.publish([Hint(execution.pk - 1, "services", 0)])
    assert sweep() == 1


def test_a_run_that_is_not_due_to_be_looked_at_is_not(sweep: Sweep, broker: Redis) -> None:
    jobs.run_now(a_job(), by="tester")
    assert (sweep(), waiting(broker)) == (0, [])


def test_a_run_that_is_held_or_runs_or_is_over_is_not_published(sweep: Sweep, broker: Redis) -> None:
    job = a_job(overlap="queue")
    started(job)
    jobs.run_now(job, by="tester")
    executions.finish(started(a_job()), Outcome(Status.SUCCEEDED))
    assert (sweep(), waiting(broker)) == (0, [])


def test_the_next_attempt_is_published_when_it_is_due(sweep: Sweep, broker: Redis) -> None:
    run = started(a_job(max_retries=1, retry_delay_seconds=100, headers={"x": "y"}))
    executions.finish(run, Outcome(Status.FAILED, retryable=True))
    assert sweep() == 0
    make_ready(run.execution_id)
    assert (sweep(), waiting(broker)) == (1, [run.execution_id])


@pytest.mark.parametrize(("age", "lost", "expected"), [(1, True, 3), (9, True, 9), (4000, True, 15), (4000, False, 60)])
def test_the_looks_grow_apart_up_to_a_limit(
    sweep: Sweep, broker: Redis, age: float, lost: bool, expected: float
) -> None:
    execution = queued(a_job(), age=age)
    if not lost:
        messages.publish([Hint(execution.pk, "services", 5)])
    sweep()
    assert next_look(execution) == expected


@pytest.mark.parametrize("loss", ["flushed", "restarted"])
def test_after_redis_lost_everything_all_that_is_queued_is_published_at_once(
    sweep: Sweep, broker: Redis, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = a_job(overlap="allow")
    fresh = [jobs.run_now(job, by="tester").pk for _ in range(25)]
    if loss == "flushed":
        broker.flushdb()
    else:
        # Another process, which has not what was written last.
        broker.set(recovery.SERVER_KEY, "the run id it had")
        broker.delete(messages.key_of("services", 5))
    assert ([sweep(limit=10), sweep(limit=10)], waiting(broker)) == ([25, 0], fresh)


def test_one_beat_publishes_what_redis_lost_and_another_only_where_it_dies_over_it(
    sweep: Sweep, broker: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = a_job(overlap="allow")
    fresh = [jobs.run_now(job, by="tester").pk for _ in range(25)]
    broker.flushdb()
    monkeypatch.setattr(recovery, "SLICE_SECONDS", 0.0)
    other = Sweep()
    assert [sweep(limit=10), other(limit=10), sweep(limit=10)] == [10, 0, 10]
    # It is not heard of again, and its turn lapses.
    broker.delete(recovery.TURN_KEY)
    assert [other(limit=10) for _ in range(4)] == [10, 10, 5, 0]
    assert list(dict.fromkeys(waiting(broker))) == fresh


def test_a_beat_that_takes_the_turn_just_as_another_has_come_to_the_end_publishes_nothing_again(
    sweep: Sweep, broker: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = a_job(overlap="allow")
    fresh = [jobs.run_now(job, by="tester").pk for _ in range(5)]
    broker.flushdb()
    other, is_my_turn = Sweep(), recovery.Recovery._is_my_turn

    def late(self: recovery.Recovery, client: Redis, server: str) -> bool:
        monkeypatch.setattr(recovery.Recovery, "_is_my_turn", is_my_turn)
        assert other(limit=10) == 5
        return is_my_turn(self, client, server)

    monkeypatch.setattr(recovery.Recovery, "_is_my_turn", late)
    assert (sweep(limit=10), waiting(broker), broker.get(recovery.TURN_KEY)) == (0, fresh, None)


def test_a_second_loss_while_the_first_is_mended_begins_it_anew(
    sweep: Sweep, broker: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = a_job(overlap="allow")
    fresh = [jobs.run_now(job, by="tester").pk for _ in range(25)]
    broker.flushdb()
    monkeypatch.setattr(recovery, "SLICE_SECONDS", 0.0)
    assert sweep(limit=20) == 20
    broker.flushdb()
    assert [sweep(limit=20) for _ in range(3)] == [20, 5, 0]
    assert waiting(broker) == fresh


def test_what_waits_for_its_next_attempt_is_published_once_while_its_message_waits(sweep: Sweep, broker: Redis) -> None:
    run = started(a_job(max_retries=1))
    executions.finish(run, Outcome(Status.FAILED, retryable=True))
    make_ready(run.execution_id)
    published = [sweep()]
    Execution.objects.update(publish_at=TransactionNow())
    Execution.objects.update(ready_at=TransactionNow() - timedelta(seconds=5))
    assert ([*published, sweep()], waiting(broker)) == ([1, 0], [run.execution_id])


def test_who_stands_in_line_is_not_published_and_called_once_there_is_room(sweep: Sweep, broker: Redis) -> None:
    limits.set_limit("slow", 1)
    first, *rest = [jobs.run_now(a_job(concurrency_key="slow"), by="tester").pk for _ in range(4)]
    broker.delete(messages.key_of("services", 5))
    executions.start([first, *rest], worker="w")
    Execution.objects.filter(status=Status.QUEUED, publish_at__isnull=False).update(publish_at=TransactionNow())
    assert (sweep(), waiting(broker)) == (0, [])
    limits.set_limit("slow", 3)
    assert (sweep(), waiting(broker)) == (0, rest[:2])
    limits.set_limit("slow", None)
    assert (sweep(), sorted(waiting(broker))) == (0, rest)


def test_who_expires_in_line_is_looked_at_when_it_does(sweep: Sweep, broker: Redis) -> None:
    limits.set_limit("slow", 1)
    first = jobs.run_now(a_job(concurrency_key="slow"), by="tester")
    late = jobs.run_now(a_job(concurrency_key="slow", expires_seconds=60), by="tester")
    executions.start([first.pk, late.pk], worker="w")
    broker.delete(messages.key_of("services", 5))
    Execution.objects.filter(pk=late.pk).update(
        scheduled_for=TransactionNow() - timedelta(seconds=61), publish_at=TransactionNow() - timedelta(seconds=1)
    )
    assert (sweep(), waiting(broker)) == (1, [late.pk])
    executions.start([late.pk], worker="w")
    late.refresh_from_db()
    assert (late.status, late.reason) == (Status.SKIPPED, "expired")


def test_after_redis_lost_everything_a_later_attempt_still_waits_for_its_time(sweep: Sweep, broker: Redis) -> None:
    run = started(a_job(max_retries=1, retry_delay_seconds=100))
    executions.finish(run, Outcome(Status.FAILED, retryable=True))
    broker.flushdb()
    assert (sweep(), waiting(broker)) == (0, [])


def test_the_first_beat_of_all_publishes_what_a_lost_redis_held(broker: Redis) -> None:
    execution = jobs.run_now(a_job(), by="tester")
    assert (Sweep()(), waiting(broker)) == (1, [execution.pk])


def test_a_beat_that_joins_leaves_what_waits_alone(sweep: Sweep, broker: Redis) -> None:
    jobs.run_now(a_job(), by="tester")
    assert Sweep()() == 0


def test_while_redis_is_away_nothing_is_done_and_nothing_put_off(
    sweep: Sweep, broker: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = queued(a_job())
    monkeypatch.setattr(messages, "client", lambda: Redis.from_url("redis://127.0.0.1:1", retry=None))
    assert (sweep(), next_look(execution)) == (0, -1)


@pytest.mark.django_db(transaction=True)
def test_what_redis_does_not_take_is_not_put_off(sweep: Sweep, broker: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    execution = queued(a_job())
    before = Execution.objects.get(pk=execution.pk).publish_at
    broker.flushdb()
    monkeypatch.setattr(messages, "publish", lambda hints, front=False: False)
    assert sweep() == 0
    assert Execution.objects.get(pk=execution.pk).publish_at == before
    broker.set(recovery.SERVER_KEY, broker.info("server")["run_id"])
    assert sweep() == 0
    assert Execution.objects.get(pk=execution.pk).publish_at == before
