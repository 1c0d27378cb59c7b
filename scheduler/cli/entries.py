"""Between an entry of a file and a job's definition. What a file leaves out has the definition's default.

But for ``alerts``: a file that does not speak of them leaves a job's rules as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import date, datetime
from typing import Any, get_args, get_type_hints

from scheduler import job_types
from scheduler.cli import calendar_entries, rule_entries
from scheduler.cli.calendar_entries import WantedCalendar
from scheduler.cli.documents import File, Located, plain
from scheduler.cli.members import Members
from scheduler.cli.problems import Problem, Refused
from scheduler.cli.rule_entries import Rule, Stored
from scheduler.cli.sealing import outgoing
from scheduler.definition import Definition
from scheduler.exceptions import UnknownJobType
from scheduler.models import Calendar, Channel, Job
from scheduler.schedule import Schedule

_DEFAULTS = {item.name: item.default for item in fields(Definition) if item.default is not MISSING}
_HINTS = get_type_hints(Definition)
_OWN = ("schedule", "arguments", "headers", "calendars")
_PLAIN = tuple(item.name for item in fields(Definition) if item.name not in _OWN)
_FIRST = ("name", "description", "active")
_KNOWN = ("kind", "number", *(item.name for item in fields(Definition)), "alerts")
_TEXTS, _INSTANTS = ("expression", "zone", "text"), ("run_at", "starts_at", "ends_at")
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Wanted:
    """A job as a file wants it. ``lines`` are those of its members; ``number`` None: known by its name.

    ``alerts``, its own rules: None where they are to stay as they are.
    """

    kind: str
    number: int | None
    definition: Definition
    line: int
    lines: Mapping[str, int]
    alerts: tuple[Rule, ...] | None = None

    def at(self, field: str) -> int:
        """Return the line that a field of the definition is to be looked for in."""
        place = "schedule" if field in (*_TEXTS, *_INSTANTS, "schedule_text") else field
        return self.lines.get(place, self.line)


@dataclass(frozen=True)
class WantedFile:
    """What a file wants. ``defaults``, the rules of no job: None where they are to stay as they are.

    ``calendars`` that are not stored yet have numbers below 0 in the definitions of the jobs that go by them.
    """

    jobs: Sequence[Wanted]
    calendars: Sequence[WantedCalendar] = ()
    defaults: tuple[Rule, ...] | None = None
    defaults_line: int = 0
    calendar_names: Mapping[int, str] = field(default_factory=dict)


def read_all(file: File, *, today: date) -> WantedFile:
    """Return what a file wants. Raises ``Refused`` with every problem of every entry."""
    wanted: list[Wanted] = []
    problems: list[Problem] = []
    calendars: list[WantedCalendar] = []
    try:
        calendars = calendar_entries.read_all(file.calendars, today=today)
    except Refused as refusal:
        problems += refusal.problems
    known = _calendar_numbers(file.calendars)
    named = file.alerts is not None or any(entry.get("alerts") for entry in file.jobs)
    channels = set(Channel.objects.values_list("name", flat=True)) if named else set()
    for entry in file.jobs:
        reader = _Reader(entry, known, channels)
        found = reader.read()
        problems += reader.problems
        if found is not None:
            wanted.append(found)
    defaults = None
    if file.alerts is not None:
        defaults, wrong = rule_entries.read(file.alerts, channels=channels, default=True)
        problems += wrong
    if problems:
        raise Refused(*problems)
    names = {number: name for name, number in known.items()}
    return WantedFile(wanted, calendars, defaults, file.alerts_line, names)


def _calendar_numbers(listed: Iterable[Located]) -> dict[str, int]:
    """Return name -> number of the stored calendars and, below 0, of those that a file lists and are not stored."""
    known = dict(Calendar.objects.values_list("name", "pk"))
    for place, entry in enumerate(listed, start=1):
        name = entry.get("name")
        if isinstance(name, str):
            known.setdefault(name, -place)
    return known


class _Reader(Members):
    """Reads one entry and collects what is wrong with it."""

    def __init__(self, entry: Located, calendars: Mapping[str, int], channels: Collection[str]) -> None:
        super().__init__(entry)
        self._calendars = calendars
        self._channels = channels

    def read(self) -> Wanted | None:
        entry = self.entry
        self.refuse_unknown(entry, _KNOWN)
        values = {
            name: self.plain(name, *(get_args(_HINTS[name]) or (_HINTS[name],))) for name in _PLAIN if name in entry
        }
        if "name" not in entry:
            self.refuse("", "name is missing")
        kind, number = self._kind(), self._number()
        schedule = self._schedule()
        for name in ("arguments", "headers"):
            if entry.get(name) is not None or name == "arguments":
                values[name] = self._mapping(name)
        if entry.get("calendars") is not None:
            values["calendars"] = self._calendar_numbers()
        alerts = self._alerts()
        if self.problems or schedule is None:
            return None
        return Wanted(kind, number, Definition(schedule=schedule, **values), entry.line, entry.lines, alerts)

    def _alerts(self) -> tuple[Rule, ...] | None:
        value = self.entry.get("alerts")
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, Located) for item in value):
            self.refuse("alerts", "alerts must be a list of mappings")
            return None
        rules, problems = rule_entries.read(value, channels=self._channels, default=False)
        self.problems += problems
        return rules

    def _kind(self) -> str:
        kind = self.entry.get("kind")
        try:
            job_types.get(kind if isinstance(kind, str) else "")
        except UnknownJobType:
            known = ", ".join(sorted(found.kind for found in job_types.all_types()))
            self.refuse("kind", f"kind must be one of {known}")
        return str(kind)

    def _number(self) -> int | None:
        number = self.entry.get("number")
        if number is None:
            return None
        if type(number) is not int or not 0 < number <= _LARGEST:
            self.refuse("number", f"number must be a whole number from 1 to {_LARGEST}")
            return None
        return number

    def _mapping(self, name: str) -> dict[str, Any]:
        value = self.entry.get(name)
        if not isinstance(value, Located):
            self.refuse(name, f"{name} must be a mapping" if name in self.entry else f"{name} is missing")
            return {}
        found: dict[str, Any] = plain(value)
        return found

    def _calendar_numbers(self) -> tuple[int, ...]:
        names = self.texts("calendars")
        for name in names:
            if name not in self._calendars:
                self.refuse("calendars", f"there is no calendar '{name[:100]}'")
        return tuple(self._calendars[name] for name in names if name in self._calendars)

    def _schedule(self) -> Schedule | None:
        value = self.entry.get("schedule")
        if not isinstance(value, Located):
            present = "schedule" in self.entry
            self.refuse("schedule", "schedule must be a mapping" if present else "schedule is missing")
            return None
        before = len(self.problems)
        self.refuse_unknown(value, (*_TEXTS, *_INSTANTS), "schedule.")
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


def entry_of(
    job: Job, *, calendars: Mapping[int, str], alerts: Stored, sealed: bool = False, numbers: bool = True
) -> dict[str, Any]:
    """Return the entry that a file has for ``job``: what differs from a definition's defaults, rules, arguments last.

    Secrets are asterisks, or as they are stored where ``sealed``. Raises ``UnknownJobType``.
    """
    definition = Definition.of(job)
    shown = outgoing(job_types.get(job.kind), job.arguments, sealed=sealed)
    identity = {"kind": job.kind, **({"number": job.number} if numbers else {})}
    members = described(definition, calendars=calendars)
    return {**identity, **members, "alerts": rule_entries.listed(alerts), "arguments": shown}


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
        members["calendars"] = sorted(calendars.get(number, f"calendar {number}") for number in definition.calendars)
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
