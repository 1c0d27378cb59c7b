"""A transaction that PostgreSQL ended, idle as that of a frozen worker is: what it was for is done again."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from scheduler import endings, executions, jobs, limits, runner
from scheduler.models import Execution, Status
from tests.scheduler.factories import counted, counters
from tests.scheduler.scripted import Scripted, a_scripted_job
from tests.scheduler.threads import in_thread
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def frozen_once(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[int]:
    """Have the function, called in a transaction, stand still the first time until PostgreSQL has ended that one."""
    do: Callable[..., Any] = getattr(module, name)
    lost: list[int] = []

    def gone(pid: int) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid])
            return cursor.fetchone() is None

    def frozen(*arguments: Any, **keywords: Any) -> Any:
        if not lost:
            assert connection.in_atomic_block
            assert connection.connection is not None
            pid = connection.connection.info.backend_pid
            lost.append(pid)
            with connection.cursor() as cursor:
                cursor.execute("SET idle_in_transaction_session_timeout = '1ms'")
            in_thread(lambda: wait_for(lambda: gone(pid), deadline=60, what="the end of the transaction")).result(
                deadline=70
            )
        return do(*arguments, **keywords)

    monkeypatch.setattr(module, name, frozen)
    return lost


def test_what_was_started_before_the_transaction_of_a_limit_was_lost_is_run_and_the_rest_is_queued(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits.set_limit("scripted", 5)
    ids = [jobs.run_now(a_scripted_job(concurrency_key=key), by="tester").pk for key in ("", "scripted")]
    lost = frozen_once(monkeypatch, limits, "admit")
    assert (in_thread(lambda: len(runner.start(ids))).result(deadline=80), len(lost)) == (1, 1)
    [run] = runner.heart.held
    runner.heart.drop(run)
    assert list(Execution.objects.order_by("pk").values_list("status", flat=True)) == [Status.RUNNING, Status.QUEUED]


def test_the_end_of_a_run_is_what_it_was_where_its_transaction_was_lost(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = a_scripted_job()
    execution = jobs.run_now(job, by="tester")
    lost = frozen_once(monkeypatch, endings, "_end_all")
    assert (in_thread(lambda: runner.run_all([execution.pk])).result(deadline=80), len(lost)) == (1, 1)
    execution.refresh_from_db()
    assert (execution.status, execution.attempt, execution.messages) == (Status.SUCCEEDED, 1, [])
    assert counters(job) == counted(job) == (0, 1, 1, 0, 0)


def test_runs_are_handed_on_again_where_the_transaction_was_lost(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = jobs.run_now(a_scripted_job(), by="tester")
    [run] = runner.start([execution.pk])
    lost = frozen_once(monkeypatch, executions, "_put_back")
    in_thread(lambda: runner.hand_on([], [run])).result(deadline=80)
    assert (len(lost), runner.heart.held) == (1, [])
    execution.refresh_from_db()
    assert (execution.status, execution.attempt) == (Status.QUEUED, 0)
