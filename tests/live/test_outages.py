"""Redis and PostgreSQL go away and come back: every instant has its one run, late by the outage and little more."""

import signal
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from kombu.entity import Queue
from redis import Redis

from jobsite.celery import app
from scheduler import clock, jobs
from scheduler.models import Execution, Job, Reason, Status
from scheduler.schedule import Schedule
from tests.live.servers import own_postgres, own_redis
from tests.live.watching import (
    SECONDLY,
    a_gate,
    claimed_up_to,
    effects,
    ended,
    instants,
    open_gate,
    pass_seconds,
    running,
    without_gap,
)
from tests.processes import Processes
from tests.scheduler.factories import YEARLY, a_job
from tests.waiting import NOISE, PATIENCE, wait_for

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]


def all_ran_once(made: list[Job], up_to: datetime) -> None:
    """Wait until every instant up to then has run; check that nothing is missing and nothing was done twice."""
    claimed_up_to(made, up_to)
    wait_for(
        lambda: not Execution.objects.filter(job__in=made, scheduled_for__lte=up_to, status__lt=2).exists(),
        what="the ends of all runs",
    )
    assert all(without_gap(job) for job in made)
    rows = Execution.objects.filter(job__in=made, scheduled_for__lte=up_to)
    assert set(rows.values_list("status", flat=True)) == {Status.SUCCEEDED}
    assert set(effects().values()) == {1}


def latest_start(made: list[Job], *, since: datetime) -> timedelta:
    """How late the latest run of an instant since then began: what came before may have waited for the processes."""
    rows = Execution.objects.filter(job__in=made, started_at__isnull=False, scheduled_for__gte=since)
    return max(started - due for due, started in rows.values_list("scheduled_for", "started_at") if started)


def test_redis_flushed_and_frozen_and_then_gone_for_a_minute_and_back_empty_costs_no_run_and_doubles_none(
    processes: Processes,
) -> None:
    with own_redis() as server:
        made = [a_job(expression=SECONDLY, overlap="allow") for _ in range(5)]
        beats = processes.beats(2, CELERY_BROKER_URL=server.url)
        worker = processes.worker(CELERY_BROKER_URL=server.url)
        pass_seconds(1)
        with Redis.from_url(server.url) as client:
            client.flushall()
        pass_seconds(2)
        began = clock.exact_now()
        server.freeze()
        # A Redis that is silent keeps no beat from claiming.
        claimed_up_to(made, pass_seconds(5))
        server.kill()
        pass_seconds(60)
        server.start()
        outage = clock.exact_now() - began
        all_ran_once(made, pass_seconds(4))
        assert latest_start(made, since=began) < outage + timedelta(seconds=5) + NOISE
        assert [process.returncode for process in (*beats, worker)] == [None] * 3


def test_a_worker_whose_acknowledgements_redis_did_not_take_has_its_places_back() -> None:
    with own_redis() as server, app.connection_for_read(server.url) as link:
        channel = link.default_channel
        channel.basic_qos(0, 1, False)
        queue = Queue("services", channel=channel)
        queue.declare()
        link.Producer().publish({}, routing_key="services")
        message = queue.get()
        assert (message is not None, channel.qos.can_consume()) == (True, False)
        server.kill()
        with pytest.raises(link.connection_errors):
            message.ack()
        assert channel.qos.can_consume()


def test_postgresql_killed_and_back_after_a_lease_has_run_out_costs_no_instant_doubles_no_run_and_ends_none(
    processes: Processes,
) -> None:
    with own_postgres() as server:
        made = [a_job(expression=SECONDLY, overlap="allow") for _ in range(3)]
        gate = a_gate("long")
        long = jobs.run_now(a_job(expression=YEARLY, arguments={"gate": gate, "patient": True}), by="tester")
        beats = processes.beats(2)
        worker = processes.worker(concurrency=6)
        running(long.pk)
        claimed_up_to(made, pass_seconds(1))
        began = clock.exact_now()
        connection.close()
        server.kill()
        server.start()
        outage = clock.exact_now() - began
        # As if the outage had lasted longer than its lease.
        Execution.objects.filter(pk=long.pk).update(lease_until=began)
        pass_seconds(4)
        open_gate(gate)
        up_to = pass_seconds(1)
        claimed_up_to(made, up_to)
        wait_for(
            lambda: not Execution.objects.filter(scheduled_for__lte=up_to, status__lt=2).exists(),
            what="the ends of all runs",
        )
        assert all(without_gap(job) for job in made)
        # A run that was at work may fail with its own statement; none is lost, and none is done twice.
        assert set(effects().values()) == {1}
        ends = Execution.objects.filter(scheduled_for__lte=up_to).values_list("status", flat=True)
        assert set(ends) <= {Status.SUCCEEDED, Status.FAILED}
        assert Execution.objects.filter(messages__icontains="was lost").count() == 0
        assert latest_start(made, since=began) < outage + timedelta(seconds=5) + NOISE
        assert [process.returncode for process in (*beats, worker)] == [None] * 3
        long.refresh_from_db()
        assert (long.status, long.attempt) == (Status.SUCCEEDED, 1)


def test_what_fell_due_while_everything_was_down_is_settled_once_and_by_each_misfire_policy(
    processes: Processes,
) -> None:
    with own_postgres() as server:
        ran = (Status.SUCCEEDED, None)
        grace: Any = {"misfire_grace_seconds": 1, "overlap": "allow"}
        wanted = {
            "fire_all": {ran},
            "fire_once": {ran, (Status.SKIPPED, Reason.COALESCED)},
            "skip": {ran, (Status.SKIPPED, Reason.MISSED)},
        }
        steady = {a_job(expression=SECONDLY, misfire=policy, **grace): ends for policy, ends in wanted.items()}
        once = a_job(schedule=Schedule(run_at=clock.exact_now() + timedelta(seconds=2)))
        connection.close()
        server.kill()
        let_pass(4)
        server.start()
        assert not Execution.objects.exists()
        processes.worker()
        processes.beats(2)
        claimed_up_to([once, *steady], once.run_at or clock.exact_now())
        claimed_up_to([*steady], pass_seconds(1.5))
        for job in steady:
            jobs.deactivate(job, by="tester")
        wait_for(lambda: not Execution.objects.open().exists(), what="the ends of all runs")
        assert all(map(without_gap, steady))
        ends = {job: set(Execution.objects.of(job).values_list("status", "reason")) for job in (once, *steady)}
        assert ends == {once: {ran}, **steady}
        assert len(instants(once)) == 1
        assert set(effects().values()) == {1}


def test_standstills_longer_than_a_lease_let_no_run_look_lost_whose_worker_lives(processes: Processes) -> None:
    with own_postgres() as server:
        gate = a_gate("long")
        job = a_job(expression=YEARLY, arguments={"gate": gate, "patient": True}, overlap="allow")
        made = [jobs.run_now(job, by="tester").pk for _ in range(4)]
        quick: Any = {"SCHEDULER_LEASE_SECONDS": "3"}
        beats = processes.beats(2, **quick)
        workers = [processes.worker(concurrency=2, **quick) for _ in range(2)]
        running(*made)
        # Of PostgreSQL alone, then of the whole machine.
        for stopped in ([], [*beats, *workers]):
            # The beats have seen the database answer for long enough to take runs for lost.
            pass_seconds(7)
            for process in stopped:
                process.send(signal.SIGSTOP)
            server.freeze()
            let_pass(5)
            # The workers come to themselves a moment after the others: without that, who is first is chance.
            for worker in workers:
                worker.send(signal.SIGSTOP)
            server.thaw()
            for process in beats:
                process.send(signal.SIGCONT)
            let_pass(1)
            for worker in workers:
                worker.send(signal.SIGCONT)
        pass_seconds(7)
        open_gate(gate)
        assert set(ended(*made).values()) == {Status.SUCCEEDED}
        assert effects() == {(pk, 1): 1 for pk in made}


def let_pass(seconds: float) -> None:
    """Wait, with no database to ask the time."""
    until = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() >= until, deadline=seconds + PATIENCE, what=f"{seconds} seconds")
