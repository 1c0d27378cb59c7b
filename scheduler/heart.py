"""The heartbeat of a worker process: has the leases of its runs renewed, and tells runs to stop.

A thread of its own, so that a long scoring or a blocked socket does not look dead; it never waits for the database,
which another one asks (``renewals``). It enforces time limits, cancellation, and the ends of leases that could not be
renewed: a run is asked to stop first, and abandoned where it has not stopped within a few seconds.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from django.conf import settings

from scheduler import clock
from scheduler.executions import Renewal
from scheduler.renewals import Renewals, usual_seconds
from scheduler.run import INTERRUPT_AFTER, TELL_AFTER, Run, Stop

logger = logging.getLogger(__name__)

# How long a run that was told to stop may take to do so before its end is written without it.
ABANDON_AFTER_SECONDS = 2.0
# Python ignores an interruption that comes in a destructor or a callback of a weak reference: the next one follows.
INTERRUPT_EVERY_SECONDS = 1.0
# How long after its abandonment a run whose end is known may keep its thread before that is replaced.
GIVE_UP_AFTER_SECONDS = 5.0
# How often this thread looks at the runs it holds at least; and in which part of a lease, so that none ends unseen.
LONGEST_WAIT_SECONDS = 0.5
LONGEST_WAIT = 1 / 24
# How long after a renewal the next one is due at the latest; and in which part of a lease.
RENEW_EVERY_SECONDS = 2.0
RENEW_EVERY = 1 / 6


class Heart:
    """Beats while this process holds runs; sleeps otherwise."""

    def __init__(self, abandon: Callable[[Run], None]) -> None:
        self._abandon = abandon
        # By attempt: after a lost lease this process may hold a run's next attempt beside one that has not stopped yet.
        self._runs: dict[tuple[int, int], Run] = {}
        # Abandoned, and at work still: held no more once their ends are written, and interrupted until they stop.
        self._deaf: list[Run] = []
        self._asleep = False
        # On ``clock.elapsed``: when this thread last looked at its runs, and when it did after it had stood still.
        self._looked_at = self._woke_at = -math.inf
        self._changed = threading.Condition()
        self._renewals = Renewals(self._learn)
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
                self._renewals = Renewals(self._learn)
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
                threading.Event().wait(LONGEST_WAIT_SECONDS)

    def _beat_once(self, due: float) -> float:
        """Do what is to be done next, after waiting for it; return when leases are to be renewed."""
        runs, due = self._wait(due)
        now = time.monotonic()
        waking = self._waking()
        # Who could not ask, for a library kept all threads from running or the host was busy, asks first.
        part = TELL_AFTER if self._renewals.in_vain and not waking else INTERRUPT_AFTER
        for run in runs:
            if run.over:
                continue
            if now >= run.deadline:
                run.stop(Stop.TIMED_OUT)
            elif run.lapsed(part):
                run.stop(Stop.LAPSED)
        if self._renewals.failed():
            due -= _interval() / 2
        if now >= due and self._renewals.ask(_apart(runs)):
            due = now + _interval()
        self._renewals.hurry()
        for run in runs:
            if run.stopped_at is not None and not run.abandoned and not run.over and _out_of_patience(run, now):
                self._leave(run)
        self._deaf = [run for run in self._deaf if run.at_work]
        for run in self._deaf:
            self._insist(run, now)
        return due

    def _waking(self) -> bool:
        """Whether this process stood still a moment ago: what was answered meanwhile may not have been read yet."""
        now, usual = clock.elapsed(), usual_seconds()
        if now - self._looked_at > usual:
            self._woke_at = now
        self._looked_at = now
        return now - self._woke_at <= usual

    def _wait(self, due: float) -> tuple[list[Run], float]:
        with self._changed:
            if not self._runs and not self._deaf:
                # Runs may follow each other closely: only who has held none for a while sleeps, and is to be woken.
                self._changed.wait(LONGEST_WAIT_SECONDS)
            while not self._runs and not self._deaf:
                self._renewals.rest()
                self._asleep = True
                while self._asleep:
                    self._changed.wait()
                due = time.monotonic() + _interval()
            deadlines = [run.deadline for run in self._runs.values() if run.stop_reason is None and not run.over]
            now = time.monotonic()
            longest = min(LONGEST_WAIT_SECONDS, LONGEST_WAIT * settings.SCHEDULER_LEASE_SECONDS)
            # A renewal that is due and has to wait for the one before is looked at as often as everything else.
            until = min(due if due > now else math.inf, *deadlines, now + longest)
            self._changed.wait(max(0.0, until - now))
            return list(self._runs.values()), due

    def _learn(self, runs: Sequence[Run], since: float, renewed: Mapping[int, Renewal]) -> None:
        """Note what the database said, which was asked at ``since``. Called in the thread that asked it."""
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
                run.last_renewed = since
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
    return min(settings.SCHEDULER_LEASE_SECONDS * RENEW_EVERY, RENEW_EVERY_SECONDS)


def _out_of_patience(run: Run, now: float) -> bool:
    """Whether a run that was told to stop had its time to do so; where its lease is as good as over, it has none."""
    if run.stop_reason is Stop.LAPSED and run.lapsed():
        return True
    return run.stopped_at is not None and now - run.stopped_at > ABANDON_AFTER_SECONDS


def _apart(runs: list[Run]) -> list[list[Run]]:
    """Return ``runs`` in as few lists as keep the attempts of one run apart, for an answer names the run only."""
    lists: list[dict[int, Run]] = []
    for run in runs:
        free = next((one for one in lists if run.execution_id not in one), None)
        if free is None:
            lists.append(free := {})
        free[run.execution_id] = run
    return [list(one.values()) for one in lists]
