"""Who goes first: limits of slow services, priorities and queues, as real workers take them."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings
from redis import Redis

from scheduler import clock, jobs, limits, messages
from scheduler.models import Execution, Status
from tests.live.watching import a_gate, effects, ended, open_gate, pass_seconds, running
from tests.processes import Processes
from tests.scheduler.factories import a_job
from tests.waiting import NOISE, wait_for

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]


def most_at_once(ids: list[int]) -> int:
    """How many of the runs were under way at the same time at most, by their rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT max(beside) FROM (
                SELECT count(*) AS beside FROM scheduler_execution one JOIN scheduler_execution other
                    ON other.id = ANY(%(ids)s) AND other.started_at <= one.started_at
                   AND other.ended_at > one.started_at
                 WHERE one.id = ANY(%(ids)s) GROUP BY one.id) counts
            """,
            {"ids": ids},
        )
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("by", ["a limit of its own", "the setting"])
def test_two_hundred_runs_of_a_slow_service_starve_no_other(processes: Processes, settings: Settings, by: str) -> None:
    """The slow calls end when the test says so, which is later than any deadline of the others."""
    environment: Any = {}
    if by == "the setting":
        settings.SCHEDULER_CONCURRENCY_LIMIT = 2
        environment["SCHEDULER_CONCURRENCY_LIMIT"] = "2"
    else:
        limits.set_limit("slow", 2)
    gate = a_gate("slow")
    service = a_job(arguments={"gate": gate}, overlap="allow", concurrency_key="slow")
    processes.beats(1, **environment)
    processes.worker(concurrency=4, **environment)
    slow = [jobs.run_now(service, by="tester").pk for _ in range(200)]
    wait_for(lambda: len(effects()) == 2, what="two slow calls at work")
    quick = a_job(overlap="allow", concurrency_key="quick" if by == "a limit of its own" else "")
    for _ in range(3):
        more = [jobs.run_now(quick, by="tester").pk for _ in range(30)]
        assert set(ended(*more).values()) == {Status.SUCCEEDED}
        rows = Execution.objects.filter(pk__in=more).values_list("created_at", "started_at")
        assert max(begun - asked for asked, begun in rows if begun) < timedelta(seconds=1) + NOISE
        pass_seconds(1.5)
    assert sum(pk in slow for pk, _ in effects()) == 2
    open_gate(gate)
    assert set(ended(*slow).values()) == {Status.SUCCEEDED}
    assert (most_at_once(slow), effects()) == (2, {(pk, 1): 1 for pk in Execution.objects.values_list("pk", flat=True)})


def in_order_of_start() -> list[int]:
    return list(
        Execution.objects.filter(started_at__isnull=False).order_by("started_at", "pk").values_list("pk", flat=True)
    )


def test_priorities_go_first_and_within_one_the_oldest(processes: Processes) -> None:
    made = {priority: a_job(overlap="allow", priority=priority) for priority in (9, 5, 0)}
    asked = {priority: [jobs.run_now(job, by="tester").pk for _ in range(12)] for priority, job in made.items()}
    processes.worker(concurrency=1)
    everything = [*asked[0], *asked[5], *asked[9]]
    assert set(ended(*everything).values()) == {Status.SUCCEEDED}
    assert in_order_of_start() == everything


def test_an_urgent_run_overtakes_what_a_busy_worker_has_fetched_already(processes: Processes, broker: Redis) -> None:
    gate = a_gate("g")
    first = jobs.run_now(a_job(arguments={"gate": gate}), by="tester").pk
    usual = a_job(overlap="allow")
    processes.beats(1)
    processes.worker(concurrency=1)
    running(first)
    waiting = [jobs.run_now(usual, by="tester").pk for _ in range(3 * messages.MOST_PER_MESSAGE)]
    urgent = jobs.run_now(a_job(priority=0), by="tester").pk
    open_gate(gate)
    assert set(ended(first, *waiting, urgent).values()) == {Status.SUCCEEDED}
    # One message may be in hand already.
    assert in_order_of_start().index(urgent) <= 1 + messages.MOST_PER_MESSAGE


def test_a_job_s_own_queue_is_worked_on_by_its_own_workers_only(processes: Processes) -> None:
    usual, report = a_job(overlap="allow"), a_job(overlap="allow", queue="reports")
    services = processes.worker()
    reports = [jobs.run_now(report, by="tester").pk for _ in range(5)]
    others = [jobs.run_now(usual, by="tester").pk for _ in range(5)]
    assert set(ended(*others).values()) == {Status.SUCCEEDED}
    assert set(Execution.objects.filter(pk__in=reports).values_list("status", flat=True)) == {Status.QUEUED}
    own = processes.worker(queues="reports")
    assert set(ended(*reports).values()) == {Status.SUCCEEDED}
    for ids, worker in ((others, services), (reports, own)):
        names = Execution.objects.filter(pk__in=ids).values_list("worker", flat=True)
        assert all(f":{worker.pid}:" in (name or "") for name in names)


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_what_a_busy_worker_was_given_and_cannot_begin_an_idle_one_takes(
    processes: Processes, broker: Redis, pool: str
) -> None:
    gate = a_gate("g")
    job = a_job(arguments={"gate": gate}, overlap="allow")
    ids = [jobs.run_now(job, by="tester").pk for _ in range(8)]
    broker.flushdb()
    broker.lpush(messages.key_of("services", 5), messages.encode(ids, "services", 5))
    processes.beats(1)
    processes.worker(concurrency=1, pool=pool)
    wait_for(lambda: len(effects()) == 1, what="one at work")
    began = clock.exact_now()
    processes.worker(concurrency=8)
    running(*ids)
    assert clock.exact_now() - began < timedelta(seconds=10) + NOISE
    open_gate(gate)
    assert set(ended(*ids).values()) == {Status.SUCCEEDED}
    assert effects() == {(pk, 1): 1 for pk in ids}
    assert set(Execution.objects.values_list("attempt", flat=True)) == {1}
