"""Quartz's search as its source has it: one calendar, moved field by field, slowly and with nothing remembered.

Works on sets and a predicate for days rather than on a text, so that a test can say what a text should mean.
"""

from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Reference:
    """The meaning of a text."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    day: Callable[[date], bool]
    months: frozenset[int]
    years: frozenset[int]

    def matches(self, wall: datetime) -> bool:
        """Whether a naive wall time matches every field."""
        clock = wall.second in self.seconds and wall.minute in self.minutes and wall.hour in self.hours
        return clock and self.matches_day(wall.date())

    def matches_day(self, day: date) -> bool:
        """Whether a day matches the fields that speak of days."""
        return day.month in self.months and day.year in self.years and self.day(day)

    def next_after(self, instant: datetime, zone: tzinfo) -> datetime | None:
        """The first fire after an aware instant, up to two years ahead; None if there is none until then."""
        start = (instant.astimezone(UTC) + SECOND).replace(microsecond=0)
        wall = start.astimezone(zone).replace(tzinfo=None, fold=0)
        end = wall + timedelta(days=750)
        while wall < end:
            following = first_from(self.seconds, wall.second)
            if following is None:
                wall = show(wall.replace(second=min(self.seconds)) + timedelta(minutes=1), zone)
            else:
                wall = show(wall.replace(second=following), zone)
            following = first_from(self.minutes, wall.minute)
            if following is None:
                wall = set_hour(wall, wall.hour + 1, min(self.minutes), zone)
                continue
            if following != wall.minute:
                wall = set_hour(wall, wall.hour, following, zone)
                continue
            following = first_from(self.hours, wall.hour)
            if following is None:
                wall = set_hour(wall + timedelta(days=1), min(self.hours), 0, zone)
                continue
            if following != wall.hour:
                wall = set_hour(wall, following, 0, zone)
                continue
            if self.matches_day(wall.date()):
                return wall.replace(tzinfo=zone, fold=1)
            day = wall.date() + timedelta(days=1)
            while not self.matches_day(day):
                day += timedelta(days=1)
                if day > end.date():
                    return None
            wall = show(datetime.combine(day, time()), zone)
        return None


def first_from(values: frozenset[int], value: int) -> int | None:
    """The smallest of the values that is not below `value`."""
    return min((candidate for candidate in values if candidate >= value), default=None)


def show(wall: datetime, zone: tzinfo) -> datetime:
    """What a lenient calendar shows when set to a wall time: later by the gap's length within a gap."""
    before = wall.replace(tzinfo=zone, fold=0).utcoffset()
    after = wall.replace(tzinfo=zone, fold=1).utcoffset()
    assert before is not None
    assert after is not None
    return wall + (after - before) if after > before else wall


def set_hour(day: datetime, hour: int, minute: int, zone: tzinfo) -> datetime:
    """Move to an hour and minute of a day; to the hour after it where the clock does not show that hour."""
    midnight = day.replace(hour=0, minute=0, second=0)
    wall = show(midnight + timedelta(hours=hour, minutes=minute), zone)
    if wall.hour != hour and hour != 24:
        wall = show(wall.replace(hour=0) + timedelta(hours=hour + 1), zone)
    return wall


def last_day(day: date) -> int:
    """The number of days in a day's month."""
    return monthrange(day.year, day.month)[1]


def nearest_weekday(year: int, month: int, wanted: int) -> int:
    """The day of the month that is the weekday nearest a day that the month has, without leaving the month."""
    length = monthrange(year, month)[1]
    weekdays = [day for day in range(1, length + 1) if date(year, month, day).weekday() < 5]
    return min(
        weekdays,
        key=lambda day: (abs(day - wanted), day > wanted if date(year, month, wanted).weekday() == 5 else day < wanted),
    )
