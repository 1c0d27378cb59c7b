"""Beats as real processes: any number of them, killed and frozen, fire each due instant once and in time."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django_celery_beat.models import PeriodicTask
from redis import Redis

from scheduler import clock, jobs
from scheduler.models import Execution, Job, Process, Status, Trigger
from scheduler.schedule import Schedule
from tests.live.clocks import stepping
from tests.live.servers import own_redis
from tests.live.watching import (
    SECONDLY,
    a_gate,
    claimed_up_to,
    effects,
    ended,
    instants,
    latest_claim,
    open_gate,
    pass_seconds,
    running,
    without_gap,
)
from tests.processes import LiveProcess, Processes
from tests.scheduler.factories import YEARLY, a_job, state
from tests.scheduler.threads import in_thread
from tests.waiting import NOISE, PATIENCE, wait_for

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]


# Where a claim is held up: at the first row it writes, and at the last.
FIRST, LAST = "scheduler_execution", "django_celery_beat_clockedschedule"
_HOLD_UP = 4711


@contextmanager
def points_to_stop() -> Iterator[threading.Event]:
    """Let claims be held up by ``hold_up`` inside their transactions, until the event is set or the end."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_HOLD_UP])
            held.set()
            release.wait(3 * PATIENCE)
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_HOLD_UP])

    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            CREATE OR REPLACE FUNCTION tests_hold_up() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                -- Not a wait for a lock, which a beat gives up soon.
                WHILE NOT pg_try_advisory_xact_lock_shared({_HOLD_UP}) LOOP
                    PERFORM pg_sleep(0.02);
                END LOOP;
                RETURN NEW;
            END $$
            """
        )
    holder = in_thread(hold)
    try:
        assert held.wait(PATIENCE)
        yield release
    finally:
        release.set()
        holder.result()
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION tests_hold_up() CASCADE")


def hold_up(job: Job, *, at: str) -> None:
    """Hold up any claim of the job ``at`` a table it writes to."""
    row = f"NEW.job_id = {job.pk}"
    if at == LAST:
        [clocked] = PeriodicTask.objects.filter(job_state__job=job).values_list("clocked_id", flat=True)
        row = f"NEW.id = {clocked}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TRIGGER tests_hold_up BEFORE INSERT OR UPDATE ON {at}"
            f" FOR EACH ROW WHEN ({row}) EXECUTE FUNCTION tests_hold_up()"
        )


def held_up() -> int:
    """How many claims are held up."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        )
        return int(cursor.fetchone()[0])


def held_up_at_each_point(processes: Processes) -> dict[Job, LiveProcess]:
    """Jobs and, of each, the beat whose claim is held up, at another point of its transaction for each."""
    held = {}
    for place, at in enumerate((FIRST, LAST), 1):
        job = a_job(expression=SECONDLY, overlap="allow")
        hold_up(job, at=at)
        held[job] = processes.beat()
        wait_for(lambda place=place: held_up() == place, what=f"a claim is held up at {at}")  # type: ignore[misc]
    return held


def test_two_and_three_and_five_beats_of_which_some_are_killed_or_frozen_fire_each_instant_once_and_in_time(
    processes: Processes,
) -> None:
    made = [a_job(expression=SECONDLY, overlap="allow") for _ in range(20)]
    killed, *beats = processes.beats(2)
    began = clock.exact_now()
    claimed_up_to(made, pass_seconds(1.5))
    killed.kill()
    beats += processes.beats(2)
    claimed_up_to(made, pass_seconds(1.5))
    killed, *beats = [*beats, *processes.beats(2)]
    claimed_up_to(made, pass_seconds(1))
    frozen = beats[0]
    killed.kill()
    frozen.send(signal.SIGSTOP)
    claimed_up_to(made, pass_seconds(6))
    frozen.send(signal.SIGCONT)
    claimed_up_to(made, pass_seconds(1.5))
    assert [beat.returncode for beat in beats] == [None] * 4
    assert all(without_gap(job) for job in made)
    # A frozen beat may hold what it was claiming for as long as its transaction is borne; nobody else is held up.
    late = [job for job in made if latest_claim([job], since=began) > timedelta(seconds=1) + NOISE]
    assert len(late) <= 1
    assert latest_claim(made, since=began) < timedelta(seconds=10) + NOISE
    assert Process.objects.alive().of_kind(Process.Kind.BEAT).count() >= 4


def test_what_frozen_beats_hold_locked_is_taken_over_within_ten_seconds_wherever_they_froze(
    processes: Processes,
) -> None:
    with points_to_stop() as release:
        held = held_up_at_each_point(processes)
        for frozen in held.values():
            frozen.send(signal.SIGSTOP)
        other = processes.beat()
        began = clock.exact_now()
        release.set()
        wait_for(lambda: all(map(instants, held)), what="rows of the jobs whose claims froze")
        assert clock.exact_now() - began < timedelta(seconds=10) + NOISE
        for frozen in held.values():
            frozen.send(signal.SIGCONT)
        claimed_up_to([*held], pass_seconds(1))
    assert all(map(without_gap, held))
    # The thawed beats have noticed that they lost their transactions, and do their work again.
    for frozen in held.values():
        frozen.wait_for_line(r"beat\.database_error")
    other.kill()
    claimed_up_to([*held], pass_seconds(1))
    assert all(map(without_gap, held))


def test_beats_killed_inside_their_claims_leave_nothing_half_done(processes: Processes) -> None:
    with points_to_stop() as release:
        held = held_up_at_each_point(processes)
        for victim in held.values():
            victim.kill()
        release.set()
    processes.beat()
    claimed_up_to([*held], pass_seconds(1))
    assert all(map(without_gap, held))
    assert [state(job).open_runs for job in held] == [Execution.objects.of(job).open().count() for job in held]


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_what_a_beat_committed_and_did_not_publish_is_published_by_another_within_five_seconds(
    processes: Processes, fault: signal.Signals
) -> None:
    with own_redis() as server, Redis.from_url(server.url) as client:
        publisher, other = processes.beats(2, CELERY_BROKER_URL=server.url)
        other.send(signal.SIGSTOP)
        # Redis refuses to be written to: what is committed now is not published before the beat is hit.
        client.config_set("maxmemory", 1)
        job = a_job(schedule=Schedule(run_at=clock.exact_now() + timedelta(seconds=0.5)))
        wait_for(lambda: Execution.objects.of(job).exists(), every=0.01, what="a committed run")
        publisher.send(fault)
        client.config_set("maxmemory", 0)
        assert not [key for key in client.scan_iter() if key.startswith(b"services")]
        other.send(signal.SIGCONT)
        began = clock.exact_now()
        wait_for(lambda: any(key.startswith(b"services") for key in client.scan_iter()), what="a published message")
        assert clock.exact_now() - began < timedelta(seconds=5) + NOISE
        if fault is signal.SIGSTOP:
            # Whatever it was about to publish comes now, and it goes on.
            publisher.send(signal.SIGCONT)
            other.kill()
            steady = a_job(expression=SECONDLY, overlap="allow")
            claimed_up_to([steady], pass_seconds(1))
            assert without_gap(steady)
        assert len(instants(job)) == 1


def test_sleeping_beats_take_up_a_change_at_its_commit(processes: Processes) -> None:
    processes.beats(2)
    job = a_job(expression=YEARLY)
    pass_seconds(1.5)
    edited = jobs.update(job, {"schedule": Schedule(expression=SECONDLY)}, by="tester")
    wait_for(lambda: len(instants(job)) >= 2, every=0.01, what="two rows of the new schedule")
    jobs.deactivate(edited, by="tester")
    paused = clock.exact_now()
    fresh = a_job(schedule=Schedule(run_at=paused + timedelta(seconds=1.2)))
    wait_for(lambda: instants(fresh), every=0.01, what="the row of a new job")
    assert without_gap(job)
    assert instants(job)[-1] <= paused
    assert latest_claim([job, fresh]) < timedelta(seconds=1) + NOISE
    jobs.activate(edited, by="tester")
    resumed = clock.exact_now()
    claimed_up_to([job], resumed + timedelta(seconds=1))
    jobs.delete(edited, by="tester")
    before = clock.exact_now()
    wait_for(lambda: not Execution.objects.of(job).exists(), what="nothing left of a deleted job")
    pass_seconds(1.5)
    assert Execution.objects.filter(created_at__gte=before).count() == 0
    assert Execution.objects.count() == 1


def test_a_beat_and_a_worker_whose_hosts_clocks_jump_by_five_minutes_again_and_again_go_by_the_database_s(
    processes: Processes,
) -> None:
    made = [a_job(expression=SECONDLY, overlap="allow") for _ in range(5)]
    # One that works all the time, and may for a shorter time than the clocks jump.
    gate = a_gate("long")
    long = jobs.run_now(a_job(arguments={"gate": gate}, timeout_seconds=180), by="tester")
    with stepping(processes) as (beat, worker):
        right = processes.beat()
        began = clock.exact_now()
        running(long.pk)
        claimed_up_to(made, pass_seconds(1))
        # From now on the one whose clock jumps is alone.
        right.kill()
        for seconds in (1, 0.15, 0.25):
            for beat_s, worker_s in ((300, -300), (300, -300), (-300, 300), (-300, 300)):
                beat.step(beat_s)
                worker.step(worker_s)
                claimed_up_to(made, pass_seconds(seconds) - timedelta(seconds=1))
        up_to = pass_seconds(1)
        claimed_up_to(made, up_to)
        open_gate(gate)
        rows = Execution.objects.filter(scheduled_for__lt=up_to)
        assert set(ended(*rows.values_list("pk", flat=True)).values()) == {Status.SUCCEEDED}
        assert [host.process.returncode for host in (beat, worker)] == [None, None]
    assert all(without_gap(job) for job in made)
    assert latest_claim(made, since=began) < timedelta(seconds=1) + NOISE
    assert {key: times for key, times in effects().items() if times > 1} == {}
    assert set(rows.values_list("attempt", flat=True)) == {1}
    fired = rows.filter(trigger=Trigger.SCHEDULE)
    for instants_of_run in fired.values_list("scheduled_for", "created_at", "started_at", "ended_at"):
        # None is early by the database's clock.
        assert list(instants_of_run) == sorted(filter(None, instants_of_run))
