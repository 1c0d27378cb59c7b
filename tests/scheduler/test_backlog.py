"""Fifty thousand queued runs: nothing that beats, workers, lists or "why" ask of the rows reads them all."""

from collections.abc import Callable

import pytest
from django.db import connection
from redis import Redis

from scheduler import claims, executions, jobs, limits, recovery, retention
from scheduler.job_types import Outcome
from scheduler.models import Execution, Status
from scheduler.sweep import Sweep
from scheduler.why import Answer, why
from tests.backlog import queue_up, take_statistics_of_empty_tables
from tests.scheduler.factories import a_job, due, lapse, started

pytestmark = pytest.mark.django_db

MANY = 50_000
# What a sweep looks at in one go, a few times over: for the look, the lock and the update.
MOST_READ = 10_000


def read() -> int:
    """How many rows of executions this transaction has read so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'scheduler_execution'"
        )
        return int(cursor.fetchone()[0])


def test_nothing_on_the_path_of_beats_workers_and_why_reads_a_whole_backlog(broker: Redis) -> None:
    take_statistics_of_empty_tables()
    limits.set_limit("slow", 2)
    held = [started(a_job(concurrency_key="slow")) for _ in range(2)]
    lost = started(a_job())
    bulk, slow = a_job(overlap="allow"), a_job(overlap="allow", concurrency_key="slow")
    single = started(a_job(overlap="queue"))
    busy = started(bulk)
    waiting = queue_up(bulk, MANY // 2)
    in_line = queue_up(slow, MANY // 2, in_line=True)
    sweep = Sweep()
    # Known to be complete; what is due was published and taken by a worker that died.
    broker.set(recovery.SERVER_KEY, broker.info("server")["run_id"])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scheduler_execution SET publish_at = now() WHERE job_id = %s", [bulk.pk])
        cursor.execute("ANALYZE scheduler_execution")
    due(a_job())
    lapse(lost.execution_id)
    oldest = Execution.objects.get(pk=waiting[0])
    steps: dict[str, Callable[[], object]] = {
        "claim": lambda: len(claims.claim(limit=500).hints),
        "sweep": sweep,
        "start": lambda: len(executions.start(waiting[100:120], worker="w")),
        "start above the limit": lambda: executions.start(in_line[:20], worker="w"),
        "heartbeat": lambda: len(executions.renew([(run.execution_id, run.token, None, None) for run in held])),
        "end": lambda: executions.finish(single, Outcome(Status.SUCCEEDED)),
        "end of one of many": lambda: executions.finish(busy, Outcome(Status.SUCCEEDED)),
        "end of a limited run": lambda: executions.finish(held[0], Outcome(Status.SUCCEEDED)),
        "room": lambda: len(limits.call_where_there_is_room()),
        "rescue": executions.rescue,
        "clean": retention.clean,
        "run now": lambda: jobs.run_now(bulk, by="tester").status,
        "cancel": lambda: executions.cancel(oldest, by="tester"),
        "why": lambda: why(bulk, Execution.objects.get(pk=waiting[-1]).scheduled_for).answer,
        "edit": lambda: jobs.update(bulk, {"name": "another"}, by="tester").name,
        "delete": lambda: jobs.delete(slow, by="tester"),
    }
    outcomes, most = {}, {}
    for name, step in steps.items():
        before = read()
        outcomes[name] = step()
        most[name] = read() - before
    assert outcomes == {
        "claim": 1,
        "sweep": 2000,
        "start": 20,
        "start above the limit": [],
        "heartbeat": 2,
        "end": True,
        "end of one of many": True,
        "end of a limited run": True,
        "room": 1,
        "rescue": 1,
        "clean": None,
        "run now": Status.QUEUED,
        "cancel": True,
        "why": Answer.QUEUED,
        "edit": "another",
        "delete": None,
    }
    assert {name: rows for name, rows in most.items() if rows > (MOST_READ if name == "sweep" else 500)} == {}
