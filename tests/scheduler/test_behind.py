"""Workers that are behind get few large messages, and a beat gathers fires for them a moment."""

import pytest
from redis import Redis

from jobsite.celery import app
from scheduler import beat, messages
from scheduler.beat import JobScheduler
from scheduler.messages import Hint
from tests.scheduler.factories import a_job, due
from tests.waiting import PATIENCE


@pytest.fixture(autouse=True)
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen is remembered for as long as a busy machine may take."""
    monkeypatch.setattr(messages, "_BEHIND_SECONDS", PATIENCE)


def publish(*ids: int, queue: str = "services") -> None:
    messages.publish([Hint(number, queue, 0) for number in ids])


def newest(broker: Redis, count: int, queue: str = "services") -> list[list[int]]:
    """The executions named by the messages pushed last, in their order."""
    return [messages.decode_ids(message) for message in reversed(broker.lrange(queue, 0, count - 1))]


def leave_behind() -> None:
    """Publish more messages than workers that keep up would leave waiting."""
    for number in range(messages.BEHIND + 1):
        publish(number)


def test_workers_that_keep_up_get_a_message_a_run(broker: Redis) -> None:
    publish(1)
    publish(2, 3, 4)
    assert newest(broker, 3) == [[2], [3], [4]]


def test_workers_that_are_behind_get_one_message_for_many_runs(broker: Redis) -> None:
    leave_behind()
    publish(*range(100, 125))
    assert newest(broker, 2) == [list(range(100, 120)), list(range(120, 125))]


def test_another_queue_is_not_behind(broker: Redis) -> None:
    leave_behind()
    publish(200, 201, queue="slow")
    assert newest(broker, 2, "slow") == [[200], [201]]


def test_what_was_seen_a_while_ago_says_nothing(broker: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_behind()
    assert messages.behind()
    monkeypatch.setattr(messages, "_BEHIND_SECONDS", 0.0)
    assert not messages.behind()


@pytest.mark.django_db
def test_a_beat_gathers_fires_only_while_workers_are_behind(broker: Redis) -> None:
    due(a_job())
    scheduler = JobScheduler(app, lazy=True)
    assert scheduler._pause(1) <= 0.0
    leave_behind()
    assert scheduler._pause(1) == beat.GATHER_SECONDS
    assert scheduler._pause(0) == beat.BUSY_WAIT_SECONDS
