"""Whatever happens to the runs of a job, in whatever order: its counters agree with its rows, and its policy holds."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.postgres.functions import TransactionNow
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler import claims, executions, jobs, retention
from scheduler.job_types import Outcome
from scheduler.models import Execution, Job, JobState, Status
from scheduler.sweep import Sweep
from tests.scheduler.factories import MINUTELY, a_job, counted, counters, due, lapse, make_ready

pytestmark = pytest.mark.django_db

OUTCOMES = (
    Outcome(Status.SUCCEEDED),
    Outcome(Status.WARNED),
    Outcome(Status.FAILED),
    Outcome(Status.FAILED, retryable=True),
    Outcome(Status.CANCELLED),
)
POLICIES = ("skip", "allow", "queue", "replace")
STRATEGIES = ("OFF", "MINIMAL", "ERROR", "FULL")


class Story:
    """A job and what happens to it, one step after another."""

    def __init__(self, overlap: str, strategy: str) -> None:
        self.job = a_job(expression=MINUTELY, overlap=overlap, history_strategy=strategy, max_retries=1)
        self.started: list[executions.Started] = []
        self.fires = 0

    def pick(self, number: int, *, open_only: bool = True) -> Execution | None:
        rows = Execution.objects.of(self.job).order_by("pk")
        rows = rows.open() if open_only else rows
        found = list(rows)
        return found[number % len(found)] if found else None

    def fire(self, number: int) -> None:
        self.fires += 1
        # Another instant each time, all of them within the grace.
        due(self.job, seconds_ago=50 - self.fires)
        claims.claim(limit=1)

    def ask(self, number: int) -> None:
        jobs.run_now(self.job, by="tester")

    def start(self, number: int) -> None:
        execution = self.pick(number)
        if execution is not None:
            self.started += executions.start([execution.pk], worker="w")

    def end(self, number: int) -> None:
        if self.started:
            executions.finish(self.started[number % len(self.started)], OUTCOMES[number % len(OUTCOMES)])

    def cancel(self, number: int) -> None:
        execution = self.pick(number, open_only=False)
        if execution is not None:
            executions.cancel(execution, by="tester")

    def hand_on(self, number: int) -> None:
        if self.started:
            executions.hand_on([], [self.started[number % len(self.started)]])

    def lose(self, number: int) -> None:
        execution = self.pick(number)
        if execution is not None:
            lapse(execution.pk)
            executions.rescue()

    def make_ready(self, number: int) -> None:
        for execution in Execution.objects.of(self.job).filter(attempt__gt=0):
            make_ready(execution.pk)

    def purge(self, number: int) -> None:
        Execution.objects.of(self.job).filter(expires_at__isnull=False, pk__lte=10**9).update(
            expires_at=TransactionNow() + timedelta(days=1)
        )
        execution = self.pick(number, open_only=False)
        if execution is not None and execution.expires_at is not None:
            Execution.objects.filter(pk=execution.pk).update(expires_at=TransactionNow() - timedelta(days=1))
        retention.purge()

    def change_policy(self, number: int) -> None:
        jobs.update(self.job, {"overlap": POLICIES[number % 4]}, by="tester")

    def change_strategy(self, number: int) -> None:
        jobs.update(self.job, {"history_strategy": STRATEGIES[number % 4]}, by="tester")

    def pause_and_resume(self, number: int) -> None:
        jobs.update(self.job, {"active": bool(number % 2)}, by="tester")

    def sweep(self, number: int) -> None:
        Sweep()()


STEPS = (
    *(Story.fire,) * 2,
    *(Story.ask,) * 3,
    *(Story.start,) * 4,
    *(Story.end,) * 4,
    Story.cancel,
    *(Story.hand_on,) * 2,
    Story.lose,
    *(Story.make_ready,) * 2,
    Story.purge,
    Story.change_policy,
    Story.change_strategy,
    Story.pause_and_resume,
)


def check(job: Job) -> None:
    assert counters(job) == counted(job)
    state = JobState.objects.get(job=job)
    numbers = Execution.objects.of(job).runs().values_list("number", flat=True)
    assert state.last_number >= max((number or 0 for number in numbers), default=0)
    # Nobody waits behind a run that is over: a held run has another open run before it.
    held = Execution.objects.of(job).filter(status=Status.QUEUED, ready_at__isnull=True).count()
    ready = Execution.objects.of(job).open().filter(ready_at__isnull=False).count()
    assert not held or ready


@settings(max_examples=60)
@given(
    overlap=st.sampled_from(POLICIES),
    strategy=st.sampled_from(STRATEGIES),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 20)), min_size=5, max_size=40),
)
def test_counters_agree_with_the_rows_after_any_mix(overlap: str, strategy: str, steps: list[tuple[Any, int]]) -> None:
    story = Story(overlap, strategy)
    for step, number in steps:
        step(story, number)
        check(story.job)
    jobs.delete(story.job, by="tester")
    retention.clean()
    assert not Execution.objects.exists()


@settings(max_examples=25)
@given(
    overlap=st.sampled_from(("skip", "queue", "replace")),
    steps=st.lists(
        st.tuples(
            st.sampled_from(
                (
                    Story.fire,
                    Story.ask,
                    Story.start,
                    Story.end,
                    Story.cancel,
                    Story.hand_on,
                    Story.lose,
                    Story.make_ready,
                )
            ),
            st.integers(0, 20),
        ),
        min_size=5,
        max_size=40,
    ),
)
def test_no_two_runs_run_at_once_unless_the_policy_allows_it(overlap: str, steps: list[tuple[Any, int]]) -> None:
    story = Story(overlap, "MINIMAL")
    for step, number in steps:
        step(story, number)
        assert Execution.objects.of(story.job).filter(status=Status.RUNNING).count() <= 1
        assert Execution.objects.of(story.job).open().count() <= (1 if overlap == "skip" else 2)
    jobs.delete(story.job, by="tester")
