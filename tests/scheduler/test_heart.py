"""The heart of a worker process: attempts of one run are told apart, and none dies of what another meets."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.db.backends.postgresql.base import DatabaseWrapper

from scheduler import clock, executions, jobs, runner
from scheduler.job_types import Outcome, RunCancelled, RunContext
from scheduler.models import Execution, Status
from scheduler.renewals import Renewals
from scheduler.run import INTERRUPT_AFTER, Run, Stop
from scheduler.started import Started
from tests.live.cable import Cable, cable
from tests.live.hosts import to_postgresql
from tests.scheduler.scripted import Scripted, Work, a_scripted_job, ran, until_interrupted, until_stopped
from tests.scheduler.threads import in_thread
from tests.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def two_attempts() -> tuple[Run, Run]:
    """The same run as this process started it twice: its first attempt lost its lease meanwhile."""
    execution = jobs.run_now(a_scripted_job(max_retries=1), by="tester")
    [first] = executions.start([execution.pk], worker="w")
    Execution.objects.filter(pk=execution.pk).update(lease_until=clock.now() - timedelta(seconds=1))
    assert executions.rescue() == 1
    [second] = executions.start([execution.pk], worker="w")
    return Run(first), Run(second)


def test_the_end_of_an_old_attempt_lets_go_of_itself_only(scripted: Scripted) -> None:
    first, second = two_attempts()
    runner.heart.hold(first)
    runner.heart.hold(second)
    runner.heart.drop(first)
    held = runner.heart.held
    runner.heart.drop(second)
    assert (held, runner.heart.held) == ([second], [])


@pytest.mark.parametrize("later_first", [False, True])
def test_an_old_attempt_is_told_that_it_is_lost_and_the_new_one_goes_on(scripted: Scripted, later_first: bool) -> None:
    first, second = two_attempts()
    before = second.last_renewed
    for run in (second, first) if later_first else (first, second):
        runner.heart.hold(run)
    wait_for(lambda: first.stop_reason is not None, what="the old attempt told to stop")
    wait_for(lambda: second.last_renewed > before, what="a renewal of the new attempt")
    wait_for(lambda: first not in runner.heart.held, what="the old attempt abandoned")
    held = runner.heart.held
    runner.heart.drop(second)
    assert (first.stop_reason, second.stop_reason, held) == (Stop.LOST, None, [second])


class Hanging:
    """A renewal that takes until it is told to go on, as where the database neither answers nor closes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began, self.go_on, self._renew = threading.Event(), threading.Event(), executions.renew
        monkeypatch.setattr(executions, "renew", self)

    def __call__(self, held: Any) -> list[executions.Renewal]:
        self.began.set()
        assert self.go_on.wait(PATIENCE)
        return self._renew(held)


@pytest.mark.parametrize(
    ("work", "job", "message"),
    [
        (until_stopped, {"timeout_seconds": 1}, "stopped at its time limit of 1 s"),
        (until_interrupted, {"timeout_seconds": 1}, "stopped at its time limit of 1 s"),
        (until_stopped, {"max_retries": 1}, "stopped because its worker could not renew its lease in time"),
        (until_interrupted, {"max_retries": 1}, "stopped because its worker could not renew its lease in time"),
    ],
)
def test_time_limits_and_the_ends_of_leases_wait_for_no_answer(
    scripted: Scripted, settings: Any, monkeypatch: pytest.MonkeyPatch, work: Work, job: dict[str, Any], message: str
) -> None:
    settings.SCHEDULER_LEASE_SECONDS = 3
    renewal = Hanging(monkeypatch)

    def work_meanwhile(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        pause = threading.Event()
        while not renewal.began.is_set():
            pause.wait(0.01)
        outcome: Outcome = work(arguments, context)
        return outcome

    scripted.work = work_meanwhile
    execution = jobs.run_now(a_scripted_job(**job), by="tester")
    try:
        # It comes back although nothing has been answered.
        assert in_thread(lambda: runner.run_all([execution.pk])).result(deadline=PATIENCE) == 1
    finally:
        renewal.go_on.set()
    execution.refresh_from_db()
    told = execution.messages or [attempt.message for attempt in execution.attempts.all()]
    assert (execution.status, told) == (Status.QUEUED if "max_retries" in job else Status.FAILED, [message])


def test_a_run_that_no_other_worker_may_begin_goes_on_without_an_answer(
    scripted: Scripted, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SCHEDULER_LEASE_SECONDS = 3
    lapsed = threading.Event()

    def work(arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        assert isinstance(context, Run)
        wait_for(lambda: clock.elapsed() - context.last_renewed > 3, what="the end of the lease")
        lapsed.set()
        context.check()
        return Outcome(Status.SUCCEEDED)

    scripted.work = work
    renewal = Hanging(monkeypatch)
    try:
        assert ran(a_scripted_job()).status == Status.SUCCEEDED
    finally:
        renewal.go_on.set()
    assert lapsed.is_set()


@pytest.mark.parametrize(("max_retries", "goes_on"), [(0, True), (1, False)])
def test_who_wakes_after_its_lease_knows_at_the_next_step(scripted: Scripted, max_retries: int, goes_on: bool) -> None:
    execution = jobs.run_now(a_scripted_job(max_retries=max_retries), by="tester")
    [started] = executions.start([execution.pk], worker="w")
    run = Run(started, since=clock.elapsed() - 60)
    with nullcontext() if goes_on else pytest.raises(RunCancelled):
        run.check()
    assert run.stop_reason is (None if goes_on else Stop.LAPSED)


def test_a_worker_that_stood_still_asks_before_it_takes_its_lease_for_lost(scripted: Scripted, settings: Any) -> None:
    settings.SCHEDULER_LEASE_SECONDS = 120
    execution = jobs.run_now(a_scripted_job(max_retries=1), by="tester")
    [started] = executions.start([execution.pk], worker="w")
    run = Run(started, since=clock.elapsed() - 0.7 * 120)
    before = run.last_renewed
    runner.heart.hold(run)
    wait_for(lambda: run.last_renewed > before or run.stop_reason, what="an answer")
    runner.heart.drop(run)
    assert run.stop_reason is None


class TimePassing:
    """How time passes in this process, as it says itself: some may pass at once, as where it was frozen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._passed, self._elapsed = 0.0, clock.elapsed
        monkeypatch.setattr(clock, "elapsed", lambda: self._elapsed() + self._passed)

    def skip(self, seconds: float) -> None:
        self._passed += seconds


class Watched(Run):
    """A run that says when the heart looks whether its lease is over."""

    def __init__(self, started: Started) -> None:
        super().__init__(started)
        self.looks = 0

    def lapsed(self, part: float = INTERRUPT_AFTER) -> bool:
        self.looks += 1
        return super().lapsed(part)


@pytest.mark.parametrize("answered", [True, False])
def test_a_worker_that_stood_still_while_it_asked_gives_the_answer_its_time(
    scripted: Scripted, settings: Any, monkeypatch: pytest.MonkeyPatch, answered: bool
) -> None:
    settings.SCHEDULER_LEASE_SECONDS = 3600
    time, renewal = TimePassing(monkeypatch), Hanging(monkeypatch)
    execution = jobs.run_now(a_scripted_job(max_retries=1), by="tester")
    [started] = executions.start([execution.pk], worker="w")
    run = Watched(started)
    before = run.last_renewed

    def skip(seconds: float) -> None:
        time.skip(seconds)
        until = run.looks + 2
        wait_for(lambda: run.looks >= until or run.stop_reason, what="a look of the heart")

    runner.heart.hold(run)
    try:
        assert renewal.began.wait(PATIENCE)
        # More than two thirds of its lease at once: it would be told to stop, had nobody answered.
        skip(0.7 * 3600)
        assert run.stop_reason is None
        if not answered:
            # Its time is a twelfth of the lease.
            skip(0.05 * 3600)
            skip(0.05 * 3600)
            assert run.stop_reason is Stop.LAPSED
        renewal.go_on.set()
        wait_for(lambda: run.last_renewed > before or run.stop_reason, what="a renewal")
        assert run.stop_reason is (None if answered else Stop.LAPSED)
    finally:
        renewal.go_on.set()
        runner.heart.drop(run)


def test_a_renewal_that_failed_says_nothing_about_the_runs_after_a_rest(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    [started] = executions.start([jobs.run_now(a_scripted_job(), by="tester").pk], worker="w")
    renewals = Renewals(lambda runs, since, renewed: None)

    def refused(held: Any) -> list[executions.Renewal]:
        raise OperationalError("the database is away")

    monkeypatch.setattr(executions, "renew", refused)
    renewals.ask([[Run(started)]])
    wait_for(renewals.failed, what="a renewal that failed")
    before = renewals.in_vain
    renewals.rest()
    assert (before, renewals.in_vain) == (True, False)
    wait_for(lambda: renewals.idle, what="its connection closed")


class Through:
    """Renewals of a run over a cable."""

    def __init__(self, line: Cable, run: Run) -> None:
        self._line, self._run, self._told = line, run, threading.Semaphore(0)
        self._renewals = Renewals(lambda runs, since, renewed: self._told.release())

    def ask(self, *, what: str) -> None:
        """Have another renewal begun."""
        wait_for(lambda: self._renewals.ask([[self._run]]), what=what)

    def renew(self, *, what: str) -> None:
        """Have the run renewed."""
        wait_for(lambda: self._renewals.ask([[self._run]]) and self._told.acquire(timeout=3), what=what)

    def be_cut_off(self) -> None:
        """See the renewal under way cut off, and the next go out on another line."""

        def cut_off() -> bool:
            self._renewals.hurry()
            return self._renewals.failed()

        wait_for(cut_off, what="the renewal cut off")
        self._line.plug_in()
        self.renew(what="a renewal on another line")

    def end(self) -> None:
        wait_for(lambda: self._renewals.ask([]), what="the last renewal over")
        self._renewals.rest()
        wait_for(lambda: self._renewals.idle, what="its connection closed")


@contextmanager
def renewals_through_a_cable(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Cable, Through]]:
    settings.SCHEDULER_LEASE_SECONDS = 3
    [started] = executions.start([jobs.run_now(a_scripted_job(), by="tester").pk], worker="w")
    stated = connections.settings["default"]
    with cable(partial(to_postgresql, stated)) as line:
        options = {name: value for name, value in stated["OPTIONS"].items() if name != "host"}
        through = {**stated, "HOST": "127.0.0.1", "PORT": line.port, "OPTIONS": options}
        monkeypatch.setitem(connections.settings, "default", through)
        renewals = Through(line, Run(started))
        yield line, renewals
        renewals.end()


def test_a_line_that_answers_nothing_is_cut_and_the_next_renewal_goes_out_on_another(
    scripted: Scripted, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with renewals_through_a_cable(settings, monkeypatch) as (line, renewals):
        renewals.renew(what="a renewal")
        line.unplug()
        renewals.ask(what="the first renewal over")
        renewals.be_cut_off()


def test_a_line_is_cut_too_that_falls_silent_before_its_connection_is_set_up(
    scripted: Scripted, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up, silent = DatabaseWrapper.init_connection_state, threading.Event()
    with renewals_through_a_cable(settings, monkeypatch) as (line, renewals):

        def fall_silent(wrapper: DatabaseWrapper) -> None:
            if wrapper.settings_dict["PORT"] == line.port and not silent.is_set():
                line.unplug()
                silent.set()
            set_up(wrapper)

        monkeypatch.setattr(DatabaseWrapper, "init_connection_state", fall_silent)
        renewals.ask(what="a renewal")
        assert silent.wait(PATIENCE)
        renewals.be_cut_off()
