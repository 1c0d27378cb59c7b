"""Housekeeping in every beat: rescue runs, publish what was lost, delete what expired, say that the beat is alive.

A thread of its own with its own database connection, so that none of it delays a claim. Every piece is safe to run in
any number of beats at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from scheduler import executions, metrics, notices, pauses, processes, receipts, retention, tallies
from scheduler.alerts import deliveries, review
from scheduler.alerts.overdue import Overdue
from scheduler.answers import Answers
from scheduler.calendars import store as calendars
from scheduler.connections import first_line
from scheduler.models import Process
from scheduler.sweep import Sweep

logger = logging.getLogger(__name__)

# After the database was away no lease could be renewed: workers get this long to do so before any run counts as lost.
RESCUE_AFTER_SECONDS = 5.0
# Without an answer for this long it was away, though it raised no error. Leases are renewed often enough to bear less.
STANDSTILL_SECONDS = 3.0
# What a thread that is busy may make the end of its beat longer.
STOP_SECONDS = 3.0


class Chore:
    """Something to do every so many seconds."""

    def __init__(self, every: float, act: Callable[[], object]) -> None:
        self.every = every
        self.act = act
        self.due = 0.0


class Chores(threading.Thread):
    """Does its chores, each when it is due, until it is stopped."""

    def __init__(self, name: str, *chores: Chore) -> None:
        super().__init__(daemon=True, name=name)
        self._stopping = threading.Event()
        self._chores = list(chores)

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                for chore in self._chores:
                    if time.monotonic() >= chore.due:
                        self._do(chore)
                self._stopping.wait(0.25)
            self._sign_off()
        except (DatabaseError, InterfaceError):
            logger.warning("housekeeping.not_signed_off name=%s", self.name)
        finally:
            connection.close()

    def _sign_off(self) -> None:
        """Do what is left to do at the end."""

    def _after_error(self) -> None:
        """Take note that the database was away."""

    def _do(self, chore: Chore) -> None:
        chore.due = time.monotonic() + chore.every
        try:
            chore.act()
        except (DatabaseError, InterfaceError) as error:
            connection.close()
            self._after_error()
            logger.warning("housekeeping.database_error error=%s", first_line(error))
        except Exception:
            # A chore that fails for a reason of its own must not end the others.
            logger.exception("housekeeping.failed")

    def ask_to_stop(self) -> None:
        self._stopping.set()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop, and wait so long at most until the thread has signed off."""
        self.ask_to_stop()
        self.join(timeout=seconds)


class Cleaner(Chores):
    """Deletes what is over. Beside the housekeeper, because much of it at once may take its time."""

    def __init__(self) -> None:
        super().__init__(
            "scheduler-cleaner",
            Chore(1.0, lambda: retention.clean(until=self._stopping.is_set)),
            Chore(30.0, calendars.warm),
            Chore(3600.0, processes.forget_old),
            Chore(600.0, receipts.purge),
            Chore(60.0, deliveries.purge),
        )


class Teller(Chores):
    """Tells job types of ended runs, having let the rules for alerts look at them. Mail servers take their time."""

    def __init__(self) -> None:
        super().__init__("scheduler-teller", Chore(0.5, lambda: notices.tell_all(until=self._stopping.is_set)))


class Watchman(Chores):
    """Finds what is overdue or over again, and counts what has been, with the database alone."""

    def __init__(self) -> None:
        super().__init__(
            "scheduler-watchman",
            Chore(2.0, Overdue()),
            Chore(1.0, review.review),
            Chore(5.0, lambda: tallies.tally(until=self._stopping.is_set)),
        )


class Courier(Chores):
    """Sends alerts and calls ping URLs, apart from all else that may be slow."""

    def __init__(self) -> None:
        super().__init__("scheduler-courier", Chore(0.5, lambda: deliveries.deliver_all(until=self._stopping.is_set)))


class Rescuer(Chores):
    """Rescues runs whose lease ran out, where the database has answered long enough for it to be renewed.

    A thread of its own: while another chore takes its time, this one must know whether the database stood still.
    """

    def __init__(self) -> None:
        super().__init__("scheduler-rescuer", Chore(1.0, self._rescue))
        lease = settings.SCHEDULER_LEASE_SECONDS
        self._answers = Answers(longest_gap=min(STANDSTILL_SECONDS, lease * 0.75))

    def _rescue(self) -> None:
        executions.rescue(sure=self._sure)
        self._answers.came()

    def _sure(self) -> bool:
        return self._answers.came() > RESCUE_AFTER_SECONDS

    def _after_error(self) -> None:
        self._answers.failed()


class Housekeeper(Chores):
    """Keeps the beat's own presence and what is queued: what must not wait. Starts and stops those beside it."""

    def __init__(self) -> None:
        super().__init__(
            processes.name_of("beat"),
            Chore(2.0, lambda: processes.renew(self.name, Process.Kind.BEAT)),
            Chore(metrics.FLUSH_SECONDS, metrics.flush),
            Chore(1.0, pauses.settle_all),
            Chore(1.0, Sweep()),
        )
        self._others = (Rescuer(), Teller(), Watchman(), Courier())

    def start(self) -> None:
        for other in self._others:
            other.start()
        super().start()

    def ask_to_stop(self) -> None:
        for other in self._others:
            other.ask_to_stop()
        super().ask_to_stop()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        # All at once: who waits for a mail server must not make the beat's end longer than one wait.
        give_up = time.monotonic() + seconds
        super().stop(seconds)
        for other in self._others:
            other.join(timeout=max(give_up - time.monotonic(), 0.0))

    def _sign_off(self) -> None:
        processes.remove(self.name)
        metrics.flush()
