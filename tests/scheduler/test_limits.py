"""Concurrency limits: how many runs of one key are under way at once."""

import threading
from collections.abc import Sequence
from functools import partial

import pytest
from django.db import connection, transaction
from redis import Redis

from scheduler import claims, executions, jobs, limits, messages
from scheduler.job_types import Outcome
from scheduler.messages import decode_ids as decoded
from scheduler.models import Execution, Status
from tests.scheduler.factories import a_job, due
from tests.scheduler.threads import together
from tests.waiting import PATIENCE

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

    def record(hints: Sequence[messages.Hint], *, front: bool = False) -> bool:
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


def in_line() -> list[int]:
    return list(Execution.objects.filter(in_line=True).order_by("priority", "pk").values_list("pk", flat=True))


def test_who_is_not_let_in_stands_in_line_by_priority_and_age_and_is_not_published_again() -> None:
    limits.set_limit("slow", 1)
    ids = queued(3, key="slow")
    due(a_job(concurrency_key="slow", priority=0))
    [urgent] = [hint.execution_id for hint in claims.claim(limit=1).hints]
    executions.start([*ids, urgent], worker="w")
    assert (in_line(), set(Execution.objects.filter(in_line=True).values_list("publish_at", flat=True))) == (
        [urgent, *ids[1:]],
        {None},
    )
    with connection.cursor() as cursor:
        assert [hint.execution_id for hint in limits.next_in_line(cursor, ["slow", "", "slow"])] == [urgent, ids[1]]
    assert in_line() == ids[2:]


@pytest.mark.django_db(transaction=True)
def test_ends_at_the_same_moment_call_each_another_run() -> None:
    limits.set_limit("slow", 4)
    ids = queued(20, key="slow")
    runs = executions.start(ids, worker="w")
    called: list[list[int]] = []
    meet = threading.Barrier(4)

    def end(run: executions.Started) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            called.append([hint.execution_id for hint in limits.next_in_line(cursor, [run.concurrency_key])])
            # None of the four transactions is over before the last has called.
            meet.wait(PATIENCE)

    results = together(*[partial(end, run) for run in runs])
    assert (results, sorted(called)) == ([None] * 4, [[pk] for pk in ids[4:8]])
    assert in_line() == ids[8:]


@pytest.mark.django_db(transaction=True)
def test_all_who_wait_run_though_ends_come_together(broker: Redis) -> None:
    limits.set_limit("slow", 3)
    ids = queued(30, key="slow")
    runs, done = executions.start(ids, worker="w"), 0
    while runs:
        together(*[partial(executions.finish, run, DONE) for run in runs])
        done += len(runs)
        hinted = [pk for message in broker.lrange(messages.key_of("services", 5), 0, -1) for pk in decoded(message)]
        broker.flushdb()
        runs = executions.start(sorted(hinted), worker="w")
        assert len(runs) == min(3, len(ids) - done)
    assert set(Execution.objects.values_list("status", flat=True)) == {Status.SUCCEEDED}


def test_the_look_for_room_goes_from_key_to_key() -> None:
    for key in ("a", "b", "c"):
        limits.set_limit(key, 1)
        executions.start(queued(3, key=key), worker="w")
    limits.set_limit("b", 2)
    limits.set_limit("c", None)
    assert [hint.execution_id for hint in limits.call_where_there_is_room()] == sorted(
        Execution.objects.filter(job__concurrency_key__in=("b", "c"), status=Status.QUEUED)
        .exclude(in_line=True)
        .values_list("pk", flat=True)
    )
    assert Execution.objects.filter(in_line=True).count() == 3
