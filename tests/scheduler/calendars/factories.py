"""Calendars that are valid by default, and iCal files."""

import itertools
from typing import Any

from scheduler.calendars import store
from scheduler.models import Calendar

_numbers = itertools.count(1)


def a_calendar(**changes: Any) -> Calendar:
    """A stored calendar that closes nothing unless told what."""
    return store.save(None, store.Rules(**{"name": f"calendar {next(_numbers)}", **changes}), by="tester")


def edited(calendar: Calendar, **changes: Any) -> Calendar:
    """The calendar with other rules."""
    kept = {name: getattr(calendar, name) for name in store.Rules.__dataclass_fields__}
    return store.save(Calendar.objects.get(pk=calendar.pk), store.Rules(**{**kept, **changes}), by="tester")


def ics(*events: str, head: str = "") -> str:
    """An iCal file with events whose lines, separated by semicolons outside of values, are given as texts."""
    body = "".join(
        f"BEGIN:VEVENT\r\nUID:{number}\r\n{event.strip()}\r\nEND:VEVENT\r\n" for number, event in enumerate(events)
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//tests//\r\n{head}{body}END:VCALENDAR\r\n"


def event(start: str, *lines: str, name: str = "closed") -> str:
    """An event that begins at ``start`` (with the parameters before the colon), with further lines."""
    return "\r\n".join((f"DTSTART{start}", f"SUMMARY:{name}", *lines))
