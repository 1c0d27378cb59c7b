"""Concurrency limits: how many runs of one key are under way at once."""

import threading
from collections.abc import Sequence

import pytest
from django.db import connection

from scheduler import claims, executions, jobs, limits, messages
from scheduler.job_types import Outcome
from scheduler.models import Execution, Status
from tests.scheduler.factories import a_job, due

pytestmark = pytest.mark.django_db

DONE = Outcome(Status.SUCCEEDED)


def queued(count: int, *, key: str) -> list[int]:
    """Executions of as many jobs with the concurrency key ``key``, queued by a claim."""
    for _ in range(count):
        due(a_job(concurrency_key=key))
    return [hint.execution_id for hint in claims.claim(limit=count).hints]


def test_no_more_runs_of_a_key_start_than_its_limit_allows() -> None:
    limits.set_limit("slow", 2)
    ids = queued(5, key="slow")
    started = executions.start(ids, worker="w")
    assert [run.execution_id for run in started] == ids[:2]
    assert executions.start(ids, worker="w") == []


def test_other_keys_start_beside_a_full_one() -> None:
    limits.set_limit("slow", 1)
    slow, other = queued(2, key="slow"), queued(2, key="fast")
    started = executions.start([*slow, *other], worker="w")
    assert sorted(run.execution_id for run in started) == [slow[0], *other]


def test_the_setting_limits_keys_without_a_limit_of_their_own(settings: pytest.FixtureRequest) -> None:
    settings.SCHEDULER_CONCURRENCY_LIMIT = 1  # type: ignore[attr-defined]
    ids = queued(2, key="any")
    assert [run.execution_id for run in executions.start(ids, worker="w")] == ids[:1]


def test_a_run_now_is_under_the_limit_too() -> None:
    limits.set_limit("slow", 1)
    first = jobs.run_now(a_job(concurrency_key="slow"), by="tester")
    second = jobs.run_now(a_job(concurrency_key="slow"), by="tester")
    started = executions.start([first.pk, second.pk], worker="w")
    assert [run.execution_id for run in started] == [first.pk]


def test_the_end_of_a_run_publishes_the_next_of_its_key(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: object
) -> None:
    limits.set_limit("slow", 1)
    ids = queued(3, key="slow")
    (run,) = executions.start(ids, worker="w")
    published: list[int] = []

    def record(hints: Sequence[messages.Hint]) -> bool:
        published.extend(hint.execution_id for hint in hints)
        return True

    monkeypatch.setattr(messages, "publish", record)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        executions.finish(run, DONE)
    assert published == [ids[1]]
    assert [again.execution_id for again in executions.start(published, worker="w")] == [ids[1]]


@pytest.mark.django_db(transaction=True)
def test_workers_that_start_at_the_same_moment_stay_within_the_limit() -> None:
    limits.set_limit("slow", 3)
    ids = queued(12, key="slow")
    together = threading.Barrier(6)

    def start() -> None:
        together.wait()
        executions.start(ids, worker=threading.current_thread().name)
        connection.close()

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Execution.objects.filter(status=Status.RUNNING).count() == 3


def test_without_a_limit_nothing_is_counted() -> None:
    ids = queued(4, key="free")
    assert len(executions.start(ids, worker="w")) == 4
    assert set(Execution.objects.values_list("concurrency_key", flat=True)) == {""}


def test_a_limit_taken_away_lets_all_go() -> None:
    limits.set_limit("slow", 1)
    ids = queued(3, key="slow")
    limits.set_limit("slow", None)
    assert len(executions.start(ids, worker="w")) == 3
