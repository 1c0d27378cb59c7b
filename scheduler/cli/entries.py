"""Between an entry of a file and a job's definition. What a file leaves out has the definition's default."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from typing import Any, get_args, get_type_hints

from scheduler import job_types
from scheduler.cli.documents import Located, plain
from scheduler.cli.problems import Problem, Refused
from scheduler.cli.sealing import outgoing
from scheduler.definition import Definition
from scheduler.exceptions import UnknownJobType
from scheduler.models import Calendar, Job
from scheduler.schedule import Schedule

_DEFAULTS = {item.name: item.default for item in fields(Definition) if item.default is not MISSING}
_HINTS = get_type_hints(Definition)
_OWN = ("schedule", "arguments", "headers", "calendars")
_PLAIN = tuple(item.name for item in fields(Definition) if item.name not in _OWN)
_FIRST = ("name", "description", "active")
_KNOWN = ("kind", "number", *(item.name for item in fields(Definition)))
_TEXTS, _INSTANTS = ("expression", "zone", "text"), ("run_at", "starts_at", "ends_at")
_TYPES = {str: "text", bool: "true or false", int: "a whole number", type(None): "null"}
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Wanted:
    """A job as a file wants it. ``lines`` are those of its members; ``number`` None: known by its name."""

    kind: str
    number: int | None
    definition: Definition
    line: int
    lines: Mapping[str, int]

    def at(self, field: str) -> int:
        """Return the line that a field of the definition is to be looked for in."""
        place = "schedule" if field in (*_TEXTS, *_INSTANTS, "schedule_text") else field
        return self.lines.get(place, self.line)


def read_all(entries: Iterable[Located]) -> list[Wanted]:
    """Return what all entries want. Raises ``Refused`` with every problem of every entry."""
    known = dict(Calendar.objects.values_list("name", "pk"))
    wanted: list[Wanted] = []
    problems: list[Problem] = []
    for entry in entries:
        reader = _Reader(entry, known)
        found = reader.read()
        problems += reader.problems
        if found is not None:
            wanted.append(found)
    if problems:
        raise Refused(*problems)
    return wanted


class _Reader:
    """Reads one entry and collects what is wrong with it."""

    def __init__(self, entry: Located, calendars: Mapping[str, int]) -> None:
        self._entry = entry
        self._calendars = calendars
        self.problems: list[Problem] = []

    def read(self) -> Wanted | None:
        entry = self._entry
        self._refuse_unknown(entry, _KNOWN, "")
        values = {name: self._plain(name) for name in _PLAIN if name in entry}
        if "name" not in entry:
            self._refuse("", "name is missing")
        kind, number = self._kind(), self._number()
        schedule = self._schedule()
        for name in ("arguments", "headers"):
            if entry.get(name) is not None or name == "arguments":
                values[name] = self._mapping(name)
        if entry.get("calendars") is not None:
            values["calendars"] = self._calendar_numbers()
        if self.problems or schedule is None:
            return None
        return Wanted(kind, number, Definition(schedule=schedule, **values), entry.line, entry.lines)

    def _refuse(self, name: str, text: str) -> None:
        self.problems.append(Problem(self._entry.lines.get(name, self._entry.line), text))

    def _refuse_unknown(self, members: Located, known: Iterable[str], inside: str) -> None:
        for name in members:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                self.problems.append(Problem(members.lines[name], f"unknown field '{inside}{name[:100]}'{hint}"))

    def _kind(self) -> str:
        kind = self._entry.get("kind")
        try:
            job_types.get(kind if isinstance(kind, str) else "")
        except UnknownJobType:
            known = ", ".join(sorted(found.kind for found in job_types.all_types()))
            self._refuse("kind", f"kind must be one of {known}")
        return str(kind)

    def _number(self) -> int | None:
        number = self._entry.get("number")
        if number is None:
            return None
        if type(number) is not int or not 0 < number <= _LARGEST:
            self._refuse("number", f"number must be a whole number from 1 to {_LARGEST}")
            return None
        return number

    def _plain(self, name: str) -> Any:
        """Return a member whose type is the definition's; a wrong one is refused."""
        value, taken = self._entry[name], get_args(_HINTS[name]) or (_HINTS[name],)
        if type(value) not in taken:
            self._refuse(name, f"{name} must be {' or '.join(_TYPES[each] for each in taken)}")
        return value

    def _mapping(self, name: str) -> dict[str, Any]:
        value = self._entry.get(name)
        if not isinstance(value, Located):
            self._refuse(name, f"{name} must be a mapping" if name in self._entry else f"{name} is missing")
            return {}
        found: dict[str, Any] = plain(value)
        return found

    def _calendar_numbers(self) -> tuple[int, ...]:
        names = self._entry["calendars"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self._refuse("calendars", "calendars must be a list of names")
            return ()
        for name in names:
            if name not in self._calendars:
                self._refuse("calendars", f"there is no calendar '{name[:100]}'")
        return tuple(self._calendars[name] for name in names if name in self._calendars)

    def _schedule(self) -> Schedule | None:
        value = self._entry.get("schedule")
        if not isinstance(value, Located):
            present = "schedule" in self._entry
            self._refuse("schedule", "schedule must be a mapping" if present else "schedule is missing")
            return None
        before = len(self.problems)
        self._refuse_unknown(value, (*_TEXTS, *_INSTANTS), "schedule.")
        found: dict[str, Any] = {}
        for name in (*_TEXTS, *_INSTANTS):
            item = value.get(name)
            if item is None:
                continue
            if not isinstance(item, str):
                self.problems.append(Problem(value.lines[name], f"schedule.{name} must be text"))
            elif name in _TEXTS:
                found[name] = item
            elif (instant := _instant(item)) is None:
                what = "an ISO 8601 date and time with an offset or Z"
                self.problems.append(Problem(value.lines[name], f"schedule.{name} must be {what}"))
            else:
                found[name] = instant
        return Schedule(**found) if len(self.problems) == before else None


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None


def calendar_names() -> dict[int, str]:
    """Return the names of all calendars by number."""
    return dict(Calendar.objects.values_list("pk", "name"))


def entry_of(job: Job, *, calendars: Mapping[int, str], sealed: bool = False, numbers: bool = True) -> dict[str, Any]:
    """Return the entry that a file has for ``job``: what differs from a definition's defaults, arguments last.

    Secrets are asterisks, or as they are stored where ``sealed``. Raises ``UnknownJobType``.
    """
    definition = Definition.of(job)
    shown = outgoing(job_types.get(job.kind), job.arguments, sealed=sealed)
    identity = {"kind": job.kind, **({"number": job.number} if numbers else {})}
    return {**identity, **described(definition, calendars=calendars), "arguments": shown}


def described(definition: Definition, *, calendars: Mapping[int, str], whole: bool = False) -> dict[str, Any]:
    """Return the members of an entry that say what a definition says, without its arguments.

    Members that have their default are there only where ``whole``.
    """
    members: dict[str, Any] = {}
    for name in (*_FIRST, "schedule", *(name for name in _PLAIN if name not in _FIRST)):
        value = getattr(definition, name)
        if name == "schedule":
            members[name] = _schedule_members(value)
        elif whole or value != _DEFAULTS.get(name, MISSING):
            members[name] = value
    if definition.headers:
        members["headers"] = plain(definition.headers)
    if definition.calendars:
        members["calendars"] = [calendars.get(number, f"calendar {number}") for number in definition.calendars]
    return members


def _schedule_members(schedule: Schedule) -> dict[str, str]:
    members: dict[str, str] = {}
    for name in (*_TEXTS, *_INSTANTS):
        value = getattr(schedule, name)
        if isinstance(value, datetime):
            members[name] = value.isoformat()
        elif value is not None and not (name == "zone" and value == "UTC" and schedule.expression is None):
            members[name] = value
    return members
