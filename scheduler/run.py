"""A run in this process: what its job type may ask of it, and how it is told to stop."""

from __future__ import annotations

import ctypes
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from enum import Enum

from django.conf import settings

from scheduler import clock
from scheduler.job_types import RunCancelled
from scheduler.started import Started

logger = logging.getLogger(__name__)

_LARGEST = 2**31 - 1
# Of a lease, since the question was sent that renewed it last: when a run that another worker may begin again is told
# to stop where the database gives no answer, and when it is in any case, and interrupted. The rest is for what takes a
# moment to stop, and for a database whose clock runs faster than ours.
TELL_AFTER = 2 / 3
INTERRUPT_AFTER = 5 / 6


class Stop(Enum):
    """Why a run is told to stop."""

    CANCELLED = "cancelled"
    TIMED_OUT = "timed out"
    LOST = "lost"
    LAPSED = "lease not renewed in time"
    SHUTDOWN = "worker shut down"


class Run:
    """The ``RunContext`` of a started execution. Thread-safe."""

    def __init__(self, started: Started, *, since: float | None = None) -> None:
        """``since`` is an instant of ``clock.elapsed`` before the database was asked to start it; None: now."""
        self.started = started
        self.execution_id = started.execution_id
        self.job_pk = started.job_pk
        self.job_number = started.job_number
        self.job_name = started.job_name
        self.number = started.number
        self.attempt = started.attempt
        self.token = started.token
        self.scheduled_for = started.scheduled_for
        self.started_at = started.started_at
        # Counts from the work's beginning: it may wait a moment for a thread.
        self.deadline = math.inf
        self.progress_done: int | None = None
        self.progress_total: int | None = None
        self._thread_id: int | None = None
        self.stop_reason: Stop | None = None
        self.stopped_at: float | None = None
        # Told to stop, it did not: its end is written without it.
        self.abandoned = False
        # Its end is known, and its thread is in its work still: whoever gave it that thread has another instead.
        self.given_up = False
        self.interrupted_at = -math.inf
        # On ``clock.elapsed``.
        self.last_renewed = clock.elapsed() if since is None else since
        self._may_be_rescued = started.may_be_rescued(settings.SCHEDULER_MAX_RESCUES)
        self._lock = threading.Lock()
        self._let_go = False
        self._awaited: threading.Event | None = None
        self._replace: Callable[[], None] | None = None
        self._ended = False
        self._actions: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        return self.stop_reason is not None

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def check(self) -> None:
        if self.stop_reason is not None:
            raise RunCancelled(self.stop_reason.value)
        if time.monotonic() >= self.deadline:
            self.stop(Stop.TIMED_OUT)
            raise RunCancelled(Stop.TIMED_OUT.value)
        if self.lapsed():
            self.stop(Stop.LAPSED)
            raise RunCancelled(Stop.LAPSED.value)

    def lapsed(self, part: float = INTERRUPT_AFTER) -> bool:
        """Whether so large a ``part`` of its lease is over, and another worker may begin it again when all of it is.

        Asks nobody: who cannot reach the database knows it, too, and who was frozen as soon as it wakes.
        """
        return self._may_be_rescued and clock.elapsed() - self.last_renewed > part * settings.SCHEDULER_LEASE_SECONDS

    def on_cancel(self, action: Callable[[], None]) -> None:
        with self._lock:
            if self.stop_reason is None:
                self._actions.append(action)
                return
        self._act((action,))

    def progress(self, done: int, total: int) -> None:
        # What the columns cannot hold must not cost this process the heartbeat of all its runs.
        self.progress_done, self.progress_total = (min(max(int(count), 0), _LARGEST) for count in (done, total))

    def stop(self, reason: Stop) -> None:
        """Tell the run to stop, for the first reason given, and interrupt what it waits for.

        Its actions are taken in a thread of their own: one that blocks must not keep the caller from other runs, whose
        leases it may have to renew.
        """
        with self._lock:
            if self.stop_reason is not None:
                return
            self.stop_reason, self.stopped_at = reason, time.monotonic()
            actions, self._actions = self._actions, []
        if actions:
            threading.Thread(target=self._act, args=(actions,), name="run-cancel", daemon=True).start()

    @property
    def at_work(self) -> bool:
        """Whether a thread does its work."""
        return self._thread_id is not None

    def enter(self, replace: Callable[[], None] | None = None) -> None:
        """Say that the calling thread does the work of this run until ``leave``; ``replace``: see ``give_up``."""
        self.deadline = time.monotonic() + self.started.timeout_seconds
        with self._lock:
            self._replace, self._thread_id = replace, threading.get_ident()

    def leave(self) -> None:
        """Say that no thread works on this run any more. An interruption on its way is raised before this returns."""
        with self._lock:
            self._thread_id = None

    def interrupt(self) -> None:
        """Raise ``RunCancelled`` in the thread that is stuck in the work of this run, as soon as it runs Python.

        Where that happens to be in a destructor or a callback of a weak reference, Python ignores it: the caller
        interrupts again.
        """
        with self._lock:
            if self._thread_id is not None:
                self.interrupted_at = time.monotonic()
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._thread_id), ctypes.py_object(RunCancelled)
                )

    def give_up(self) -> None:
        """Have the thread replaced that does not come back from the work of this run: it is not waited for any more."""
        with self._lock:
            if self._thread_id is None or self.given_up:
                return
            self.given_up, replace = True, self._replace
        logger.error("run.stuck execution_id=%s thread=%s", self.execution_id, self._thread_id)
        if replace is not None:
            replace()

    @property
    def let_go(self) -> bool:
        """Whether this process holds it no more: its end has been written, or is not ours to write."""
        return self._let_go

    def release(self) -> None:
        """Say that this process holds it no more."""
        self._let_go = True
        with self._lock:
            awaited = self._awaited
        if awaited is not None:
            awaited.set()

    def wait_until_released(self) -> None:
        """Wait until this process holds it no more."""
        with self._lock:
            if self._let_go:
                return
            # Made for the few that wait: every run passes here.
            self._awaited = awaited = self._awaited or threading.Event()
        awaited.wait()

    @property
    def over(self) -> bool:
        """Whether it is known how it ended: that may have to wait until it is written."""
        return self._ended

    def end(self) -> bool:
        """Return True for the first caller only: that one writes how the run ended."""
        with self._lock:
            first, self._ended = not self._ended, True
        return first

    def _act(self, actions: Sequence[Callable[[], None]]) -> None:
        for action in actions:
            try:
                action()
            except Exception:
                # Interrupting is best effort: the run is abandoned all the same where it does not stop.
                logger.exception("run.interrupt_failed execution_id=%s", self.execution_id)
