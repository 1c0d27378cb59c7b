"""Claimers: whoever claims what is due, batch by batch, and publishes it. A beat has one, and another for bursts.

Of a claim PostgreSQL does four fifths of the work, and one connection keeps one of its processes busy. A second claimer
in the same beat takes the next batch meanwhile; SKIP LOCKED keeps the two apart as it keeps beats apart.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import psycopg
from django.db import DatabaseError, InterfaceError, connection
from django.db.backends.postgresql.base import ServerBindingCursor

from scheduler import claims, messages
from scheduler.connections import LOCK_TIMEOUT, PREPARE_AFTER, first_line, gave_way
from scheduler.held import still_due
from scheduler.reach import MOST_HELD, Look, Reach

logger = logging.getLogger(__name__)


class Claimer:
    """Claims and publishes on the database connection of the thread that calls it."""

    def __init__(self, *, batch: int, reach: Reach | None = None) -> None:
        self.batch = batch
        self.reach = reach or Reach()
        # The last look, which the pause after it is counted with.
        self.last: Look | None = None
        self._prepared: object | None = None
        # Jobs to look past; None: nobody is known to hold anything of a job, and claims need not ask.
        self._past: set[int] | None = None

    def claim(self) -> int:
        """Claim up to one batch and publish it after its commit; return how many jobs were due, a batch: maybe more.

        Where it has to give way to somebody who holds a beat entry or a run, the next claims pass over what is held,
        and none of them waits: who holds one for long would stop all jobs, since the oldest due ones come first.
        Raises what the database raises; Redis being away is no error, since the sweep publishes later.
        """
        self.prepare()
        look = self.last = self.reach.look()
        try:
            claimed = claims.claim(limit=self.batch, past=self._past, back=look.back, known=look.held)
        except DatabaseError as error:
            if gave_way(error):
                self._past = set()
            raise
        self.reach.looked(look, took=claimed.look_seconds)
        if claimed.freed:
            self.reach.freed(look)
        messages.publish(claimed.hints)
        jobs = claimed.jobs if self._past is None else self._looked(self._past, claimed)
        if jobs < self.batch and not claimed.left:
            self._saw_all(look)
        return jobs

    def _saw_all(self, look: Look) -> None:
        """Note that all is seen but what others hold; ask what that is, where the next looks will not find it."""
        asked = self.reach.held()
        if asked is None:
            # It began at the beginning, and so will the next: nobody need be remembered.
            self.reach.saw_all(look, asked=look.held)
            return
        began = time.monotonic()
        with connection.cursor() as cursor:
            held = still_due(cursor, look.back, among=asked, past=self._past or (), limit=MOST_HELD)
        self.reach.looked(look, took=time.monotonic() - began)
        self.reach.saw_all(look, asked=asked, held=held)

    def _looked(self, past: set[int], claimed: claims.Claimed) -> int:
        """Note what a claim passed over; return what ``claim`` does. One look ends with a batch that is not full."""
        past.update(claimed.passed_over)
        if claimed.jobs + len(claimed.passed_over) == self.batch:
            return self.batch
        self._past = set() if past else None
        return claimed.jobs

    def prepare(self) -> None:
        """Set a new database connection up for claims, once: they give way to who edits a beat entry, and go by index.

        A claim only ever wants a few rows by their keys. Where statistics are a moment old PostgreSQL thinks otherwise:
        it sorted all that is due anew for each batch of a burst, and read all clocks to move five hundred. Its
        statements are prepared, because planning them takes longer than a claim of one job does.
        """
        connection.ensure_connection()
        if self._prepared is not connection.connection:
            with connection.cursor() as cursor:
                cursor.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
                for method in ("bitmapscan", "seqscan", "hashjoin", "mergejoin"):
                    cursor.execute(f"SET enable_{method} = off")
                cursor.execute("SET plan_cache_mode = force_generic_plan")
            connection.connection.cursor_factory = ServerBindingCursor
            connection.connection.prepare_threshold = PREPARE_AFTER
            self._prepared = connection.connection


class BurstClaimer(threading.Thread):
    """Claims beside the beat's own claimer from ``wake`` until a batch is not full. Idle, it costs nothing.

    It decides nothing about failures: it lets go of its connection and waits, and the beat's own claimer, which meets
    the same ones, tells of them and starts anew.
    """

    def __init__(self, *, batch: int, reach: Reach | None = None) -> None:
        super().__init__(daemon=True, name="scheduler-burst")
        self._claimer = Claimer(batch=batch, reach=reach)
        self._wanted = threading.Event()
        self._stopping = threading.Event()

    def wake(self) -> None:
        """Say that more is due than one batch."""
        self._wanted.set()

    def run(self) -> None:
        try:
            # So that the first burst need not wait for a connection.
            self._guarded(self._claimer.prepare)
            while not self._stopping.is_set():
                self._wanted.wait()
                self._wanted.clear()
                self._guarded(self._claim_all)
        finally:
            connection.close()

    def _claim_all(self) -> None:
        while not self._stopping.is_set() and self._claimer.claim() == self._claimer.batch:
            pass

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (DatabaseError, InterfaceError, psycopg.Error) as error:
            # What it had locked is due again, and the beat's own claimer may have taken that for seen.
            self._claimer.reach.look_everywhere()
            if not gave_way(error):
                connection.close()
            logger.info("burst.gave_up error=%s", first_line(error))
        except Exception:
            self._claimer.reach.look_everywhere()
            logger.exception("burst.failed")
            connection.close()

    def ask_to_stop(self) -> None:
        """Let the thread end after the batch at hand."""
        self._stopping.set()
        self._wanted.set()

    def stop(self, seconds: float = 3.0) -> None:
        """Stop after the batch at hand, and wait so long at most for that."""
        self.ask_to_stop()
        if self.is_alive():
            self.join(timeout=seconds)
