"""Database connections of long-lived processes: what keeps one of them that freezes from holding up the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from django.db import InterfaceError, InternalError, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.backends.signals import connection_created

# A process that stops inside a transaction (frozen, cut off) loses it after this, and its rows are free again.
# Beats and workers are never idle in one for long; a web server's request may be, and a command that asks back.
IDLE_IN_TRANSACTION = "5s"
IDLE_IN_TRANSACTION_ELSEWHERE = "60s"
# Well before PostgreSQL calls it a deadlock (1 s) and ends either.
LOCK_TIMEOUT = "300ms"
# A statement that a connection has sent this often in blocks of ``prepared`` is prepared.
PREPARE_AFTER = 3
# What a statement raises that is at no fault itself: the connection is gone, or the transaction, which PostgreSQL ends
# where it was idle for too long, as the one of a process that was frozen (25P03; afterwards 25P02).
LOST = (OperationalError, InterfaceError, InternalError)


_idle = {"longest": IDLE_IN_TRANSACTION_ELSEWHERE}


def lose_idle_transactions() -> None:
    """Let every connection that this process opens from now on, in any thread, soon lose a transaction it sits idle in.

    For beats and workers; see ``limit_all`` for every other process.
    """
    _idle["longest"] = IDLE_IN_TRANSACTION


def limit_all() -> None:
    """Let each connection of this process, whatever it is, lose a transaction it sits idle in; called at its start.

    Ends of runs wait for the rows of their jobs: a web server or a shell that froze with one would hold them up.
    """
    connection_created.connect(_limit, dispatch_uid="scheduler.connections")


def _limit(connection: BaseDatabaseWrapper, **_: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{_idle['longest']}'")


def wait_briefly(cursor: Any) -> None:
    """Let no statement of this transaction wait longer than a moment for a lock; see ``gave_way`` for what it raises.

    Called with a job held and its beat entry wanted: who edits an entry in the stock admin holds it and wants its job.
    """
    cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")


def close_quietly() -> None:
    """Close this thread's connection, whatever state it is in: the next use opens another."""
    with suppress(Exception):
        connection.close()


def first_line(error: BaseException) -> str:
    """Return what the database said first, for a log line."""
    return str(error).strip().split("\n")[0]


def gave_way(error: BaseException) -> bool:
    """Whether ``error`` means that a statement gave way to another transaction and may simply be tried again."""
    conflict = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
    return isinstance(error, OperationalError) and isinstance(error.__cause__, conflict)


@contextmanager
def prepared() -> Iterator[None]:
    """Let PostgreSQL prepare the statements of this block on the current thread's connection.

    For the few statements that a worker sends for every run: planning them takes longer than doing them. Other
    statements of the same connection are sent as ever.
    """
    connection.ensure_connection()
    raw = connection.connection
    was = raw.cursor_factory, raw.prepare_threshold
    raw.cursor_factory, raw.prepare_threshold = ServerBindingCursor, PREPARE_AFTER
    try:
        yield
    finally:
        raw.cursor_factory, raw.prepare_threshold = was
