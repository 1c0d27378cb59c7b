"""Copying the jobs of another console: what is to be done for each, and doing it.

Jobs are the same when their names are, for a name is unique. What is done twice changes nothing the second time.
A console never gives its credentials away; the ones that are stored here already stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from scheduler import jobs
from scheduler.definition import Definition
from scheduler.exceptions import SchedulerError
from scheduler.models import Job
from voltmx import serializers
from voltmx.arguments import Arguments
from voltmx.console import Console
from voltmx.errors import refusal_of
from voltmx.reading import Problems
from voltmx.secret import MASK, Secret

KIND = "voltmx"
CREATE, UPDATE, SAME, REFUSE = "create", "update", "unchanged", "refuse"
_SECRETIVE = ("requestheaderMap", "queryParams", "authentication")


@dataclass(frozen=True)
class Step:
    """What is to be done about one job of the other console. ``told`` are remarks for people."""

    verb: str
    name: str
    told: tuple[str, ...] = ()
    number: int | None = None
    definition: Definition | None = None
    job: Job | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, *, by: str) -> Step:
        """Do it, and return what was done: a refusal where the core refused."""
        try:
            if self.verb == CREATE and self.definition is not None:
                jobs.create(KIND, self.definition, by=by, number=self.number)
            elif self.verb == UPDATE and self.job is not None:
                jobs.update(self.job, self.changes, by=by)
        except SchedulerError as error:
            return replace(self, verb=REFUSE, told=(*self.told, *_sentences(error)))
        return self


def plan(console: Console, *, active: bool = True) -> Iterator[Step]:
    """Yield a step for each job of ``console``; not ``active``: jobs to create come paused. Raises ``ConsoleError``."""
    for row in console.jobs():
        number, name = row.get("jobId"), row.get("jobName")
        if type(number) is not int or not isinstance(name, str):
            yield Step(REFUSE, str(name), ("the list names no id or no name",))
            continue
        body = {**console.job(number), "description": row.get("description")}
        try:
            local = Job.objects.with_state().filter(kind=KIND, name=name).first()
            yield _creation(number, name, body, active=active) if local is None else _update(local, body)
        except (Problems, SchedulerError) as error:
            yield Step(REFUSE, name, _sentences(error))


def _creation(number: int, name: str, body: Mapping[str, Any], *, active: bool) -> Step:
    body, told = _without_masks(body, None)
    _number, definition = serializers.read_new({**body, "jobId": None})
    if not active:
        definition = replace(definition, active=False)
    if Job.objects.filter(kind=KIND, number=number).exists():
        return Step(
            CREATE, name, (*told, f"the id {number} is taken here: it gets the next free one"), None, definition
        )
    return Step(CREATE, name, told, number, definition)


def _update(local: Job, body: Mapping[str, Any]) -> Step:
    body, told = _without_masks(body, Arguments.of(local.arguments))
    info = body.get("jobServiceInfo")
    if isinstance(info, Mapping):
        # What the other console no longer has is to go here too.
        body["jobServiceInfo"] = {"queryParams": None, "successCriteria": None, "authentication": None, **info}
    changes = serializers.read_changes({"emailNotifications": None, **body}, local)
    # Whether a job runs here is decided here: a copy may be paused while the original goes on.
    changes.pop("active", None)
    if not changes:
        return Step(SAME, local.name, told)
    return Step(UPDATE, local.name, (*told, f"changes {', '.join(sorted(changes))}"), job=local, changes=changes)


def _without_masks(body: Mapping[str, Any], kept: Arguments | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return a body without asterisks for which nothing is stored here, and what is missing for it."""
    whole = dict(body)
    info = whole.get("jobServiceInfo")
    if not isinstance(info, Mapping):
        return whole, ()
    told = []
    cleaned = dict(info)
    for place in _SECRETIVE:
        members = info.get(place)
        if not isinstance(members, Mapping):
            continue
        missing = [name for name, value in members.items() if value == MASK and not _stored(kept, place, name)]
        told += [f"{place}.{name} is a secret that the console does not give away: enter it here" for name in missing]
        cleaned[place] = {name: value for name, value in members.items() if name not in missing}
    whole["jobServiceInfo"] = cleaned
    return whole, tuple(told)


def _stored(kept: Arguments | None, place: str, name: str) -> bool:
    if kept is None:
        return False
    if place == "authentication":
        attribute = {"appSecret": "app_secret", "password": "password"}.get(name, "")
        return isinstance(getattr(kept.authentication, attribute, None), Secret)
    return isinstance((kept.headers if place == "requestheaderMap" else kept.query_params).get(name), Secret)


def _sentences(error: Exception) -> tuple[str, ...]:
    _status, message, details, _headers = refusal_of(error)
    if not details:
        return (message,)
    return tuple(f"{name}: {problem}" for name, found in details.items() for problem in found)
