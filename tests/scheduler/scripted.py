"""A kind of job that does what a test says, run in the test's own process."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from scheduler import ender, heart, job_types, jobs, runner
from scheduler.heart import Heart
from scheduler.job_types import Link, Outcome, RunContext
from scheduler.models import Execution, Job, Status
from scheduler.schedule import Schedule
from tests.scheduler.factories import YEARLY, a_definition
from tests.waiting import wait_for

Work = Callable[[Mapping[str, Any], RunContext], Any]


class Scripted:
    """A kind of job that does what the test says."""

    kind = "scripted"
    title = "Scripted"
    queue = "services"
    unique_names = False

    def __init__(self) -> None:
        self.work: Work = lambda arguments, context: Outcome(Status.SUCCEEDED)
        self.then: Callable[[Execution], None] = lambda execution: None

    def check(self, arguments: Mapping[str, Any]) -> None:
        pass

    def check_schedule(self, schedule: Schedule) -> None:
        pass

    def check_together(self, arguments: Mapping[str, Any], schedule: Schedule) -> None:
        """Take any schedule with any arguments."""

    def stored(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return dict(arguments)

    def run(self, arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        outcome: Outcome = self.work(arguments, context)
        return outcome

    def masked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return dict(arguments)

    def links(self, execution: Execution) -> Sequence[Link]:
        """Return nothing: the run's own page has it all."""
        return ()

    def forget(self, execution_ids: Sequence[int]) -> None:
        pass

    def ended(self, execution: Execution) -> None:
        self.then(execution)


@pytest.fixture
def scripted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """The scripted kind of job, in a process with a quick heart of its own."""
    settings.SCHEDULER_LEASE_SECONDS = 12
    monkeypatch.setattr(heart, "RENEW_EVERY_SECONDS", 0.5)
    monkeypatch.setattr(heart, "ABANDON_AFTER_SECONDS", 0.3)
    monkeypatch.setattr(ender, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(runner, "heart", Heart(runner._abandon))
    kind = Scripted()
    job_types.register(kind)
    yield kind
    wait_for(lambda: not runner.heart.held, what="no run is held any more")
    job_types.unregister("scripted")


def a_scripted_job(**changes: Any) -> Job:
    return jobs.create("scripted", a_definition(**{"expression": YEARLY, **changes}), by="tester")


def ran(job: Job, **arguments: Any) -> Execution:
    """Run ``job`` once in this thread and return what became of it."""
    execution = jobs.run_now(job, by="tester", arguments=arguments or None)
    assert runner.run_all([execution.pk]) == 1
    execution.refresh_from_db()
    return execution


def until_stopped(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
    """Polite work: asks now and then whether it is to stop."""
    pause = threading.Event()
    while True:
        context.check()
        pause.wait(0.01)


def until_interrupted(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
    """Deaf work: never asks, but runs Python."""
    pause = threading.Event()
    while True:
        pause.wait(0.01)


def terminate(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def terminate_all_others() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
