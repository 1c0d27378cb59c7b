"""Entries of the user's own, made in the stock admin: fired as django-celery-beat would, once across all beats."""

import json
import signal
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from redis import Redis

from scheduler import clock
from scheduler.models import Leader
from tests.live.clocks import BEAT, Host
from tests.live.watching import pass_seconds
from tests.processes import LiveProcess, Processes
from tests.scheduler.factories import a_job
from tests.waiting import wait_for

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]


def an_entry(name: str, **values: object) -> PeriodicTask:
    """An entry that sends the task of its name to a queue that nobody reads."""
    return PeriodicTask.objects.create(name=name, task=name, queue="stock", **values)


def sent(broker: Redis) -> list[str]:
    """The tasks that were sent, in their order."""
    return [json.loads(message)["headers"]["task"] for message in reversed(broker.lrange("stock", 0, -1))]


def leader(beats: list[LiveProcess]) -> LiveProcess:
    """The beat that evaluates the entries."""
    holder = wait_for(lambda: Leader.objects.first(), what="an elected beat").holder
    [found] = [beat for beat in beats if f":{beat.pid}:" in holder]
    return found


def fires(entry: PeriodicTask) -> int:
    entry.refresh_from_db()
    return int(entry.total_run_count)


def two_more_fires(entry: PeriodicTask) -> None:
    before = fires(entry)
    wait_for(lambda: fires(entry) >= before + 2, what=f"two more fires of {entry.name}")


def test_entries_of_every_kind_fire_once_across_beats_also_when_the_elected_one_freezes(
    processes: Processes, broker: Redis
) -> None:
    now = clock.exact_now()
    long_ago = now - timedelta(hours=3)
    hourly, _ = CrontabSchedule.objects.get_or_create(
        minute=str((now.minute + 30) % 60), hour="*", day_of_week="*", day_of_month="*", month_of_year="*"
    )
    steady = an_entry("steady", interval=IntervalSchedule.objects.create(every=1, period="seconds"))
    crontab = an_entry("crontab", crontab=hourly, last_run_at=long_ago)
    # Where noon is half a day away: it comes around once.
    longitude = (15 * (12 - now.hour)) % 360 - 180
    solar = SolarSchedule.objects.create(event="solar_noon", latitude=52, longitude=longitude)
    noon = an_entry("solar", solar=solar, last_run_at=now - timedelta(days=2))
    soon = ClockedSchedule.objects.create(clocked_time=now + timedelta(seconds=6))
    once = an_entry("clocked", clocked=soon, one_off=True)
    an_entry("disabled", interval=steady.interval, enabled=False)
    # One that cannot be read must not end the others; a job's own entry is the clock's, and not sent as a task.
    bad = CrontabSchedule.objects.create(minute="0", hour="*")
    an_entry("unreadable", crontab=bad)
    CrontabSchedule.objects.filter(pk=bad.pk).update(minute="nonsense")
    a_job()

    beats = processes.beats(2)
    wait_for(lambda: fires(steady) >= 3, what="three fires of the interval")
    frozen = leader(beats)
    frozen.send(signal.SIGSTOP)
    wait_for(lambda: Leader.objects.get().holder != "" and leader(beats) is not frozen, what="another elected beat")
    before = fires(steady)
    wait_for(lambda: fires(steady) >= before + 2 and "clocked" in sent(broker), what="fires from the other beat")
    frozen.send(signal.SIGCONT)
    pass_seconds(2.5)
    for beat in beats:
        beat.stop()
    tasks = sent(broker)
    assert {task: tasks.count(task) for task in set(tasks)} == {
        "steady": fires(steady),
        "crontab": 1,
        "solar": 1,
        "clocked": 1,
    }
    assert (fires(crontab), fires(noon)) == (1, 1)
    once.refresh_from_db()
    # As django-celery-beat leaves an entry that has had its one run.
    assert (once.enabled, once.total_run_count) == (False, 0)


def test_an_elected_beat_whose_host_s_clock_jumps_by_five_minutes_goes_by_the_database_s_and_leaves_the_next_no_wait(
    processes: Processes, broker: Redis
) -> None:
    steady = an_entry("steady", interval=IntervalSchedule.objects.create(every=1, period="seconds"))
    soon = clock.exact_now() + timedelta(seconds=180)
    clocked = an_entry("clocked", clocked=ClockedSchedule.objects.create(clocked_time=soon), one_off=True)
    began = clock.exact_now()
    with ExitStack() as stack:
        wrong = Host(stack, processes, *BEAT, wrong=300)
        two_more_fires(steady)
        for seconds in (-300, 300):
            wrong.step(seconds)
            two_more_fires(steady)
            assert steady.last_run_at <= clock.exact_now()
        wrong.process.kill()
    processes.beat()
    two_more_fires(steady)
    assert fires(steady) <= (clock.exact_now() - began).total_seconds() + 1
    assert fires(clocked) == 0
    assert set(sent(broker)) == {"steady"}


def test_an_entry_that_is_edited_follows_at_once_and_a_job_s_own_is_left_to_the_clock(
    processes: Processes, broker: Redis
) -> None:
    entry = an_entry("edited", interval=IntervalSchedule.objects.create(every=1, period="days"))
    processes.beats(1)
    wait_for(lambda: Leader.objects.exists(), what="an elected beat")
    pass_seconds(1)
    assert sent(broker) == []
    entry.interval = IntervalSchedule.objects.create(every=1, period="seconds")
    entry.save()
    wait_for(lambda: fires(entry) >= 2, what="fires of the new interval")
    entry.refresh_from_db()
    entry.enabled = False
    entry.save()
    pass_seconds(1.5)
    after = fires(entry)
    pass_seconds(2)
    assert fires(entry) == after == sent(broker).count("edited")
