"""How far back a beat looks for what is due.

A fire that is over stays in the index until no snapshot can see its row any more. Beside a dump, or a transaction that
somebody forgot, hundreds of thousands of such entries come to lie before what is due, and a look from the beginning
walks over all of them. Where that has become slow, most looks begin where the last one that saw everything began; those
from the beginning, which find what a dead beat had locked, come as rarely as keeps them below a tenth of the time.
"""

from __future__ import annotations

import threading
import time

# A look from the beginning that takes longer than this is not made every time.
SLOW_SECONDS = 0.02
# Looks from the beginning are at most this far apart. What a frozen beat holds is taken over within ten seconds: five
# until PostgreSQL ends its transaction (``connections.IDLE_IN_TRANSACTION``), and these.
LONGEST_APART_SECONDS = 3.0
# How much earlier than the last look the next one begins: a row may be due before the transaction that wrote it ends,
# and claims of that time were not all committed.
MARGIN_SECONDS = 2.0
# From the beginning: further back than any instant that a schedule can have.
EVERYTHING_SECONDS = 1e10


class Reach:
    """How far back the next look goes, for all claimers of one beat. Safe to use from several threads.

    It goes by the host's monotonic clock, which no step of a clock moves, and never by the database's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._whole_at = 0.0
        self._seen_at: float | None = None

    def seconds(self) -> float:
        """Return how many seconds before the database's now the next look begins."""
        now = time.monotonic()
        with self._lock:
            if self._seen_at is None or now >= self._whole_at:
                return EVERYTHING_SECONDS
            return now - self._seen_at + MARGIN_SECONDS

    def looked(self, back: float, *, began: float, took: float) -> None:
        """Note that a look which went ``back`` so far began at ``began`` (monotonic) and took so many seconds."""
        if back >= EVERYTHING_SECONDS:
            with self._lock:
                self._whole_at = began + min(10 * took, LONGEST_APART_SECONDS) if took > SLOW_SECONDS else 0.0

    def saw_all(self, began: float) -> None:
        """Note that nothing that was due when a look began, at ``began`` (monotonic), is left but what others hold."""
        with self._lock:
            self._seen_at = began

    def look_everywhere(self) -> None:
        """Let the next look begin at the beginning: a job was changed, so something may be due that was not."""
        with self._lock:
            self._whole_at = 0.0
