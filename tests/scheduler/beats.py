"""Beats and claimers on the connection of the test."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from django.db import connection
from django.db.backends.postgresql.base import Cursor

from jobsite.celery import app
from scheduler import reach
from scheduler.beat import JobScheduler
from scheduler.claimer import Claimer
from tests.waiting import PATIENCE


@contextmanager
def a_beat() -> Iterator[JobScheduler]:
    """A beat without helpers, on this thread's connection and a listener's. A busy machine makes no look a slow one."""
    beat = JobScheduler(app, lazy=True)
    with patch.object(reach, "SLOW_SECONDS", PATIENCE):
        try:
            yield beat
        finally:
            beat.close()


@contextmanager
def prepared() -> Iterator[Claimer]:
    """A claimer that has set this thread's connection up, which is as it was afterwards."""
    claimer = Claimer(batch=500)
    claimer.prepare()
    try:
        yield claimer
    finally:
        connection.connection.cursor_factory = Cursor
        connection.connection.prepare_threshold = None
        methods = ("enable_bitmapscan", "enable_seqscan", "enable_hashjoin", "enable_mergejoin")
        with connection.cursor() as cursor:
            for setting in ("lock_timeout", "plan_cache_mode", *methods):
                cursor.execute(f"RESET {setting}")
