"""Workers as real processes: killed, frozen, stopped and restarted, they lose no run and double none."""

import signal
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from redis import Redis

from scheduler import clock, executions, jobs, messages
from scheduler.messages import Hint
from scheduler.models import Attempt, Execution, Process, Status
from tests.live.watching import (
    SECONDLY,
    a_gate,
    claimed_up_to,
    effects,
    ended,
    handed_back,
    open_gate,
    pass_seconds,
    running,
    without_gap,
)
from tests.processes import Processes
from tests.scheduler.factories import a_job
from tests.waiting import NOISE, wait_for

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

QUICK: Any = {"SCHEDULER_LEASE_SECONDS": "3"}


def test_a_killed_worker_s_runs_are_noticed_within_fifteen_seconds_and_failed_or_tried_again(
    processes: Processes,
) -> None:
    gate = a_gate("g")
    fails = jobs.run_now(a_job(arguments={"gate": gate}), by="tester")
    again = jobs.run_now(a_job(arguments={"gate": gate}, max_retries=1), by="tester")
    victim = processes.worker()
    processes.beats(1)
    running(fails.pk, again.pk)
    killed = clock.exact_now()
    victim.kill()
    processes.worker()
    wait_for(lambda: effects()[again.pk, 2], what="the second attempt")
    open_gate(gate)
    assert ended(fails.pk, again.pk) == {fails.pk: Status.FAILED, again.pk: Status.SUCCEEDED}
    fails.refresh_from_db()
    [attempt] = Attempt.objects.all()
    assert fails.ended_at is not None
    assert max(fails.ended_at, attempt.ended_at) - killed < timedelta(seconds=15) + NOISE
    assert attempt.message.endswith("was lost during attempt 1: its lease ran out")
    assert fails.messages == [attempt.message.replace(attempt.worker or "", fails.worker or "")]
    assert effects() == {(fails.pk, 1): 1, (again.pk, 1): 1, (again.pk, 2): 1}


def test_a_frozen_worker_that_wakes_cannot_write_its_ends(processes: Processes) -> None:
    gate = a_gate("g")
    fails = jobs.run_now(a_job(arguments={"gate": gate, "deaf": True}), by="tester")
    again = jobs.run_now(a_job(arguments={"gate": gate, "deaf": True}, max_retries=1), by="tester")
    frozen = processes.worker(**QUICK)
    processes.beats(1, **QUICK)
    running(fails.pk, again.pk)
    frozen.send(signal.SIGSTOP)
    processes.worker(**QUICK)
    wait_for(lambda: effects()[again.pk, 2], what="the second attempt elsewhere")
    open_gate(gate)
    assert ended(fails.pk, again.pk) == {fails.pk: Status.FAILED, again.pk: Status.SUCCEEDED}
    before = list(Execution.objects.order_by("pk").values())
    frozen.send(signal.SIGCONT)
    frozen.wait_for_line(r"run\.(end_refused|abandoned|interrupted)")
    # It works on, and what it held is as it was.
    later = jobs.run_now(a_job(queue="services"), by="tester")
    assert ended(later.pk) == {later.pk: Status.SUCCEEDED}
    assert list(Execution.objects.exclude(pk=later.pk).order_by("pk").values()) == before


def test_a_message_is_acknowledged_before_the_work_and_starts_a_run_once_however_often_it_comes(
    processes: Processes, broker: Redis
) -> None:
    gate = a_gate("g")
    execution = jobs.run_now(a_job(arguments={"gate": gate}), by="tester")
    other = jobs.run_now(a_job(), by="tester")
    for _ in range(20):
        messages.publish([Hint(execution.pk, "services", 5), Hint(other.pk, "services", 0)])
    messages.publish([Hint(10**12, "services", 0)])
    processes.worker()
    processes.worker(pool="prefork", concurrency=2)
    running(execution.pk)
    wait_for(lambda: not [key for key in broker.scan_iter() if key.startswith(b"services")], what="empty queues")
    # Nothing is left for Redis to hand out again after its visibility time-out, however long the work takes.
    wait_for(lambda: not broker.hlen("unacked"), what="nothing unacknowledged")
    open_gate(gate)
    assert set(ended(execution.pk, other.pk).values()) == {Status.SUCCEEDED}
    assert effects() == {(execution.pk, 1): 1, (other.pk, 1): 1}


def test_a_worker_asked_to_stop_ends_what_it_has_begun_and_hands_the_rest_back(
    processes: Processes, broker: Redis
) -> None:
    gate = a_gate("g")
    job = a_job(arguments={"gate": gate}, overlap="allow")
    begun, waiting = ([jobs.run_now(job, by="tester").pk for _ in range(many)] for many in (2, 4))
    broker.flushdb()
    # Patient, so that a busy machine may take its time to start the others. Of itself it would keep them all along.
    patient: Any = {"SCHEDULER_SHUTDOWN_SECONDS": "60", "PROBE_HOLD_SECONDS": "600"}
    stopping = processes.worker(concurrency=2, **patient)
    key = messages.key_of("services", 5)
    broker.lpush(key, messages.encode(begun, "services", 5))
    running(*begun)
    broker.lpush(key, messages.encode(waiting, "services", 5))
    wait_for(lambda: not broker.exists(key) and not broker.hlen("unacked"), what="the message taken")
    stopping.send(signal.SIGTERM)
    handed_back(*waiting)
    processes.beats(1)
    processes.worker(concurrency=6)
    running(*waiting)
    open_gate(gate)
    assert set(ended(*begun, *waiting).values()) == {Status.SUCCEEDED}
    assert stopping.wait() == 0
    assert effects() == {(pk, 1): 1 for pk in (*begun, *waiting)}


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_a_run_that_outlasts_the_patience_of_a_stopping_worker_is_handed_back(processes: Processes, pool: str) -> None:
    gate = a_gate("g")
    execution = jobs.run_now(a_job(arguments={"gate": gate}, max_retries=1, retry_delay_seconds=0), by="tester")
    stopping = processes.worker(concurrency=1, pool=pool, SCHEDULER_SHUTDOWN_SECONDS="1")
    running(execution.pk)
    stopping.send(signal.SIGTERM)
    assert stopping.wait() == 0
    assert Attempt.objects.get().message == "stopped because its worker was shut down"
    open_gate(gate)
    processes.beats(1)
    processes.worker(concurrency=1, pool=pool)
    assert ended(execution.pk) == {execution.pk: Status.SUCCEEDED}
    assert effects() == {(execution.pk, 1): 1, (execution.pk, 2): 1}


def test_workers_restarted_one_after_another_under_load_lose_and_double_nothing(processes: Processes) -> None:
    job = a_job(overlap="allow")
    processes.beats(1)
    first, second = processes.worker(), processes.worker()
    ids: list[int] = []

    def load(count: int) -> None:
        ids.extend(jobs.run_now(job, by="tester").pk for _ in range(count))

    load(60)
    first.send(signal.SIGTERM)
    load(60)
    assert first.wait() == 0
    processes.worker()
    second.send(signal.SIGTERM)
    load(60)
    assert second.wait() == 0
    assert set(ended(*ids).values()) == {Status.SUCCEEDED}
    assert effects() == {(pk, 1): 1 for pk in ids}


def test_a_rolling_restart_of_all_workers_under_a_hundred_runs_a_second_loses_and_doubles_none(
    processes: Processes,
) -> None:
    made = [a_job(expression=SECONDLY, overlap="allow") for _ in range(100)]
    workers = [processes.worker(concurrency=8) for _ in range(2)]
    processes.beats(2)
    claimed_up_to(made, pass_seconds(1))
    for old in workers:
        old.send(signal.SIGTERM)
        assert old.wait() == 0
        processes.worker(concurrency=8)
        pass_seconds(1)
    claimed_up_to(made, pass_seconds(1))
    for job in made:
        jobs.deactivate(job, by="tester")
    wait_for(lambda: not Execution.objects.open().exists(), what="the ends of all runs")
    assert all(without_gap(job) for job in made)
    assert set(Execution.objects.values_list("status", "attempt")) == {(Status.SUCCEEDED, 1)}
    assert effects() == {(pk, 1): 1 for pk in Execution.objects.values_list("pk", flat=True)}


@pytest.mark.parametrize(("pool", "deaf"), [("threads", False), ("prefork", True)])
def test_a_running_run_that_is_cancelled_stops_within_five_seconds(processes: Processes, pool: str, deaf: bool) -> None:
    gate = a_gate("g")
    execution = jobs.run_now(a_job(arguments={"gate": gate, "deaf": deaf}), by="tester")
    worker = processes.worker(pool=pool, concurrency=1)
    running(execution.pk)
    asked = clock.exact_now()
    assert executions.cancel(execution, by="somebody")
    assert ended(execution.pk) == {execution.pk: Status.CANCELLED}
    execution.refresh_from_db()
    assert execution.ended_at is not None
    assert execution.ended_at - asked < timedelta(seconds=5) + NOISE
    healthy = jobs.run_now(a_job(), by="tester")
    assert ended(healthy.pk) == {healthy.pk: Status.SUCCEEDED}
    assert worker.returncode is None


def test_a_deaf_run_ends_at_its_time_limit_and_its_process_goes_on(processes: Processes) -> None:
    gate = a_gate("g")
    execution = jobs.run_now(a_job(arguments={"gate": gate, "deaf": True}, timeout_seconds=1), by="tester")
    processes.worker(pool="prefork", concurrency=1)
    assert ended(execution.pk) == {execution.pk: Status.FAILED}
    execution.refresh_from_db()
    assert execution.messages == ["stopped at its time limit of 1 s"]
    assert execution.duration is not None
    assert execution.duration < timedelta(seconds=1 + 3) + NOISE
    healthy = jobs.run_now(a_job(), by="tester")
    assert ended(healthy.pk) == {healthy.pk: Status.SUCCEEDED}


def test_a_failure_worth_retrying_is_tried_again_from_the_rows(processes: Processes) -> None:
    execution = jobs.run_now(
        a_job(arguments={"fail_attempts": 2}, max_retries=3, retry_delay_seconds=1, retry_max_delay_seconds=1),
        by="tester",
    )
    processes.beats(1)
    processes.worker(concurrency=1)
    assert ended(execution.pk) == {execution.pk: Status.SUCCEEDED}
    assert list(Attempt.objects.values_list("number", "message")) == [(1, "attempt 1 fails"), (2, "attempt 2 fails")]
    assert effects() == {(execution.pk, attempt): 1 for attempt in (1, 2, 3)}


def test_a_worker_shows_while_it_lives_and_is_gone_when_it_stopped(processes: Processes) -> None:
    worker = processes.worker(concurrency=3)
    row = wait_for(lambda: Process.objects.of_kind(Process.Kind.WORKER).first(), what="the worker's row")
    assert (row.pid, row.queues, row.slots) == (worker.pid, [settings.CELERY_TASK_DEFAULT_QUEUE], 3)
    assert worker.stop() == 0
    assert not Process.objects.of_kind(Process.Kind.WORKER).exists()
