"""iCal files (RFC 5545): their events, worked out once, when the file is uploaded, up to a horizon.

What comes out is small and plain, so that a claim reads no file: days of the calendar (all-day events and events at a
time of no zone) and spans between two instants, which close different days in different zones. The file comes from
whoever may edit calendars: its size, its events, its rules and the time it takes are bounded.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from scheduler.exceptions import InvalidCalendar
from scheduler.history import storable_text

LONGEST_FILE = 1 << 20
# How far ahead events are worked out; a calendar that is saved again is worked out anew from then on.
HORIZON_YEARS = 10
MOST_EVENTS = 2000
MOST_RULES = 300
MOST_RULES_OF_AN_EVENT = 5
MOST_DAYS = 20_000
LONGEST_EVENT = timedelta(days=366)
EARLIEST_YEAR = 1970
MOST_SECONDS = 5.0
_LONGEST_NAME = 200
_DAY = timedelta(days=1)
# A file of one line may ask for one event each second, and a zone in it likewise, which is worked out while reading.
_TOO_OFTEN = re.compile(r"FREQ=(?:SECONDLY|MINUTELY|HOURLY)|BY(?:SECOND|MINUTE|HOUR)=", re.IGNORECASE)
# Rules for which the library looks at every day up to the year 9999, or at one day for ever.
_ENDLESS = re.compile(
    r"INTERVAL=0*(?:[;\s]|$)|FREQ=(?:DAILY|WEEKLY)\b.*BY(?:MONTH|YEAR)DAY=|BY(?:MONTH|YEAR)DAY=.*FREQ=(?:DAILY|WEEKLY)\b",
    re.IGNORECASE,
)
_FOLD = re.compile(r"\r?\n[ \t]")


@dataclass
class Events:
    """Closed days with their names, and spans of instants (Unix seconds, the end excluded) with theirs.

    ``until`` is the last day up to which they were worked out.
    """

    until: date
    days: dict[date, str] = field(default_factory=dict)
    spans: list[tuple[int, int, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return what ``Calendar.events`` holds."""
        days = {day.isoformat(): name for day, name in sorted(self.days.items())}
        return {"until": self.until.isoformat(), "days": days, "spans": [list(span) for span in sorted(self.spans)]}

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Events:
        """Return what ``as_json`` gave; no events for an empty object."""
        if not stored:
            return cls(date.min)
        days = {date.fromisoformat(day): name for day, name in stored["days"].items()}
        spans = [(start, end, name) for start, end, name in stored["spans"]]
        return cls(date.fromisoformat(stored["until"]), days, spans)


def read(text: str, *, today: date) -> Events:
    """Return the events from the beginning of last year to the horizon. Raises ``InvalidCalendar``."""
    if len(text.encode()) > LONGEST_FILE:
        raise _refused(f"has more than {LONGEST_FILE >> 10} KiB")
    if "BEGIN:VCALENDAR" not in text.upper():
        raise _refused("is no iCal file: it has no VCALENDAR")
    unfolded = _FOLD.sub("", text)
    rules = [line for line in unfolded.splitlines() if line.upper().startswith(("RRULE", "EXRULE"))]
    if any(_TOO_OFTEN.search(line) for line in rules):
        raise _refused("repeats an event within a day; days are closed as a whole, so repeat it daily")
    if any(_ENDLESS.search(line) for line in rules):
        raise _refused("has a rule of repetition that is not supported: a daily or weekly one by days of the month")
    if len(rules) > MOST_RULES or unfolded.upper().count("BEGIN:VEVENT") > MOST_EVENTS:
        raise _refused(f"has more than {MOST_EVENTS} events or {MOST_RULES} rules of repetition")
    events = Events(date(today.year + HORIZON_YEARS, 12, 31))
    give_up = time.monotonic() + MOST_SECONDS
    try:
        for found in _series(text, date(today.year - 1, 1, 1), events.until + _DAY):
            for occurrence in found:
                _add(events, occurrence)
                if len(events.days) + len(events.spans) > MOST_DAYS:
                    raise _refused(f"closes more than {MOST_DAYS:,} days up to {events.until.isoformat()}")
            if time.monotonic() > give_up:
                raise _refused("takes too long to work out: shorten it, or begin its repeated events later")
    except InvalidCalendar:
        raise
    except Exception as problem:
        # The libraries raise whatever a malformed file makes them stumble over.
        raise _refused(f"cannot be read: {storable_text(str(problem))[:200] or type(problem).__name__}") from None
    return events


def _series(text: str, first: date, after: date) -> Iterator[list[Any]]:
    """Yield the events of each calendar in the file, those that belong together at a time, as often as they happen."""
    import recurring_ical_events  # type: ignore[import-untyped]
    from icalendar import Calendar

    for calendar in Calendar.from_ical(text, multiple=True):
        series: dict[str, list[Any]] = defaultdict(list)
        for event in calendar.walk("VEVENT"):
            _check(event)
            series[str(event.get("UID", id(event)))].append(event)
        others = [part for part in calendar.subcomponents if part.name == "VTIMEZONE"]
        for events in series.values():
            alone = Calendar()
            alone.update(calendar)
            alone.subcomponents = [*others, *events]
            happening = recurring_ical_events.of(alone).between(first, after)
            yield [found for found in happening if str(found.get("STATUS", "")).upper() != "CANCELLED"]


def _check(event: Any) -> None:
    start = event.get("DTSTART")
    if start is None:
        raise _refused("has an event without a start")
    rules = event.get("RRULE", ())
    if rules and start.dt.year < EARLIEST_YEAR:
        raise _refused(f"has a repeated event that begins before {EARLIEST_YEAR}")
    if isinstance(rules, list) and len(rules) > MOST_RULES_OF_AN_EVENT:
        raise _refused(f"has an event with more than {MOST_RULES_OF_AN_EVENT} rules of repetition")


def _add(events: Events, found: Any) -> None:
    start = found["DTSTART"].dt
    ending = found.get("DTEND")
    end = ending.dt if ending is not None else start
    name = storable_text(" ".join(str(found.get("SUMMARY", "")).split()))[:_LONGEST_NAME]
    if _naive(end) - _naive(start) > LONGEST_EVENT:
        raise _refused(f"has an event of more than {LONGEST_EVENT.days} days")
    if isinstance(start, datetime) and start.tzinfo is not None:
        seconds = int(start.astimezone(UTC).timestamp()), int(end.astimezone(UTC).timestamp())
        events.spans.append((*seconds, name))
        return
    # A time of no zone is the clock's on the wall, wherever the job's zone is; an end at midnight closes no other day.
    last = max(_naive(start), _naive(end) - timedelta(microseconds=1)).date()
    day = _naive(start).date()
    while day <= last:
        events.days.setdefault(day, name)
        day += _DAY


def _naive(moment: date) -> datetime:
    """Return a day's midnight, or an instant's time on the clock of its own zone."""
    if isinstance(moment, datetime):
        return moment.replace(tzinfo=None)
    return datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 - wall time


def _refused(problem: str) -> InvalidCalendar:
    return InvalidCalendar("ical", f"the file {problem}")
