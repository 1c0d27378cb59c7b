"""The heartbeat of a worker process: renews the leases of its runs, and tells runs to stop.

A thread of its own, so that a long scoring or a blocked socket does not look dead. It also enforces time limits and
cancellation: a run is asked to stop first, and abandoned where it has not stopped within a few seconds.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

from django.conf import settings

from scheduler import executions
from scheduler.connections import close_quietly, first_line
from scheduler.run import Run, Stop

logger = logging.getLogger(__name__)

# How long a run that was told to stop may take to do so before its end is written without it.
ABANDON_AFTER_SECONDS = 2.0
# Python ignores an interruption that comes in a destructor or a callback of a weak reference: the next one follows.
INTERRUPT_EVERY_SECONDS = 1.0
# How long after its abandonment a run whose end is known may keep its thread before that is replaced.
GIVE_UP_AFTER_SECONDS = 5.0
# How often this thread looks at the runs it holds at least.
LONGEST_WAIT_SECONDS = 0.5


class Heart:
    """Beats while this process holds runs; sleeps otherwise."""

    def __init__(self, abandon: Callable[[Run], None]) -> None:
        self._abandon = abandon
        # By attempt: after a lost lease this process may hold a run's next attempt beside one that has not stopped yet.
        self._runs: dict[tuple[int, int], Run] = {}
        # Abandoned, and at work still: held no more once their ends are written, and interrupted until they stop.
        self._deaf: list[Run] = []
        self._asleep = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._pid: int | None = None

    @property
    def held(self) -> list[Run]:
        """The runs this process holds now."""
        with self._changed:
            return list(self._runs.values())

    def hold(self, *runs: Run) -> None:
        """Keep the leases of ``runs`` until ``drop``."""
        with self._changed:
            if self._pid != os.getpid():
                # A forked child starts its own thread: threads do not survive a fork.
                self._pid, self._thread, self._runs, self._deaf = os.getpid(), None, {}, []
            self._runs.update({(run.execution_id, run.token): run for run in runs})
            if self._thread is None or not self._thread.is_alive():
                self._asleep = False
                self._thread = threading.Thread(target=self._beat, name="scheduler-heart", daemon=True)
                self._thread.start()
            elif self._asleep:
                # It looks every half second otherwise: waking it for each run would cost each run a change of threads.
                self._asleep = False
                self._changed.notify()

    def drop(self, run: Run) -> None:
        """Let go of ``run``, and of no other attempt of it."""
        with self._changed:
            self._runs.pop((run.execution_id, run.token), None)
        run.release()

    def _beat(self) -> None:
        due = time.monotonic() + _interval()
        while True:
            try:
                due = self._beat_once(due)
            except Exception:
                # The beat goes on for all runs, whatever one of them meets.
                logger.exception("heart.failed runs=%d", len(self.held))
                close_quietly()
                threading.Event().wait(LONGEST_WAIT_SECONDS)

    def _beat_once(self, due: float) -> float:
        """Do what is to be done next, after waiting for it; return when leases are to be renewed."""
        runs, due = self._wait(due)
        now = time.monotonic()
        for run in runs:
            if now >= run.deadline:
                run.stop(Stop.TIMED_OUT)
        if now >= due:
            due = now + _interval()
            for attempts in _apart(runs):
                self._renew(attempts)
        for run in runs:
            if run.stopped_at is not None and not run.abandoned and now - run.stopped_at > ABANDON_AFTER_SECONDS:
                self._leave(run)
        self._deaf = [run for run in self._deaf if run.at_work]
        for run in self._deaf:
            self._insist(run, now)
        return due

    def _wait(self, due: float) -> tuple[list[Run], float]:
        with self._changed:
            if not self._runs and not self._deaf:
                # Runs may follow each other closely: only who has held none for a while sleeps, and is to be woken.
                self._changed.wait(LONGEST_WAIT_SECONDS)
            while not self._runs and not self._deaf:
                close_quietly()
                self._asleep = True
                while self._asleep:
                    self._changed.wait()
                due = time.monotonic() + _interval()
            deadlines = [run.deadline for run in self._runs.values() if run.stop_reason is None]
            until = min(due, *deadlines, time.monotonic() + LONGEST_WAIT_SECONDS)
            self._changed.wait(max(0.0, until - time.monotonic()))
            return list(self._runs.values()), due

    def _renew(self, runs: list[Run]) -> None:
        held = [(run.execution_id, run.token, run.progress_done, run.progress_total) for run in runs]
        if not held:
            return
        try:
            renewed = {renewal.execution_id: renewal for renewal in executions.renew(held)}
        except Exception as error:
            close_quietly()
            logger.warning("heart.failed runs=%d error=%s", len(held), first_line(error))
            return
        now = time.monotonic()
        for run in runs:
            renewal = renewed.get(run.execution_id)
            if renewal is None:
                with self._changed:
                    # Ended between the listing and the renewal, or taken away: only the second is a loss.
                    lost = (run.execution_id, run.token) in self._runs
                if lost:
                    run.stop(Stop.LOST)
                continue
            if not renewal.locked:
                run.last_renewed = now
            if renewal.cancel_requested:
                run.stop(Stop.CANCELLED)

    def _leave(self, run: Run) -> None:
        """End a run that does not stop: have its end written, and interrupt the thread that is stuck in it.

        It stays held until then: the database may be away, and this thread has other leases to renew.
        """
        run.abandoned = True
        logger.warning("run.abandoned execution_id=%s why=%s", run.execution_id, run.stop_reason)
        self._abandon(run)
        self._deaf.append(run)

    def _insist(self, run: Run, now: float) -> None:
        """Interrupt a run that has been abandoned, again and again; in the end, have its thread replaced.

        Python cannot interrupt what a library waits for or computes: the thread may never come back.
        """
        if now - run.interrupted_at >= INTERRUPT_EVERY_SECONDS:
            run.interrupt()
        stopped_at = run.stopped_at or now
        if run.let_go and now - stopped_at > ABANDON_AFTER_SECONDS + GIVE_UP_AFTER_SECONDS:
            run.give_up()


def _interval() -> float:
    """Return the seconds between two renewals of a lease."""
    return min(settings.SCHEDULER_LEASE_SECONDS / 4, 2.0)


def _apart(runs: list[Run]) -> list[list[Run]]:
    """Return ``runs`` in as few lists as keep the attempts of one run apart, for an answer names the run only."""
    lists: list[dict[int, Run]] = []
    for run in runs:
        free = next((one for one in lists if run.execution_id not in one), None)
        if free is None:
            lists.append(free := {})
        free[run.execution_id] = run
    return [list(one.values()) for one in lists]
