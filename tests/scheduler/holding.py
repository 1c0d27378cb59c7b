"""Rows that another transaction holds while a test goes on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from scheduler.models import Job
from tests.scheduler.threads import in_thread
from tests.waiting import PATIENCE


@contextmanager
def holding(job: Job) -> Iterator[None]:
    """Hold the lock of the job's state row in another transaction while the block runs."""
    with holding_row("scheduler_jobstate", "job_id", job.pk):
        yield


@contextmanager
def holding_run(execution_id: int) -> Iterator[None]:
    """Hold the lock of an execution in another transaction while the block runs."""
    with holding_row("scheduler_execution", "id", execution_id):
        yield


@contextmanager
def holding_row(table: str, column: str, key: int) -> Iterator[None]:
    """Hold the lock of a row in another transaction while the block runs."""
    with _another_transaction(
        f"SELECT 1 FROM {table} WHERE {column} = %s FOR UPDATE",  # noqa: S608 - our names
        [key],
    ):
        yield


@contextmanager
def a_snapshot() -> Iterator[None]:
    """Let another transaction go on seeing everything as it is now, as a dump does, while the block runs."""
    with _another_transaction("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1", None):
        yield


@contextmanager
def _another_transaction(sql: str, parameters: list[int] | None) -> Iterator[None]:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            held.set()
            # Longer than what is waited for meanwhile, which must not be seen for the wrong reason.
            assert done.wait(2 * PATIENCE)

    thread = in_thread(hold)
    assert held.wait(PATIENCE)
    try:
        yield
    finally:
        done.set()
        thread.result()


def waiting_for_a_lock() -> bool:
    """Whether a statement in this database waits for a lock."""
    with connection.cursor() as cursor:
        # Asked inside a transaction, PostgreSQL would answer what it answered first.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND backend_type = 'client backend'"
        )
        return bool(cursor.fetchone()[0])
