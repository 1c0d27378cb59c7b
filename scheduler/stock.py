"""Beat entries of the user's own: ``PeriodicTask`` rows that belong to no job, run as django-celery-beat would.

One beat at a time evaluates them, elected by a lease in PostgreSQL that passes on within seconds. Each fire is claimed
by a conditional update of the entry's ``last_run_at`` before it is sent, so that a beat which was frozen and wakes as
the former leader sends nothing twice.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from celery.utils.time import maybe_make_aware
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import F, QuerySet
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from scheduler import entries
from scheduler.connections import first_line
from scheduler.models import Leader

logger = logging.getLogger(__name__)

DUTY = "stock entries"
LEASE_SECONDS = 6
LONGEST_WAIT_SECONDS = 1.0
# An answer that took longer says too little about when it was given.
LONGEST_ROUND_TRIP_SECONDS = 1.0

_LEAD = """
INSERT INTO scheduler_leader (duty, holder, until) VALUES (%s, %s, clock_timestamp() + make_interval(secs => %s))
ON CONFLICT (duty) DO UPDATE SET holder = excluded.holder, until = excluded.until
 WHERE scheduler_leader.holder = excluded.holder OR scheduler_leader.until < clock_timestamp()
    OR scheduler_leader.until > excluded.until + make_interval(secs => %s)
RETURNING clock_timestamp()
"""


class DatabaseTime:
    """The database's time without a question at every look: what it was when last told, and how long ago that is.

    How long ago is told by the monotonic clock: the host's may be set between two looks, or question and answer.
    """

    def __init__(self) -> None:
        self._told: tuple[datetime, float] | None = None

    def set(self, instant: datetime, *, asked: float, answered: float) -> None:
        """Take over that it was ``instant`` between two times of the monotonic clock."""
        if answered - asked <= LONGEST_ROUND_TRIP_SECONDS:
            self._told = instant, (asked + answered) / 2

    def of(self, host: datetime) -> datetime:
        """Return the database's present time, aware or not as ``host`` is, which the host's clock shows just now."""
        if self._told is None:
            return host
        instant, at = self._told
        present = instant + timedelta(seconds=time.monotonic() - at)
        if host.tzinfo is None:
            return host + (present - datetime.now(UTC))
        return present.astimezone(host.tzinfo)


database_time = DatabaseTime()


def lead(duty: str, holder: str, *, seconds: float) -> bool:
    """Take or renew the lease on ``duty``, and set ``database_time``. Return False where another holds it.

    One that would last for longer than two counts for nothing: the database's clock was set back after it was taken.
    """
    with connection.cursor() as cursor:
        asked = time.monotonic()
        cursor.execute(_LEAD, [duty, holder, seconds, seconds])
        row = cursor.fetchone()
    if row is not None:
        database_time.set(row[0], asked=asked, answered=time.monotonic())
    return row is not None


class StockEntry(ModelEntry):  # type: ignore[misc]
    """An entry that remembers what its row said when it was read: the condition of its next fire."""

    def __init__(self, model: PeriodicTask, app: Any = None) -> None:
        # ModelEntry fills in a missing last_run_at on the model itself.
        self.stored_last_run_at = getattr(model, "stored_last_run_at", model.last_run_at)
        super().__init__(model, app=app)
        # A host's clock that is wrong must not be stored as when an entry last ran: the next beat goes by that.
        host_now = self.schedule.nowfun or self.schedule.app.now
        self.schedule.nowfun = lambda: database_time.of(host_now())

    def _default_now(self) -> datetime:
        return database_time.of(super()._default_now())


class StockScheduler(DatabaseScheduler):  # type: ignore[misc]
    """django-celery-beat's scheduler over the entries that belong to no job."""

    Entry = StockEntry

    def setup_schedule(self) -> None:
        self.update_from_dict(self.app.conf.beat_schedule)

    def enabled_models_qs(self) -> QuerySet[PeriodicTask]:
        # A partial index of ours covers exactly this condition, so that a million entries of jobs are not read.
        models: QuerySet[PeriodicTask] = super().enabled_models_qs().exclude(task=entries.TASK)
        return models

    def all_as_schedule(self) -> dict[str, StockEntry]:
        """Return the enabled entries by name, without those that cannot be read: one must not end all the others."""
        schedule = {}
        for model in self.enabled_models():
            try:
                schedule[model.name] = StockEntry(model, app=self.app)
            except Exception:
                logger.exception("entry.unreadable name=%s", model.name)
        return schedule

    def reserve(self, entry: StockEntry) -> StockEntry:
        """Advance the entry in memory. What is stored is written by ``apply_entry``, not by a later sync."""
        successor: StockEntry = next(entry)
        self.schedule[entry.name] = successor
        return successor

    def apply_entry(self, entry: StockEntry, producer: Any = None) -> None:
        """Send a due entry, if this beat is the one that claims the fire."""
        model = entry.model
        claimed = PeriodicTask.objects.filter(pk=model.pk, enabled=True)
        known = entry.stored_last_run_at
        claimed = claimed.filter(last_run_at__isnull=True) if known is None else claimed.filter(last_run_at=known)
        if not claimed.update(last_run_at=model.last_run_at, total_run_count=F("total_run_count") + 1):
            logger.info("entry.claimed_elsewhere name=%s", entry.name)
            self._initial_read = True
            return
        model.stored_last_run_at = maybe_make_aware(model.last_run_at)
        self.schedule[entry.name].stored_last_run_at = model.stored_last_run_at
        super().apply_entry(entry, producer=producer)


class StockEntries(threading.Thread):
    """Runs the stock scheduler in a beat while that beat holds the lease."""

    def __init__(self, app: Any, *, name: str) -> None:
        super().__init__(daemon=True, name=f"stock of {name}")
        self._app = app
        self._holder = name
        self._scheduler: StockScheduler | None = None
        self._stopping = threading.Event()

    def run(self) -> None:
        wait = 0.0
        while not self._stopping.wait(wait):
            try:
                wait = self._step()
            except (DatabaseError, InterfaceError) as error:
                connection.close()
                self._scheduler, wait = None, LONGEST_WAIT_SECONDS
                logger.warning("stock.database_error error=%s", first_line(error))
            except Exception:
                # One entry that cannot be read must not end the others; the stock scheduler starts anew.
                logger.exception("stock.failed")
                self._scheduler, wait = None, LONGEST_WAIT_SECONDS
        self._resign()

    def _step(self) -> float:
        if not lead(DUTY, self._holder, seconds=LEASE_SECONDS):
            self._scheduler = None
            return LONGEST_WAIT_SECONDS
        if self._scheduler is None:
            self._scheduler = StockScheduler(self._app)
            logger.info("stock.leading holder=%s", self._holder)
        return float(min(max(self._scheduler.tick(), 0.0), LONGEST_WAIT_SECONDS))

    def _resign(self) -> None:
        """Give the lease back, so that another beat leads at once."""
        try:
            Leader.objects.filter(duty=DUTY, holder=self._holder).delete()
        except (DatabaseError, InterfaceError):
            logger.warning("stock.not_resigned holder=%s", self._holder)
        finally:
            connection.close()

    def ask_to_stop(self) -> None:
        """Let the thread give the lease back and end."""
        self._stopping.set()

    def stop(self, seconds: float = 2.0) -> None:
        """Stop, and wait so long at most until the lease is given back."""
        self.ask_to_stop()
        self.join(timeout=seconds)
