"""What is to be done so that the stored jobs are what a file says. Nothing is written here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from scheduler import job_types
from scheduler.cli.entries import Wanted, calendar_names, described
from scheduler.cli.problems import Problem, Refused
from scheduler.cli.sealing import foreign, incoming
from scheduler.definition import Definition, check
from scheduler.exceptions import InvalidJob, NeverFires
from scheduler.models import Job
from scheduler.secret import MASK, is_sealed

_BATCH = 1000


class Verb(StrEnum):
    """What is to be done with a job."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True)
class Step:
    """One job to be written. ``changes`` are paths -> what people may see of before and after, None for nothing.

    Two plans are the same where their steps look the same: sealing a secret twice gives two different values.
    """

    verb: Verb
    kind: str
    number: int | None
    name: str
    line: int
    changes: Mapping[str, tuple[Any, Any]]
    version: int | None = None
    definition: Definition | None = field(default=None, compare=False)
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Plan:
    """What is to be done, how many jobs are as they should be, and which new ones were left out as they never fire."""

    steps: tuple[Step, ...]
    unchanged: int
    ended: tuple[str, ...] = ()


def make(wanted: Sequence[Wanted], *, prune: bool = False, skip_ended: bool = False, now: datetime) -> Plan:
    """Return what makes the stored jobs those that are ``wanted``.

    ``prune``: jobs of the kinds in the file that it does not name are deleted. ``skip_ended``: new jobs whose schedule
    has no fire after ``now`` are left out rather than refused. Raises ``Refused`` with every problem.
    """
    planner = _Planner(wanted, skip_ended=skip_ended, now=now)
    steps = planner.steps()
    if planner.problems:
        raise Refused(*planner.problems)
    doomed = list(_doomed(wanted, planner.matched)) if prune else []
    _check_names(wanted, planner, doomed)
    return Plan((*doomed, *steps), planner.unchanged, tuple(planner.ended))


class _Planner:
    """Finds each wanted job among the stored ones and compares."""

    def __init__(self, wanted: Sequence[Wanted], *, skip_ended: bool, now: datetime) -> None:
        self._wanted = wanted
        self._skip_ended = skip_ended
        self._now = now
        self._calendars = calendar_names()
        self.problems: list[Problem] = []
        self.matched: dict[int, Wanted] = {}
        self.ended: list[str] = []
        self.unchanged = 0

    def steps(self) -> list[Step]:
        """Return the updates by job, so that two at once lock in one order, then the creations in the file's order."""
        updates: dict[int, Step] = {}
        creations: list[Step] = []
        numbers: dict[tuple[str, int], int] = {}
        for item, job in zip(self._wanted, _stored(self._wanted, self.problems), strict=True):
            number = job.number if job is not None else item.number
            if number is not None:
                first = numbers.setdefault((item.kind, number), item.line)
                if first != item.line:
                    self._refuse(item, "number", f"the job is there twice, first in line {first}")
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
        yield Step(Verb.CREATE, item.kind, item.number, definition.name, item.line, changes, definition=item.definition)

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
        if not values:
            self.unchanged += 1
            return None
        if "schedule" in values:
            job_types.get(item.kind).check_schedule(after.schedule)
            after.schedule.first_after(self._now)
        changes = differences(self._shown(job.kind, before, whole=True), self._shown(job.kind, after, whole=True))
        changes |= dict.fromkeys(_secrets_changed(before.arguments, after.arguments), (MASK, "another secret"))
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
        )

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
    new_names: dict[tuple[str, str], int] = {}
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
        first = new_names.setdefault(key, item.line)
        if first != item.line:
            problems.append(
                Problem(item.at("name"), f"the name is there twice, first in line {first}; say the numbers")
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
        seen: dict[str, int] = {}
        for item in mine:
            first = seen.setdefault(item.definition.name, item.line)
            if first != item.line:
                problems.append(Problem(item.at("name"), f"the name is taken in line {first}"))
        for start in range(0, len(mine), _BATCH):
            names = {item.definition.name: item for item in mine[start : start + _BATCH]}
            for job in Job.objects.filter(kind=kind, name__in=names):
                item = names[job.name]
                if planner.matched.get(job.pk) is None and (kind, job.number) not in gone:
                    problems.append(Problem(item.at("name"), f"{kind} job {job.number} has this name"))
    if problems:
        raise Refused(*problems)
