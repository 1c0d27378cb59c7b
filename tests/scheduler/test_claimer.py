"""Two claimers of one beat: the second takes batches of a burst beside the first, and outlives its connection."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from redis import Redis

from scheduler.claimer import BurstClaimer, Claimer
from scheduler.claims import queue_of
from scheduler.messages import keys_of
from scheduler.models import Execution
from tests.scheduler.factories import a_job, due
from tests.scheduler.threads import in_thread
from tests.waiting import wait_for

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
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        due(a_job())

        def woken_again() -> bool:
            # The first time it finds its connection gone, as it would while a beat's own claimer finds the same.
            claimer.wake()
            return fires(2)

        wait_for(woken_again)
