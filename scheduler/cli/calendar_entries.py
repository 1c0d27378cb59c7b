"""Between a calendar and its entry in a file: its days and rules, an iCal file as it was uploaded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from scheduler.calendars.days import WEEKDAYS
from scheduler.calendars.store import Rules
from scheduler.cli.documents import Located
from scheduler.cli.members import Members
from scheduler.cli.problems import Problem, Refused
from scheduler.exceptions import InvalidCalendar
from scheduler.models import Calendar

_TEXTS = ("name", "description", "country", "subdivision", "ical_name", "ical")
_KNOWN = ("name", "description", "country", "subdivision", "weekdays", "days", "ical_name", "ical")
# What the core calls a member of a file.
_MEMBERS = {"dates": "days"}


@dataclass(frozen=True)
class WantedCalendar:
    """A calendar as a file wants it."""

    rules: Rules
    line: int
    lines: Mapping[str, int]

    def at(self, field: str) -> int:
        """Return the line that a field of the rules is to be looked for in."""
        return self.lines.get(_MEMBERS.get(field, field), self.line)


def rules_of(calendar: Calendar) -> Rules:
    """Return what a stored calendar is."""
    plain = {name: getattr(calendar, name) for name in _TEXTS}
    return Rules(**plain, weekdays=tuple(calendar.weekdays), dates="\n".join(calendar.dates.splitlines()))


def entry_of(rules: Rules) -> dict[str, Any]:
    """Return the entry that a file has for a calendar: its name, and what it has of the rest."""
    values = {
        **{name: getattr(rules, name) for name in _TEXTS},
        "weekdays": [WEEKDAYS[day] for day in rules.weekdays],
        "days": rules.dates.splitlines(),
    }
    return {name: values[name] for name in _KNOWN if name == "name" or values[name]}


def stored(names: Collection[str]) -> dict[str, Calendar]:
    """Return the calendars of these names by name."""
    return {calendar.name: calendar for calendar in Calendar.objects.filter(name__in=names).defer("events")}


def stored_entries(keys: Collection[int] | None) -> Iterator[dict[str, Any]]:
    """Yield the entries of the calendars of these keys, of all for None, by name."""
    rows = Calendar.objects.defer("events").order_by("name")
    for calendar in (rows if keys is None else rows.filter(pk__in=keys)).iterator(chunk_size=20):
        yield entry_of(rules_of(calendar))


def read_all(entries: Iterable[Located], *, today: date) -> list[WantedCalendar]:
    """Return the calendars that a file wants. Raises ``Refused`` with every problem."""
    found: list[WantedCalendar] = []
    problems: list[Problem] = []
    for entry in entries:
        reader = _Reader(entry)
        rules = reader.read(today)
        problems += reader.problems
        if rules is not None:
            found.append(WantedCalendar(rules, entry.line, entry.lines))
    seen: dict[str, WantedCalendar] = {}
    for wanted in found:
        first = seen.setdefault(wanted.rules.name, wanted)
        if first is not wanted:
            problems.append(Problem(wanted.at("name"), f"the calendar is there twice, first in line {first.line}"))
    if problems:
        raise Refused(*problems)
    return found


class _Reader(Members):
    def read(self, today: date) -> Rules | None:
        self.refuse_unknown(self.entry, _KNOWN)
        if "name" not in self.entry:
            self.refuse("", "name is missing")
        values = {name: self.plain(name, str) for name in _TEXTS if name in self.entry}
        weekdays, days = self._weekdays(self.texts("weekdays")), self.texts("days")
        if any(day.splitlines() not in ([], [day]) for day in days):
            self.refuse("days", "days must be a list of lines")
        if self.problems:
            return None
        rules = Rules(**values, weekdays=weekdays, dates="\n".join(days))
        try:
            rules.check()
            rules.events(today=today)
        except InvalidCalendar as refusal:
            member = _MEMBERS.get(refusal.field, refusal.field)
            self.refuse(member, f"{member}: {refusal.problem}")
        return rules

    def _weekdays(self, names: Sequence[str]) -> tuple[int, ...]:
        for name in names:
            if name not in WEEKDAYS:
                self.refuse("weekdays", f"weekdays are {', '.join(WEEKDAYS)}")
                return ()
        return tuple(sorted({WEEKDAYS.index(name) for name in names}))
