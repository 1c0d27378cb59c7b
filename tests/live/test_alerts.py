"""Alerts arrive when every worker is dead, and from another beat when the one that sends is killed."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler import jobs
from scheduler.alerts import deliveries
from scheduler.models import Condition, Delivery, Execution, Incident, Ping
from tests.live.watching import a_gate, ended, running
from tests.processes import Processes
from tests.scheduler.alerts.conftest import Receiver, receiver
from tests.scheduler.alerts.factories import a_channel, a_rule, nothing_waits
from tests.scheduler.factories import a_job
from tests.waiting import PATIENCE, wait_for

__all__ = ["receiver"]

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]
QUICK: Any = {"SCHEDULER_LEASE_SECONDS": "3"}


def test_late_starts_and_skipped_fires_are_told_when_all_workers_are_dead_and_the_recovery_when_one_is_back(
    processes: Processes, receiver: Receiver
) -> None:
    def told(name: str) -> list[str]:
        return [title for title in receiver.titles if title.startswith(f"Job {name}: ")]

    channel = a_channel(receiver.webhook)
    a_rule(channel, condition=Condition.LATE, seconds=3)
    job = a_job(name="nightly", overlap="allow")
    victim = processes.worker()
    processes.beats(2)
    first = jobs.run_now(job, by="tester")
    assert ended(first.pk)
    victim.kill()
    late = jobs.run_now(job, by="tester")
    often = a_job(name="often", expression="* * * * * ?")
    a_rule(channel, job=often, condition=Condition.LATE, seconds=3, enabled=False)
    a_rule(channel, job=often, condition=Condition.NOT_RUN)
    wait_for(lambda: told("nightly") and told("often"), what="the alerts")
    assert told("nightly")[0].startswith("Job nightly: run 2 waits ")
    assert told("often")[0].startswith("Job often: did not run at ")
    assert Execution.objects.get(pk=late.pk).started_at is None
    # Its queued run is what ends the incident.
    jobs.deactivate(often, by="tester")
    wait_for(nothing_waits, what="the rules have looked at all that was skipped")
    processes.worker()
    assert ended(late.pk)
    assert ended(jobs.run_now(job, by="tester").pk)
    wait_for(lambda: len(told("nightly")) > 1 and len(told("often")) > 1, what="the recoveries")
    assert told("nightly")[1:] + told("often")[1:] == ["Job nightly: well again", "Job often: well again"]
    assert Incident.objects.get(job=job).times == 1


def test_a_killed_worker_s_run_is_told_by_a_rule_and_by_the_job_s_url(processes: Processes, receiver: Receiver) -> None:
    job = a_job(name="nightly", arguments={"gate": a_gate("g")})
    a_rule(a_channel(receiver.webhook))
    Ping.objects.create(job=job, url=receiver.url, tell_failure=True)
    victim = processes.worker(**QUICK)
    processes.beats(2, **QUICK)
    running(jobs.run_now(job, by="tester").pk)
    victim.kill()
    wait_for(lambda: len(receiver.seen) >= 2, what="the alert and the ping")
    assert sorted(receiver.paths) == ["/hook", "/ping/5ecret/fail"]


def test_what_a_killed_beat_was_sending_is_sent_by_another(processes: Processes, receiver: Receiver) -> None:
    receiver.open.clear()
    delivery = deliveries.test(a_channel(receiver.webhook))
    victim = processes.beat()
    assert receiver.entered.wait(PATIENCE)
    victim.kill()
    assert Delivery.objects.get().state == Delivery.State.WAITING
    receiver.open.set()
    # The dead beat's hold ends now, not in two minutes.
    Delivery.objects.filter(pk=delivery.pk).update(due_at=delivery.created_at)
    processes.beat()
    wait_for(lambda: Delivery.objects.get().state == Delivery.State.SENT, what="the message is sent")
