"""The beat: ``celery -A jobsite beat -S scheduler.beat:JobScheduler``, as many of them as you like.

Each tick claims what is due through the index and sleeps until the next due instant, or until PostgreSQL tells it that
a job changed. No beat is special: rows locked by one are passed over by the others, and a beat that dies leaves nothing
half done, since a claim is one transaction. Housekeeping and entries that belong to no job run in threads of their own.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import psycopg
from celery.beat import Scheduler
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from scheduler import messages
from scheduler.claimer import BurstClaimer, Claimer
from scheduler.connections import first_line, gave_way, lose_idle_transactions
from scheduler.housekeeping import STOP_SECONDS, Cleaner, Housekeeper
from scheduler.jobs import CHANNEL
from scheduler.reach import EVERYTHING_SECONDS, Reach
from scheduler.stock import StockEntries

logger = logging.getLogger(__name__)

# The longest sleep: bounds how long a stop takes, and how long a missed notification could be felt.
LONGEST_WAIT_SECONDS = 1.0
# While workers are behind, fires are gathered for this long, so that fewer messages carry them.
GATHER_SECONDS = 0.05
# While another beat holds what is due: look again after this.
BUSY_WAIT_SECONDS = 0.05

_NEXT = """
SELECT extract(epoch FROM min(next_fire_at) - clock_timestamp())::float8, extract(epoch FROM clock_timestamp())::float8
  FROM scheduler_jobstate
 WHERE next_fire_at > now() - make_interval(secs => %s)
"""


class Listener:
    """A connection of its own on which PostgreSQL tells that a job changed."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None

    def wait(self, seconds: float) -> bool:
        """Wait ``seconds``, or until a job changed; return whether one did. Raises ``psycopg.Error``: no database."""
        if self._connection is None or self._connection.closed:
            self._connection = self._open()
            # What changed before is seen by a look at the whole table.
            return True
        return any(True for _ in self._connection.notifies(timeout=max(seconds, 0.0), stop_after=1))

    def _open(self) -> psycopg.Connection[Any]:
        """Connect and listen. A change before this is seen by the look at the table that follows."""
        ours = ("cursor_factory", "context")
        wanted = {key: value for key, value in connection.get_connection_params().items() if key not in ours}
        listening: psycopg.Connection[Any] = psycopg.connect(
            **wanted, autocommit=True, application_name="jobsite beat listener"
        )
        listening.execute(f"LISTEN {CHANNEL}")
        return listening

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class JobScheduler(Scheduler):  # type: ignore[misc]
    """Fires jobs from PostgreSQL; what ``celery beat -S`` loads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._reach = Reach()
        self._claimer = Claimer(batch=settings.SCHEDULER_CLAIM_BATCH, reach=self._reach)
        self._burst: BurstClaimer | None = None
        self._listener = Listener()
        self._housekeeper: Housekeeper | None = None
        self._cleaner: Cleaner | None = None
        self._stock: StockEntries | None = None
        self._failures = 0
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Start the helpers. Celery calls this once, and not at all when it only looks at the class (``lazy``)."""
        lose_idle_transactions()
        self._burst = BurstClaimer(batch=self._claimer.batch, reach=self._reach)
        self._burst.start()
        self._housekeeper = Housekeeper()
        self._housekeeper.start()
        self._cleaner = Cleaner()
        self._cleaner.start()
        self._stock = StockEntries(self.app, name=self._housekeeper.name)
        self._stock.start()

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Claim one batch of what is due and publish it; with nothing due, sleep. Returns 0: Celery need not sleep."""
        try:
            claimed = self._claimer.claim()
            if claimed < self._claimer.batch:
                if self._listener.wait(self._pause(claimed)):
                    self._reach.look_everywhere()
            elif self._burst is not None:
                self._burst.wake()
            self._failures = 0
        except (DatabaseError, InterfaceError, psycopg.Error) as error:
            self._reach.look_everywhere()
            if gave_way(error):
                logger.info("beat.gave_way error=%s", first_line(error))
            else:
                self._recover(error)
        except Exception as error:
            # Whatever one tick meets, the next one is another try: a beat that ends fires nothing at all.
            self._reach.look_everywhere()
            logger.exception("beat.tick_failed")
            self._recover(error)
        return 0.0

    def _pause(self, claimed: int) -> float:
        """Return the seconds until the next due instant by the database's clock, within bounds."""
        look = self._claimer.last
        back = self._reach.seconds()
        if look is not None:
            # Of one look, and never further back: it costs what the look does.
            back = min(back, look.back)
        began = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute(_NEXT, [back])
            left, shown = cursor.fetchone()
        took = time.monotonic() - began
        self._reach.told(shown, took=took)
        if look is not None and back >= EVERYTHING_SECONDS:
            self._reach.looked(look, took=took)
        if self._reach.held():
            left = min(left or 0.0, 0.0)
        if left is None or left > LONGEST_WAIT_SECONDS:
            return LONGEST_WAIT_SECONDS
        if left <= 0 and not claimed:
            return BUSY_WAIT_SECONDS
        return max(float(left), GATHER_SECONDS if claimed and messages.behind() else 0.0)

    def _recover(self, error: Exception) -> None:
        """Start anew after the database was away, or had taken a transaction from a beat that was frozen."""
        self._failures += 1
        logger.warning("beat.database_error failures=%d error=%s", self._failures, first_line(error))
        connection.close()
        self._listener.close()
        if self._failures > 1:
            time.sleep(min(0.1 * 2 ** min(self._failures, 4), 1.0))

    def close(self) -> None:
        """Stop the helpers and let go of the connections."""
        helpers = [h for h in (self._burst, self._housekeeper, self._cleaner, self._stock) if h is not None]
        # All at once: who waits for a database that stands still must not make the beat's end longer than one wait.
        for helper in helpers:
            helper.ask_to_stop()
        give_up = time.monotonic() + STOP_SECONDS
        for helper in helpers:
            helper.stop(max(give_up - time.monotonic(), 0.0))
        self._listener.close()
        connection.close()
        super().close()

    @property
    def info(self) -> str:
        return f"    . batch -> {self._claimer.batch} jobs"
