"""Workloads for the clock: which of the filled jobs are due when, and what became of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from benchmarks import fill
from benchmarks.rig import Process
from scheduler import messages

# Priority of the filled jobs; with the queue it names the Redis list of their messages.
PRIORITY = 5
QUEUE = "services"


@dataclass(frozen=True)
class Fire:
    """A due instant and its run, in seconds since 1970; None: not yet."""

    execution_id: int
    due: float
    claimed: float
    started: float | None
    ended: float | None


def execute(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run a statement in a transaction of its own; return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def quiet(jobs: int) -> None:
    """Forget all runs and messages, and let none of the first ``jobs`` jobs be due for a day."""
    fill.restore(jobs)
    messages.client().flushdb()


def schedule(first: int, last: int, expression: str, *, starting: int) -> None:
    """Give jobs ``first`` to ``last`` an expression, next due at the second ``starting`` since 1970."""
    execute("UPDATE scheduler_job SET expression = %s WHERE id BETWEEN %s AND %s", [expression, first, last])
    execute(
        "UPDATE scheduler_jobstate SET next_fire_at = to_timestamp(%s) WHERE job_id BETWEEN %s AND %s",
        [starting, first, last],
    )


def due_at(second: int, jobs: int) -> None:
    """Make the first ``jobs`` jobs due at a second since 1970, whatever their schedules say."""
    execute("UPDATE scheduler_jobstate SET next_fire_at = to_timestamp(%s) WHERE job_id <= %s", [second, jobs])


def spread(second: int, jobs: int, rate: int) -> None:
    """Make the first ``jobs`` jobs due one after the other, ``rate`` of them a second, from a second since 1970."""
    execute(
        "UPDATE scheduler_jobstate SET next_fire_at = to_timestamp(%s + (job_id - 1)::float8 / %s) WHERE job_id <= %s",
        [second, rate, jobs],
    )


def fires() -> list[Fire]:
    """Return all fires, in the order of their rows."""
    rows = execute(
        "SELECT id, extract(epoch FROM scheduled_for)::float8, extract(epoch FROM created_at)::float8,"
        " extract(epoch FROM started_at)::float8, extract(epoch FROM ended_at)::float8"
        " FROM scheduler_execution WHERE status <> 5 ORDER BY id"
    )
    return [Fire(*row) for row in rows]


def count(condition: str = "true") -> int:
    """Return how many executions meet a condition."""
    return int(execute(f"SELECT count(*) FROM scheduler_execution WHERE {condition}")[0][0])


def wait_until(reached: Callable[[], bool], *, processes: Sequence[Process], seconds: float, what: str) -> None:
    """Wait until ``reached``, looking ten times a second. Raises RuntimeError after ``seconds``."""
    end = time.monotonic() + seconds
    while not reached():
        for process in processes:
            process.check()
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(0.1)


def next_second(after: float) -> int:
    """Return the first whole second at least ``after`` seconds from now, by the database's clock."""
    return int(execute("SELECT ceil(extract(epoch FROM clock_timestamp()) + %s)::bigint", [after])[0][0])
