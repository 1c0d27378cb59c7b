"""What is to be done so that the stored jobs, and what they go by, are what a file says. Nothing is written here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from scheduler import job_types
from scheduler.cli import calendar_entries, rule_entries
from scheduler.cli.entries import Wanted, WantedFile, described
from scheduler.cli.problems import Problem, Refused
from scheduler.cli.rule_entries import RuleChange, Stored
from scheduler.cli.sealing import foreign, incoming
from scheduler.cli.steps import AnyStep, CalendarStep, DefaultsStep, Step, Verb
from scheduler.definition import Definition, check
from scheduler.exceptions import InvalidJob, NeverFires
from scheduler.models import Job
from scheduler.secret import MASK, is_sealed

_BATCH = 1000


@dataclass(frozen=True)
class Plan:
    """What is to be done, in this order; how much of the file is as it should be; which new jobs never fire."""

    steps: tuple[AnyStep, ...]
    unchanged: int
    ended: tuple[str, ...] = ()


def make(file: WantedFile, *, prune: bool = False, skip_ended: bool = False, now: datetime) -> Plan:
    """Return what makes the stored jobs, their rules and calendars those that a ``file`` wants.

    ``prune``: jobs of the kinds in the file that it does not name are deleted. ``skip_ended``: new jobs whose schedule
    has no fire after ``now`` are left out rather than refused. Raises ``Refused`` with every problem.
    """
    wanted = file.jobs
    planner = _Planner(file, skip_ended=skip_ended, now=now)
    steps = planner.steps()
    if planner.problems:
        raise Refused(*planner.problems)
    doomed = list(_doomed(wanted, planner.matched)) if prune else []
    _check_names(wanted, planner, doomed)
    calendars = list(_calendar_steps(file))
    defaults = list(_defaults_step(file))
    same = planner.unchanged + len(file.calendars) - len(calendars)
    return Plan((*calendars, *doomed, *steps, *defaults), same, tuple(planner.ended))


def _calendar_steps(file: WantedFile) -> Iterator[CalendarStep]:
    """Yield what makes the stored calendars those of the file, by name; others are left alone."""
    stored = calendar_entries.stored([wanted.rules.name for wanted in file.calendars]) if file.calendars else {}
    for wanted in sorted(file.calendars, key=lambda wanted: wanted.rules.name):
        rules = wanted.rules
        after = calendar_entries.entry_of(rules)
        calendar = stored.get(rules.name)
        if calendar is None:
            changes = {path: (None, value) for path, value in after.items()}
            yield CalendarStep(Verb.CREATE, rules.name, wanted.line, changes, rules=rules)
        elif changes := differences(calendar_entries.entry_of(calendar_entries.rules_of(calendar)), after):
            yield CalendarStep(Verb.UPDATE, rules.name, wanted.line, changes, calendar.version, rules)


def _defaults_step(file: WantedFile) -> Iterator[DefaultsStep]:
    if file.defaults is not None:
        rules = rule_entries.changes(rule_entries.stored_defaults(), file.defaults)
        if rules:
            yield DefaultsStep(file.defaults_line, rule_entries.shown(rules), rules)


class _Planner:
    """Finds each wanted job among the stored ones and compares."""

    def __init__(self, file: WantedFile, *, skip_ended: bool, now: datetime) -> None:
        self._wanted = file.jobs
        self._skip_ended = skip_ended
        self._now = now
        self._calendars = file.calendar_names
        self._rules: dict[int, Stored] = {}
        self.problems: list[Problem] = []
        self.matched: dict[int, Wanted] = {}
        self.ended: list[str] = []
        self.unchanged = 0

    def steps(self) -> list[Step]:
        """Return the updates by job, so that two at once lock in one order, then the creations in the file's order."""
        updates: dict[int, Step] = {}
        creations: list[Step] = []
        numbers: dict[tuple[str, int], Wanted] = {}
        stored = _stored(self._wanted, self.problems)
        if any(item.alerts is not None for item in self._wanted):
            self._rules = rule_entries.stored([job.pk for job in stored if job is not None])
        for item, job in zip(self._wanted, stored, strict=True):
            number = job.number if job is not None else item.number
            if number is not None:
                first = numbers.setdefault((item.kind, number), item)
                if first is not item:
                    self._refuse(item, "number", f"the job is there twice, first in line {first.line}")
                    continue
            try:
                if job is None:
                    creations += self._creation(item)
                else:
                    self.matched[job.pk] = item
                    step = self._update(item, job)
                    if step is not None:
                        updates[job.pk] = step
            except InvalidJob as refusal:
                self._refuse(item, refusal.field, f"{refusal.field}: {refusal.problem}")
        return [updates[key] for key in sorted(updates)] + creations

    def _refuse(self, item: Wanted, field_name: str, text: str) -> None:
        self.problems.append(Problem(item.at(field_name), text))

    def _creation(self, item: Wanted) -> Iterator[Step]:
        self._check(item.kind, item.definition)
        job_types.get(item.kind).check_schedule(item.definition.schedule)
        try:
            item.definition.schedule.first_after(self._now)
        except NeverFires:
            if not self._skip_ended:
                raise
            self.ended.append(item.definition.name)
            return
        stored = job_types.get(item.kind).stored(item.definition.arguments)
        definition = replace(item.definition, arguments=stored)
        shown = self._shown(item.kind, definition)
        changes = {path: (None, value) for path, value in shown.items()}
        rules = rule_entries.changes((), item.alerts or ())
        changes |= rule_entries.shown(rules)
        yield Step(
            *(Verb.CREATE, item.kind, item.number, definition.name, item.line, changes),
            definition=item.definition,
            rules=rules,
        )

    def _update(self, item: Wanted, job: Job) -> Step | None:
        before = Definition.of(job)
        sent = incoming(item.definition.arguments, stored=job.arguments)
        self._check(item.kind, replace(item.definition, arguments=sent))
        after = replace(item.definition, arguments=job_types.get(item.kind).stored(sent))
        values = {
            each.name: getattr(after, each.name)
            for each in fields(Definition)
            if _comparable(getattr(before, each.name)) != _comparable(getattr(after, each.name))
        }
        rules = self._rule_changes(item, job)
        if not values and not rules:
            self.unchanged += 1
            return None
        if "schedule" in values:
            job_types.get(item.kind).check_schedule(after.schedule)
            after.schedule.first_after(self._now)
        changes = differences(self._shown(job.kind, before, whole=True), self._shown(job.kind, after, whole=True))
        changes |= dict.fromkeys(_secrets_changed(before.arguments, after.arguments), (MASK, "another secret"))
        changes |= rule_entries.shown(rules)
        return Step(
            Verb.UPDATE,
            job.kind,
            job.number,
            job.name,
            item.line,
            changes,
            version=job.version,
            definition=item.definition,
            values={**values, **({"arguments": sent} if "arguments" in values else {})},
            rules=rules,
        )

    def _rule_changes(self, item: Wanted, job: Job) -> tuple[RuleChange, ...]:
        return () if item.alerts is None else rule_entries.changes(self._rules.get(job.pk, ()), item.alerts)

    def _check(self, kind: str, definition: Definition) -> None:
        for path in foreign(definition.arguments):
            raise InvalidJob("arguments", f"{path} was encrypted with a key that is not among ENCRYPTION_KEYS")
        check(kind, definition)

    def _shown(self, kind: str, definition: Definition, *, whole: bool = False) -> dict[str, Any]:
        """Return what people may see of a definition, path -> value; members with their default where ``whole``."""
        members = described(definition, calendars=self._calendars, whole=whole)
        return dict(_flat({**members, "arguments": job_types.get(kind).masked(definition.arguments)}))


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return path -> (before, after) of what differs, None for what is not there."""
    paths = dict.fromkeys((*before, *after))
    return {path: (before.get(path), after.get(path)) for path in paths if before.get(path) != after.get(path)}


def _comparable(value: Any) -> Any:
    return dict(value or {}) if isinstance(value, Mapping) or value is None else value


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        if isinstance(item, Mapping) and item:
            yield from _flat(item, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", item


def _secrets_changed(before: Any, after: Any, path: str = "arguments") -> Iterator[str]:
    """Yield the paths at which both have a secret, and not the same."""
    if is_sealed(before) and is_sealed(after):
        if before != after:
            yield path
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in before.keys() & after.keys():
            yield from _secrets_changed(before[name], after[name], f"{path}.{name}")


def _stored(wanted: Sequence[Wanted], problems: list[Problem]) -> list[Job | None]:
    """Return the stored job of each wanted one: that of its number, else the one of its name, else None."""
    by_number: dict[tuple[str, int], Job] = {}
    by_name: dict[tuple[str, str], list[Job]] = {}
    for batch in (wanted[start : start + _BATCH] for start in range(0, len(wanted), _BATCH)):
        for kind in {item.kind for item in batch}:
            mine = [item for item in batch if item.kind == kind]
            numbers = [item.number for item in mine if item.number is not None]
            names = {item.definition.name for item in mine if item.number is None}
            rows = Job.objects.filter(kind=kind)
            by_number |= {(kind, job.number): job for job in rows.filter(number__in=numbers)}
            for job in rows.filter(name__in=names):
                if job not in by_name.setdefault((kind, job.name), []):
                    by_name[kind, job.name].append(job)
    found: list[Job | None] = []
    new_names: dict[tuple[str, str], Wanted] = {}
    for item in wanted:
        if item.number is not None:
            found.append(by_number.get((item.kind, item.number)))
            continue
        key = item.kind, item.definition.name
        same = by_name.get(key, [])
        if len(same) > 1:
            numbers_text = ", ".join(str(job.number) for job in same[:10])
            problems.append(
                Problem(item.at("name"), f"several {item.kind} jobs have this name; say which: {numbers_text}")
            )
        first = new_names.setdefault(key, item)
        if first is not item:
            problems.append(
                Problem(item.at("name"), f"the name is there twice, first in line {first.line}; say the numbers")
            )
        found.append(same[0] if len(same) == 1 else None)
    return found


def _doomed(wanted: Sequence[Wanted], matched: Mapping[int, Wanted]) -> Iterator[Step]:
    """Yield the deletion of every job, of the kinds that are wanted, that nobody wants."""
    kinds = {item.kind for item in wanted}
    rows = Job.objects.filter(kind__in=kinds).order_by("pk").values_list("pk", "kind", "number", "name", "version")
    for key, kind, number, name, version in rows.iterator(chunk_size=_BATCH):
        if key not in matched:
            yield Step(Verb.DELETE, kind, number, name, 0, {}, version=version)


def _check_names(wanted: Sequence[Wanted], planner: _Planner, doomed: Sequence[Step]) -> None:
    """Refuse names of unique kinds that a job has already which keeps it. Raises ``Refused``."""
    problems = []
    gone = {(step.kind, step.number) for step in doomed}
    for kind in {item.kind for item in wanted}:
        if not job_types.get(kind).unique_names:
            continue
        mine = [item for item in wanted if item.kind == kind]
        seen: dict[str, Wanted] = {}
        for item in mine:
            first = seen.setdefault(item.definition.name, item)
            if first is not item:
                problems.append(Problem(item.at("name"), f"the name is taken in line {first.line}"))
        for start in range(0, len(mine), _BATCH):
            names = {item.definition.name: item for item in mine[start : start + _BATCH]}
            for job in Job.objects.filter(kind=kind, name__in=names):
                item = names[job.name]
                if planner.matched.get(job.pk) is None and (kind, job.number) not in gone:
                    problems.append(Problem(item.at("name"), f"{kind} job {job.number} has this name"))
    if problems:
        raise Refused(*problems)
