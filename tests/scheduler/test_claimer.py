"""Two claimers of one beat: the second takes batches of a burst beside the first, and outlives its connection.

And what somebody else holds for long, who edits beat entries: it holds up its own jobs and no other.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import ClockedSchedule, PeriodicTask
from redis import Redis

from scheduler import claims
from scheduler.beat import BUSY_WAIT_SECONDS
from scheduler.claimer import BurstClaimer, Claimer
from scheduler.claims import queue_of
from scheduler.messages import keys_of
from scheduler.models import Execution, Job
from tests.scheduler.beats import a_beat
from tests.scheduler.factories import a_job, due
from tests.scheduler.threads import in_thread
from tests.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def a_burst_claimer(*, batch: int) -> Iterator[BurstClaimer]:
    claimer = BurstClaimer(batch=batch)
    claimer.start()
    try:
        yield claimer
    finally:
        claimer.stop()
        assert not claimer.is_alive()


def fires(count: int) -> bool:
    return Execution.objects.count() == count


def test_a_woken_claimer_takes_every_batch_that_is_due(broker: Redis) -> None:
    for _ in range(7):
        due(a_job())
    with a_burst_claimer(batch=2) as claimer:
        claimer.wake()
        wait_for(lambda: sum(broker.llen(key) for key in keys_of(queue_of("probe"))) == 7)
    assert fires(7)


def test_it_claims_nothing_until_it_is_woken(broker: Redis) -> None:
    due(a_job())
    with a_burst_claimer(batch=2):
        pass
    assert Execution.objects.count() == 0


def test_two_claimers_share_a_burst_and_double_nothing(broker: Redis) -> None:
    jobs = [a_job() for _ in range(40)]
    for job in jobs:
        due(job)
    with a_burst_claimer(batch=2) as claimer:
        claimer.wake()

        def claim_all() -> None:
            own = Claimer(batch=2)
            while own.claim():
                pass

        in_thread(claim_all).result()
        wait_for(lambda: fires(40))
    assert set(Execution.objects.values_list("job_id", flat=True)) == {job.pk for job in jobs}


def test_a_claimer_whose_connection_was_ended_claims_the_next_burst(broker: Redis) -> None:
    due(a_job())
    with a_burst_claimer(batch=1) as claimer:
        claimer.wake()
        wait_for(lambda: fires(1))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        due(a_job())

        def woken_again() -> bool:
            # The first time it finds its connection gone, as it would while a beat's own claimer finds the same.
            claimer.wake()
            return fires(2)

        wait_for(woken_again)


Table = type[PeriodicTask] | type[ClockedSchedule] | type[Execution]
OWNER = {PeriodicTask: "job_state__job", ClockedSchedule: "periodictask__job_state__job", Execution: "job"}


@contextmanager
def held(table: Table, *jobs: Job) -> Iterator[None]:
    """Somebody else's open transaction that has locked the beat entries of ``jobs``, the clocks of these, or runs."""
    manager: Any = table.objects
    is_held, let_go = threading.Event(), threading.Event()

    def hold() -> int:
        with transaction.atomic():
            rows = manager.select_for_update(of=("self",)).filter(**{f"{OWNER[table]}__in": jobs})
            count = len(rows)
            is_held.set()
            assert let_go.wait(2 * PATIENCE)
        return count

    holder = in_thread(hold)
    assert is_held.wait(PATIENCE)
    try:
        yield
    finally:
        let_go.set()
        assert holder.result() == len(jobs)


def fired() -> set[int]:
    return set(Execution.objects.values_list("job_id", flat=True))


@pytest.mark.parametrize("table", [PeriodicTask, ClockedSchedule, Execution])
def test_a_beat_passes_over_a_job_whose_entry_or_run_is_held(broker: Redis, table: Table) -> None:
    blocked, free = a_job(overlap="replace"), a_job()
    if table is Execution:
        due(blocked, seconds_ago=3)
        assert len(claims.claim(limit=1).hints) == 1
    before = Execution.objects.count()
    due(blocked, seconds_ago=2)
    due(free, seconds_ago=1)
    with a_beat() as beat:
        with held(table, blocked):
            wait_for(lambda: beat.tick() or free.pk in fired(), every=0.0)
            # It looks again and again: each look does what it can, and does not hurry where that is nothing.
            later = a_job()
            due(later)
            beat.tick()
            assert (later.pk in fired(), Execution.objects.count()) == (True, before + 2)
            # The job that was made tells the beat of itself, which may come during the first of these.
            waits = []
            for _ in range(3):
                began = time.monotonic()
                beat.tick()
                waits.append(time.monotonic() - began)
            assert max(waits) >= BUSY_WAIT_SECONDS * 0.8
        beat.tick()
        assert (blocked.pk in fired(), Execution.objects.count()) == (True, before + 3)


def test_more_held_jobs_than_a_batch_hold_up_no_other(broker: Redis) -> None:
    blocked, free = [a_job() for _ in range(5)], a_job()
    for job in blocked:
        due(job, seconds_ago=2)
    due(free, seconds_ago=1)
    with a_beat() as beat:
        beat._claimer.batch = 2
        with held(PeriodicTask, *blocked):
            wait_for(lambda: beat.tick() or fired() == {free.pk}, every=0.0)
        wait_for(lambda: beat.tick() or len(fired()) == 6, every=0.0)


def test_a_claim_looks_whether_entries_are_held_only_after_it_gave_way(broker: Redis) -> None:
    def asked() -> int:
        due(a_job())
        with CaptureQueriesContext(connection) as queries:
            beat.tick()
        return sum("FOR NO KEY UPDATE SKIP LOCKED" in query["sql"] for query in queries)

    blocked = a_job()
    with a_beat() as beat:
        before = asked()
        due(blocked, seconds_ago=2)
        with held(PeriodicTask, blocked):
            # The first gives way, the second passes the job over.
            beat.tick()
            while_held = asked()
        # The first finds nothing held any more.
        after = [asked(), asked()]
    assert (before, while_held > 0, after[0] > 0, after[1]) == (0, True, True, 0)
