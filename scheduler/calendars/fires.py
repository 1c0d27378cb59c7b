"""What of a schedule is due on closed days, and what is not.

A closed instant is no fire: it is recorded, and the misfire policy sees the open ones alone. Whether an instant is
closed depends on its own day, not on the day on which the clock finds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain, islice

from scheduler.calendars.days import Closed
from scheduler.schedule import Schedule

_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)
# So many closed instants are recorded one by one at a time; more of them day by day, in a row each.
ONE_BY_ONE = 100
# And so many days; older ones after an outage of years share one row.
MOST_DAYS = 400


class DueFires:
    """The instants of a schedule from ``due``, which is one, up to and including ``now``."""

    def __init__(self, schedule: Schedule, closed: Closed, *, due: datetime, now: datetime) -> None:
        self._schedule = schedule
        self._closed = closed
        self._due = due
        self._now = now

    def first_open(self) -> datetime | None:
        """Return the first open instant, None where all are closed."""
        return self._due if self._is_open(self._due) else self._within(self.next_after(self._due))

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first open instant after ``instant``, or one after now, open or not; None: none follows."""
        fire = self._schedule.next_after(instant)
        while fire is not None and fire <= self._now and not self._is_open(fire):
            fire = self._schedule.next_after(self._closed.start_of(self._closed.day_of(fire) + _DAY) - _TICK)
        return fire

    def previous_before(self, instant: datetime) -> datetime | None:
        """Return the last open instant before ``instant``, or one before ``due``; None: there was none."""
        fire = self._schedule.previous_before(instant)
        while fire is not None and fire >= self._due and not self._is_open(fire):
            fire = self._schedule.previous_before(self._closed.start_of(self._closed.day_of(fire)))
        return fire

    def closed(self) -> list[tuple[datetime, datetime | None]]:
        """Return the closed instants, oldest first, each with None; or many of them as their first and their last."""
        days = list(self._closed_days())
        older, newer = days[:-MOST_DAYS], days[-MOST_DAYS:]
        found: list[tuple[datetime, datetime | None]] = []
        if older:
            found.append((older[0][0], older[-1][1]))
        each = chain.from_iterable(self._between(first, last) for first, last in newer)
        singles = list(islice(each, ONE_BY_ONE + 1))
        if len(singles) <= ONE_BY_ONE:
            return found + [(instant, None) for instant in singles]
        return found + [(first, last if last > first else None) for first, last in newer]

    def _closed_days(self) -> Iterator[tuple[datetime, datetime]]:
        """Yield the first and the last instant of each closed day that has any."""
        day, today = self._closed.day_of(self._due), self._closed.day_of(self._now)
        while day <= today:
            if self._closed.closure(day) is not None:
                ends = min(self._closed.start_of(day + _DAY), self._now + _TICK)
                begins = self._closed.start_of(day)
                first = self._due if begins <= self._due else self._schedule.next_after(begins - _TICK)
                if first is not None and first < ends:
                    last = self._schedule.previous_before(ends)
                    yield first, max(first, last or first)
            day += _DAY

    def _between(self, first: datetime, last: datetime) -> Iterator[datetime]:
        instant: datetime | None = first
        while instant is not None and instant <= last:
            yield instant
            instant = self._schedule.next_after(instant)

    def _is_open(self, instant: datetime) -> bool:
        return self._closed.closure_at(instant) is None

    def _within(self, instant: datetime | None) -> datetime | None:
        return instant if instant is not None and instant <= self._now else None
