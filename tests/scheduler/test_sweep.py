"""The sweep publishes again what was lost, and leaves alone what waits."""

from datetime import timedelta

import pytest
from django.contrib.postgres.functions import TransactionNow
from django.db.models import F
from redis import Redis

from scheduler import executions, jobs, messages
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


def test_a_run_whose_message_still_waits_is_left_alone(sweep: Sweep, broker: Redis) -> None:
    execution = queued(a_job())
    messages.publish([Hint(execution.pk, "services", 5)])
    assert (sweep(), waiting(broker)) == (0, [execution.pk])
    assert next_look(execution) == 10


def test_a_run_is_lost_where_only_newer_ones_wait(sweep: Sweep, broker: Redis) -> None:
    execution = queued(a_job())
    messages.publish([Hint(execution.pk + 1, "services", 5)])
    assert sweep() == 1
    assert waiting(broker) == [execution.pk + 1, execution.pk]


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
    fresh = [jobs.run_now(job, by="tester") for _ in range(25)]
    broker.flushdb()
    if loss == "restarted":
        # Another beat was first to mark the new Redis as seen.
        Sweep()()
        Execution.objects.update(publish_at=TransactionNow() + timedelta(seconds=3))
        broker.delete(messages.key_of("services", 5))
    published = [sweep(limit=10) for _ in range(4)]
    assert published == [10, 10, 5, 0]
    assert sorted(waiting(broker)) == [execution.pk for execution in fresh]


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
    monkeypatch.setattr(messages, "publish", lambda hints: False)
    sweep._redis_seen = None
    broker.set("jobsite:generation", "g")
    assert sweep() == 0
    assert Execution.objects.get(pk=execution.pk).publish_at == before
