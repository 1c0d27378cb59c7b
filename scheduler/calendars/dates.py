"""Days that somebody typed: one day or range a line, of one year or of every year, with a name behind it.

2027-05-14 Company outing
2027-12-24..2027-12-31
12-24..01-01 Between the years
02-29
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from scheduler.exceptions import InvalidCalendar

MOST_LINES = 1000
LONGEST_LINE = 200
LONGEST_RANGE_DAYS = 366
_DAY = timedelta(days=1)
_LEAP_YEAR = 2000
_LINE = re.compile(
    r"(?P<first>(?:\d{4}-)?\d{2}-\d{2})(?:\s*\.\.\s*(?P<last>(?:\d{4}-)?\d{2}-\d{2}))?(?:\s+(?P<name>\S.*))?", re.ASCII
)


@dataclass(frozen=True)
class Dates:
    """Single days with their names, and days of every year as (month, day) with theirs."""

    single: dict[date, str]
    yearly: dict[tuple[int, int], str]

    def name(self, day: date) -> str | None:
        """Return what the day is called, None where it is not among them. 29 February is in leap years alone."""
        found = self.single.get(day)
        return found if found is not None else self.yearly.get((day.month, day.day))


def read(text: str) -> Dates:
    """Return the days that ``text`` lists. Raises ``InvalidCalendar`` naming the line."""
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        raise InvalidCalendar("dates", f"must have at most {MOST_LINES} lines")
    found = Dates({}, {})
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            _read_line(line.strip(), found)
        except ValueError as problem:
            raise InvalidCalendar("dates", f"line {number}: {problem}") from None
    return found


def _read_line(line: str, found: Dates) -> None:
    match = _LINE.fullmatch(line) if len(line) <= LONGEST_LINE else None
    if match is None:
        raise ValueError("write a day as 2027-05-14, one of every year as 12-24, a range as 2027-12-24..2027-12-31")
    first, last, name = match["first"], match["last"] or match["first"], match["name"] or ""
    if len(first) != len(last):
        raise ValueError("a range has a year at both ends or at none")
    if len(first) == 5:
        for day in _yearly_days(first, last):
            found.yearly.setdefault((day.month, day.day), name)
        return
    start, end = _day(first), _day(last)
    if end < start:
        raise ValueError("the range ends before it begins")
    if end - start >= LONGEST_RANGE_DAYS * _DAY:
        raise ValueError(f"a range has at most {LONGEST_RANGE_DAYS} days")
    for day in _between(start, end):
        found.single.setdefault(day, name)


def _yearly_days(first: str, last: str) -> Iterator[date]:
    start, end = _day(f"{_LEAP_YEAR}-{first}"), _day(f"{_LEAP_YEAR}-{last}")
    if start <= end:
        yield from _between(start, end)
    else:
        yield from _between(start, date(_LEAP_YEAR, 12, 31))
        yield from _between(date(_LEAP_YEAR, 1, 1), end)


def _between(start: date, end: date) -> Iterator[date]:
    for offset in range((end - start).days + 1):
        yield start + offset * _DAY


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text.removeprefix(f'{_LEAP_YEAR}-')} is not a day") from None
