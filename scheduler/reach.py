"""How far back a beat looks for what is due.

A fire that is over stays in the index until no snapshot can see its row any more. Beside a dump, or a transaction that
somebody forgot, hundreds of thousands of such entries come to lie before what is due, and a look from the beginning
walks over all of them. Where that has become slow, most looks begin where the last one that saw everything began. What
others held then they look at by its key, so that a beat which dies is followed at once; looks from the beginning come
as rarely as keeps them below a tenth of the time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass

# Looks from the beginning that cost more than this, the pause after them included, are not made every time.
SLOW_SECONDS = 0.02
# Looks from the beginning are at most this far apart. They find what nobody told of: rows that were edited by hand.
LONGEST_APART_SECONDS = 10.0
# And this far after one that left something due: what others hold beside it is not known.
LONGEST_UNKNOWN_SECONDS = 1.0
# How much earlier than the last look the next one begins: a row may be due before the transaction that wrote it ends,
# and claims of that time were not all committed.
MARGIN_SECONDS = 2.0
# From the beginning: further back than any instant that a schedule can have.
EVERYTHING_SECONDS = 1e10
# Of what others hold so many jobs are remembered: the batches of two beats. See `Reach.freed` for where there are more.
MOST_HELD = 1000


@dataclass(slots=True)
class Look:
    """One look for what is due: so many seconds ``back``, and at the jobs that others ``held`` before.

    ``began`` is monotonic time, ``took`` the seconds that it has cost so far.
    """

    back: float
    held: tuple[int, ...]
    began: float
    asked: int
    took: float = 0.0

    @property
    def whole(self) -> bool:
        return self.back >= EVERYTHING_SECONDS


class Reach:
    """How far back the next look goes, for all claimers of one beat. Safe to use from several threads.

    It goes by the host's monotonic clock, which no step of a clock moves. Of the database's it only notes such steps.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._whole_at = 0.0
        self._seen_at: float | None = None
        self._held: tuple[int, ...] = ()
        # How often a look from the beginning was asked for: one that began before cannot answer that.
        self._asked = 0
        self._ahead: float | None = None

    def look(self) -> Look:
        """Return the look to be made now."""
        now = time.monotonic()
        with self._lock:
            return Look(self._seconds(now), self._held, now, self._asked)

    def seconds(self) -> float:
        """Return how many seconds before the database's now a look would begin."""
        with self._lock:
            return self._seconds(time.monotonic())

    def _seconds(self, now: float) -> float:
        if self._seen_at is None or now >= self._whole_at:
            return EVERYTHING_SECONDS
        return now - self._seen_at + MARGIN_SECONDS

    def looked(self, look: Look, *, took: float) -> None:
        """Note that a look, or another part of it, took so many seconds."""
        look.took += took
        with self._lock:
            self._put_off(look, LONGEST_UNKNOWN_SECONDS)

    def _put_off(self, look: Look, longest: float) -> None:
        if look.whole and look.asked == self._asked:
            self._whole_at = look.began + min(10 * look.took, longest) if look.took > SLOW_SECONDS else 0.0

    def held(self) -> tuple[int, ...] | None:
        """Return the jobs known to be held by others; None: looks go back to the beginning and need not know."""
        with self._lock:
            return self._held if self._whole_at else None

    def saw_all(self, look: Look, *, asked: Collection[int] = (), held: Collection[int] = ()) -> None:
        """Note that nothing that was due when a look began is left but what others hold.

        ``held`` are the jobs of that; ``asked``, the jobs of which it was asked whether they still are.
        """
        with self._lock:
            if self._seen_at is None or look.began > self._seen_at:
                self._seen_at = look.began
            # Another claimer may have told of others meanwhile.
            kept = set(self._held).difference(asked, held)
            self._held = (*held, *kept)[:MOST_HELD]
            self._put_off(look, LONGEST_APART_SECONDS)

    def freed(self, look: Look) -> None:
        """Note that a look could claim jobs that others had held: more may be free than are remembered."""
        if len(look.held) >= MOST_HELD:
            self.look_everywhere()

    def look_everywhere(self) -> None:
        """Let the next look begin at the beginning: a job was changed, so something may be due that was not."""
        with self._lock:
            self._asked += 1
            self._whole_at = 0.0

    def told(self, database: float, *, took: float) -> None:
        """Note what the database's clock shows, in seconds: what it stepped over is due, and no look began there.

        ``took`` seconds passed before the answer; one that was slow says too little.
        """
        if took > MARGIN_SECONDS / 4:
            return
        ahead = database - time.monotonic()
        before, self._ahead = self._ahead, ahead
        if before is not None and ahead - before > MARGIN_SECONDS / 2:
            self.look_everywhere()
