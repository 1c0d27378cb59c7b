"""Which days are closed: what a calendar's sources say together, on the clock of one zone.

A day is closed as a whole, from midnight to midnight on that clock, as with Quartz' HolidayCalendar; on a day on which
the clock changes it is 23 or 25 hours long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from scheduler.calendars.countries import holidays_of
from scheduler.calendars.dates import Dates
from scheduler.calendars.ical import Events
from scheduler.schedule import zone_of

_DAY = timedelta(days=1)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Closure:
    """Why a day is closed: the calendar's name, and what the day is to it."""

    calendar: str
    what: str

    def __str__(self) -> str:
        return f"{self.calendar}: {self.what}" if self.what else self.calendar


@dataclass
class CalendarDays:
    """The days of one calendar in one zone; remembers what it was asked."""

    name: str
    zone: ZoneInfo
    country: str = ""
    subdivision: str = ""
    weekdays: frozenset[int] = frozenset()
    dates: Dates = field(default_factory=lambda: Dates({}, {}))
    events: Events = field(default_factory=lambda: Events(date.min))

    def __post_init__(self) -> None:
        self._asked: dict[date, Closure | None] = {}
        self._events = dict(self.events.days)
        for start, end, name in self.events.spans:
            day = datetime.fromtimestamp(start, self.zone).date()
            last = datetime.fromtimestamp(max(start, end - 1), self.zone).date()
            while day <= last:
                self._events.setdefault(day, name)
                day += _DAY

    def closure(self, day: date) -> Closure | None:
        """Return why ``day`` is closed, None where it is open."""
        if day not in self._asked:
            if len(self._asked) > 20_000:
                self._asked.clear()
            what = self._what(day)
            self._asked[day] = None if what is None else Closure(self.name, what)
        return self._asked[day]

    def _what(self, day: date) -> str | None:
        found = self.dates.name(day)
        if found is None:
            found = self._events.get(day)
        if found is None and self.country:
            found = holidays_of(self.country, self.subdivision, day.year).get(day)
        if found is None and day.weekday() in self.weekdays:
            found = WEEKDAYS[day.weekday()]
        return found


class Closed:
    """The closed days of a job: those of its calendars, on the clock of its zone.

    The calendars are read when they are first asked, and what is wrong with them is raised then.
    """

    def __init__(self, zone: str, load: Callable[[], Sequence[CalendarDays]]) -> None:
        self._zone_name = zone
        self._load = load

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone on whose clock days begin. Raises ``InvalidSchedule``."""
        return zone_of(self._zone_name)

    @cached_property
    def calendars(self) -> Sequence[CalendarDays]:
        """The days of each calendar."""
        return self._load()

    def closure(self, day: date) -> Closure | None:
        """Return why ``day`` is closed, None where it is open."""
        for calendar in self.calendars:
            found = calendar.closure(day)
            if found is not None:
                return found
        return None

    def closure_at(self, instant: datetime) -> Closure | None:
        """Return why the day of ``instant`` is closed, None where it is open."""
        return self.closure(self.day_of(instant))

    def day_of(self, instant: datetime) -> date:
        """Return the day that the zone's clock shows at ``instant``."""
        return instant.astimezone(self.zone).date()

    def start_of(self, day: date) -> datetime:
        """Return the instant, in UTC, at which ``day`` begins; the change itself where the clock skips midnight."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def coming(self, first: date, *, days: int, limit: int) -> list[tuple[date, Closure]]:
        """Return up to ``limit`` closed days among ``days`` from ``first`` on."""
        found: list[tuple[date, Closure]] = []
        for offset in range(days):
            day = first + offset * _DAY
            closure = self.closure(day)
            if closure is not None:
                found.append((day, closure))
                if len(found) == limit:
                    break
        return found
