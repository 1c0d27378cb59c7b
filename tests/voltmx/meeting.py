"""Transactions that meet at one job's lock, in real threads on connections of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from scheduler.models import JobState
from tests.scheduler.threads import in_thread
from tests.waiting import PATIENCE, wait_for


def waiting() -> int:
    """How many statements in this database wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND backend_type = 'client backend'"
        )
        return int(cursor.fetchone()[0])


def at_once(*calls: Callable[[], Any], held: Callable[[], Any] = lambda: None) -> list[Any]:
    """Results of calls that all wait for the only job's lock before one of them gets it; ``held`` is done under it."""
    locked, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            JobState.objects.select_for_update().get()
            locked.set()
            assert let_go.wait(2 * PATIENCE)
            held()

    holder = in_thread(hold)
    assert locked.wait(PATIENCE)
    threads = [in_thread(call) for call in calls]
    try:
        # Asked outside of a transaction: within one PostgreSQL tells the same all the time.
        wait_for(lambda: waiting() == len(calls), what="calls waiting for the lock")
    finally:
        let_go.set()
    holder.result()
    return [thread.result() for thread in threads]
