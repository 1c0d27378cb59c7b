"""Renews the leases of a worker process' runs, in a thread that does nothing else.

A database may neither answer nor close: whoever waits for it must not be the one that looks at time limits. A renewal
that takes too long has its line cut from outside, and the next one goes out on another.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper

from scheduler import clock, executions
from scheduler.connections import close_quietly, first_line
from scheduler.executions import Renewal
from scheduler.run import Run

logger = logging.getLogger(__name__)

# Of a lease: how long the database may take to answer before the line is cut.
PATIENCE = 1 / 4
# Of that: how long an answer may usually take.
USUAL = 1 / 3
# PostgreSQL's client waits no shorter for a connection.
_SHORTEST_CONNECT_SECONDS = 2


class _Wrapper(DatabaseWrapper):
    """A thread's connections, each handed to ``opened`` before anything is asked on it.

    Django sets a new one up by statements: a server that falls silent then has to be cut off, too.
    """

    def __init__(self, stated: dict[str, Any], opened: Callable[[Any], None]) -> None:
        super().__init__(stated, DEFAULT_DB_ALIAS)
        self._opened = opened

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        raw = super().get_new_connection(conn_params)
        self._opened(raw)
        return raw


class Renewals:
    """Asks the database for one renewal at a time; ``learned`` is called with what it was asked, when, and the answer.

    The instant is that before the question, on ``clock.elapsed``: no lease that was renewed ends sooner than its length
    after it.
    """

    def __init__(self, learned: Callable[[Sequence[Run], float, Mapping[int, Renewal]], None]) -> None:
        self._learned = learned
        self._changed = threading.Condition()
        self._asked: list[list[Run]] | None = None
        self._since = 0.0
        self._failed = False
        self._last_failed = False
        self._resting = True
        self._thread: threading.Thread | None = None
        # The connection in use, and a handle of its own on that's socket: the number of a socket may be another's soon.
        self._raw: Any = None
        self._line: socket.socket | None = None

    def ask(self, runs: list[list[Run]]) -> bool:
        """Have ``runs`` renewed, list by list. Return False where the last renewal is still under way."""
        with self._changed:
            alive = self._thread is not None and self._thread.is_alive()
            if self._asked is not None and alive:
                return False
            self._asked, self._since, self._resting = runs, clock.elapsed(), False
            if not alive:
                self._thread = threading.Thread(target=self._run, name="scheduler-renewals", daemon=True)
                self._thread.start()
            self._changed.notify()
            return True

    def hurry(self) -> None:
        """Cut the line of a renewal that takes too long."""
        with self._changed:
            late = self._asked is not None and clock.elapsed() - self._since > _patience()
            line, self._line = (self._line, None) if late else (None, self._line)
        if line is not None:
            logger.warning("heart.line_cut seconds=%d", _patience())
            # Wakes whoever waits for it.
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def failed(self) -> bool:
        """Return, once, whether the last renewal failed."""
        with self._changed:
            failed, self._failed = self._failed, False
            return failed

    @property
    def in_vain(self) -> bool:
        """Whether the database has not answered the last renewal, though it had time to."""
        with self._changed:
            waits = self._asked is not None and clock.elapsed() - self._since > usual_seconds()
            return waits or self._last_failed

    @property
    def idle(self) -> bool:
        """Whether it holds no connection."""
        with self._changed:
            return self._raw is None

    def rest(self) -> None:
        """Let go of the connection until the next renewal."""
        with self._changed:
            # Whoever asks next holds other runs: how it went with these says nothing about them.
            self._resting, self._last_failed = True, False
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._asked is None and not self._resting:
                    self._changed.wait()
                asked = self._asked
            if asked is None:
                self._close()
                with self._changed:
                    while self._asked is None:
                        self._changed.wait()
                continue
            renewed = [self._renew(runs) for runs in asked]
            with self._changed:
                self._asked, self._failed = None, not all(renewed)
                self._last_failed = self._failed and not self._resting

    def _renew(self, runs: Sequence[Run]) -> bool:
        if not runs:
            return True
        held = [(run.execution_id, run.token, run.progress_done, run.progress_total) for run in runs]
        try:
            self._connect()
            since = clock.elapsed()
            renewed = {renewal.execution_id: renewal for renewal in executions.renew(held)}
        except Exception as error:
            self._close()
            logger.warning("heart.failed runs=%d error=%s", len(held), first_line(error))
            return False
        try:
            self._learned(runs, since, renewed)
        except Exception:
            logger.exception("heart.failed runs=%d", len(held))
        return True

    def _connect(self) -> None:
        """Have a connection that gives up as soon as it would be cut, and a handle on its line."""
        with self._changed:
            held = self._line is not None and self._raw is connection.connection
        if held:
            return
        # One whose line was cut has nothing more to say.
        self._close()
        stated = connections.settings[DEFAULT_DB_ALIAS]
        longest = max(_SHORTEST_CONNECT_SECONDS, int(_patience()))
        options = {**stated.get("OPTIONS", {}), "connect_timeout": longest, "tcp_user_timeout": longest * 1000}
        connections[DEFAULT_DB_ALIAS] = _Wrapper({**stated, "OPTIONS": options}, self._hold)
        connection.ensure_connection()

    def _hold(self, raw: Any) -> None:
        line = socket.socket(fileno=os.dup(raw.pgconn.socket))
        with self._changed:
            before, self._raw, self._line = self._line, raw, line
        if before is not None:
            before.close()

    def _close(self) -> None:
        close_quietly()
        with self._changed:
            line, self._raw, self._line = self._line, None, None
        if line is not None:
            line.close()


def usual_seconds() -> float:
    """Return how many seconds an answer may usually take."""
    return _patience() * USUAL


def _patience() -> float:
    return float(settings.SCHEDULER_LEASE_SECONDS) * PATIENCE
