"""A backlog of fifty thousand runs: beats claim as promptly as ever, and the oldest of a priority still goes first."""

from bisect import bisect
from datetime import timedelta

import pytest
from redis import Redis

from scheduler import clock, messages, recovery
from scheduler.models import Execution, Job, Status
from tests.backlog import publish, queue_up
from tests.live.watching import SECONDLY, claimed_up_to, effects, latest_claim, pass_seconds, without_gap
from tests.processes import Processes
from tests.scheduler.factories import a_job
from tests.waiting import NOISE, wait_for

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

MANY = 50_000
# As many as one worker of four threads may have in hand: a message at work and one fetched for each thread.
IN_HAND = 2 * 4 * messages.MOST_PER_MESSAGE


def begun(bulk: Job, ids: list[int]) -> tuple[int, int]:
    """How many of the backlog have begun, and the place of the newest of them."""
    rows = Execution.objects.of(bulk).exclude(status=Status.QUEUED).order_by("pk").values_list("pk", flat=True)
    found = list(rows)
    return len(found), ids.index(found[-1]) + 1 if found else 0


def named(broker: Redis, priority: int) -> int:
    """How many runs the messages that wait at a priority name."""
    waiting = broker.lrange(messages.key_of("services", priority), 0, -1)
    return sum(len(messages.decode_ids(message)) for message in waiting)


def test_fifty_thousand_queued_runs_neither_slow_the_beats_nor_lose_their_order_nor_fill_redis(
    processes: Processes, broker: Redis
) -> None:
    bulk = a_job(overlap="allow")
    ids = queue_up(bulk, MANY)
    publish(ids)
    broker.set(recovery.SERVER_KEY, broker.info("server")["run_id"])
    urgent = [a_job(expression=SECONDLY, overlap="allow", priority=0) for _ in range(5)]
    processes.beats(2)
    processes.worker()
    began = clock.exact_now()
    for loss in (False, True):
        before, _ = begun(bulk, ids)
        if loss:
            broker.flushdb()
        wanted = before + 1000
        wait_for(lambda: begun(bulk, ids)[0] >= wanted, what="a thousand more")  # noqa: B023 - at once
        many, newest = begun(bulk, ids)
        assert newest - many <= IN_HAND, f"{many} have begun, the newest is the {newest}th"
        # Looked at again and again by two sweeps, and yet named about once each.
        pass_seconds(4)
        assert named(broker, 5) <= MANY
    claimed_up_to(urgent, pass_seconds(1))
    assert all(without_gap(job) for job in urgent)
    assert latest_claim(urgent, since=began) < timedelta(seconds=1) + NOISE
    # What is more urgent goes before the backlog, behind no more than what a worker has in hand.
    starts = sorted(filter(None, Execution.objects.of(bulk).values_list("started_at", flat=True)))
    rows = Execution.objects.filter(job__in=urgent).values_list("created_at", "started_at")
    ahead = sorted(bisect(starts, begun) - bisect(starts, claimed) for claimed, begun in rows if begun is not None)
    assert ahead[len(ahead) // 2] <= IN_HAND
    assert set(effects().values()) == {1}
