"""Since when a thread has seen the database answer, without a standstill of either."""

from __future__ import annotations

from collections.abc import Callable

from scheduler import clock


class Answers:
    """Told of each answer and each error; knows for how many seconds answers have come without a gap.

    An outage raises an error. A database, a disk or a machine that stands still raises none: the answer comes late, and
    with it those that everybody else was waiting for. So does a pause of this process, which is taken for the same.
    """

    def __init__(self, *, longest_gap: float, now: Callable[[], float] = clock.elapsed) -> None:
        self._longest_gap = longest_gap
        self._now = now
        self._since = self._last = now()

    def came(self) -> float:
        """Note an answer; return for how many seconds they have come."""
        now = self._now()
        if now - self._last > self._longest_gap:
            self._since = now
        self._last = now
        return now - self._since

    def failed(self) -> None:
        """Note an error: the seconds begin anew."""
        self._since = self._last = self._now()
