"""The form of a job: what clients post, checked as a whole so that every problem is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from scheduler import clock, jobs
from scheduler.exceptions import InvalidJob, InvalidSchedule, NeverFires
from scheduler.history import Strategy
from scheduler.models import Job
from scheduler.quartz import InvalidExpression, QuartzExpression
from scheduler.schedule import Schedule, zone_of
from zementis import instants, messages, model_store
from zementis.arguments import MAX_SECONDS, Arguments, SeriesName
from zementis.devices import Target, data_source
from zementis.job_type import KIND
from zementis.model_store import ModelNotFound, StoredModel

PERIODIC, ONCE = "periodic", "once"
MAX_NAME, MAX_DESCRIPTION = 255, 10_000
MAX_MAPPINGS = 10_000
# A run that failed for a passing reason (the engine died, the source did not answer) is tried again.
MAX_RETRIES = 2
_UNSAFE = frozenset("<>&\"'")


class JobRefused(Exception):
    """A posted job cannot be created. ``errors`` has one sentence per problem.

    ``missing`` is true where all that is wrong is that something it refers to does not exist.
    """

    def __init__(self, errors: list[str], *, missing: bool) -> None:
        super().__init__(" ".join(errors))
        self.errors = errors
        self.missing = missing


@dataclass
class _Problems:
    invalid: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        self.invalid.append(sentence)

    def settle(self) -> None:
        """Raise ``JobRefused`` if there is any problem."""
        if self.invalid or self.missing:
            raise JobRefused(self.invalid + self.missing, missing=not self.invalid)


def create(body: Any, *, by: str, active: bool = True) -> Job:
    """Check a posted job and create it, paused where not ``active``. Raises ``JobRefused``; ``DataSourceError``."""
    definition = replace(read(body, now=clock.now()), active=active)
    try:
        return jobs.create(KIND, definition, by=by)
    except NeverFires as error:
        raise JobRefused([f"cronExpression: {error.problem}."], missing=False) from error
    except InvalidJob as error:
        raise JobRefused([f"{error.field}: {error.problem}."], missing=False) from error


def read(body: Any, *, now: datetime) -> jobs.Definition:
    """Return the definition that a posted job asks for. Raises ``JobRefused``."""
    if not isinstance(body, dict):
        raise JobRefused(["The request body must be a JSON object."], missing=False)
    problems = _Problems()
    name = _text(body, "jobName", problems, required=True, longest=MAX_NAME)
    description = _text(body, "jobDescription", problems, required=False, longest=MAX_DESCRIPTION)
    model = _model(body, problems)
    target = _target(body, problems)
    mappings = _mappings(body, model, problems)
    schedule, data_range = _schedule(body, problems, now=now)
    problems.settle()
    if name is None or target is None or model is None or mappings is None or schedule is None:
        raise JobRefused(["The job is incomplete."], missing=False)
    arguments = Arguments(target=target.id, is_group=target.is_group, model=model.name, mappings=mappings, **data_range)
    return jobs.Definition(
        name=name,
        description=description,
        schedule=schedule,
        arguments=arguments.to_json(),
        history_strategy=Strategy.FULL.value,
        max_retries=MAX_RETRIES,
    )


def shown(value: Any) -> str:
    """Return a value as an error sentence quotes it: short, and on one line."""
    text = value if isinstance(value, str) else repr(value)
    text = "".join(character if character.isprintable() else "_" for character in text[:101])
    return text if len(text) <= 100 else f"{text[:97]}..."


def safe(text: str) -> str:
    """Return ``text`` with every control character and every character of ``<>&"'`` as an underscore."""
    return "".join(
        "_"
        if character in _UNSAFE or ord(character) < 32 or 0x7F <= ord(character) <= 0x9F or _half(character)
        else character
        for character in text
    )


def _half(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"


def _text(body: Mapping[str, Any], key: str, problems: _Problems, *, required: bool, longest: int) -> str | None:
    value = body.get(key)
    if value is None and not required:
        return None
    if value is None:
        problems.add(f"{key} is missing.")
    elif not isinstance(value, str):
        problems.add(f"{key} must be text, not {shown(value)}.")
    elif required and not value.strip():
        problems.add(f"{key} must not be blank.")
    elif len(value) > longest:
        problems.add(f"{key} must have at most {longest} characters; it has {len(value)}.")
    else:
        return safe(value)
    return None


def _model(body: Mapping[str, Any], problems: _Problems) -> StoredModel | None:
    value = body.get("associatedModel")
    if value is None:
        problems.add("associatedModel is missing.")
    elif not isinstance(value, str):
        problems.add(f"associatedModel must be text, not {shown(value)}.")
    elif not value.strip():
        problems.add("associatedModel must not be blank.")
    else:
        try:
            return model_store.get(value)
        except ModelNotFound:
            problems.missing.append(f"Model '{shown(value)}' not found.")
    return None


def _target(body: Mapping[str, Any], problems: _Problems) -> Target | None:
    key = "associatedGroupOrDeviceId"
    value = body.get(key)
    if value is None:
        problems.add(f"{key} is missing.")
        return None
    # Ids are strings elsewhere on the platform.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        problems.add(f"{key} must be a whole number, not {shown(value)}.")
        return None
    target = data_source().target(value)
    if target is None:
        problems.missing.append(messages.no_target(value))
    return target


def _mappings(body: Mapping[str, Any], model: StoredModel | None, problems: _Problems) -> dict[str, str] | None:
    key = "modelToDeviceMappings"
    value = body.get(key)
    if value is None:
        problems.add(f"{key} is missing.")
        return None
    if not isinstance(value, dict) or not value:
        problems.add(f"{key} must be an object with a series for each model input, not {shown(value)}.")
        return None
    if len(value) > MAX_MAPPINGS:
        problems.add(f"{key} must have at most {MAX_MAPPINGS} entries.")
        return None
    inputs = [item.name for item in model.description.inputs] if model is not None else []
    before = len(problems.invalid)
    pairs = _pairs(value, set(inputs))
    mappings: dict[str, str] = {}
    for name, path in pairs:
        if not isinstance(name, str) or not isinstance(path, str):
            problems.add(f"{key}: {shown(path if isinstance(name, str) else name)} is not text.")
            continue
        try:
            SeriesName.parse(path)
        except ValueError:
            problems.add(f"{key}: '{shown(path)}' is not of the form fragment.series.value.")
        if model is not None and name not in inputs:
            problems.add(f"{key}: '{shown(name)}' is not an input of model '{model.name}'.")
        elif name in mappings:
            problems.add(f"{key}: input '{shown(name)}' is mapped twice.")
        mappings[name] = path
    if model is not None:
        for name in inputs:
            if name not in mappings:
                problems.add(f"{key}: input '{shown(name)}' of model '{model.name}' has no mapping.")
    return mappings if len(problems.invalid) == before else None


def _pairs(value: Mapping[str, Any], inputs: set[str]) -> list[tuple[Any, Any]]:
    """Return (input, series) pairs: the reference shows both directions, told apart by which side names inputs."""
    keys = sum(key in inputs for key in value)
    values = sum(isinstance(item, str) and item in inputs for item in value.values())
    if keys == values:
        keys = sum(isinstance(item, str) and item.endswith(".value") for item in value.values())
        values = sum(key.endswith(".value") for key in value)
    return [(item, key) for key, item in value.items()] if values > keys else list(value.items())


def _schedule(body: Mapping[str, Any], problems: _Problems, *, now: datetime) -> tuple[Schedule | None, dict[str, Any]]:
    value = body.get("jobSchedule")
    if value is None:
        problems.add("jobSchedule is missing.")
        return None, {}
    if not isinstance(value, dict):
        problems.add(f"jobSchedule must be an object, not {shown(value)}.")
        return None, {}
    frequency = value.get("frequency")
    if frequency == PERIODIC:
        return _periodic(value, problems, now=now)
    if frequency == ONCE:
        return _once(value, problems, now=now)
    problems.add("frequency can be either once or periodic.")
    return None, {}


def _periodic(
    value: Mapping[str, Any], problems: _Problems, *, now: datetime
) -> tuple[Schedule | None, dict[str, Any]]:
    before = len(problems.invalid)
    expression, zone = (_required_text(value, key, problems) for key in ("cronExpression", "timeZone"))
    if expression is not None:
        try:
            QuartzExpression.parse(expression)
        except InvalidExpression as error:
            problems.add(f"cronExpression '{shown(expression)}' is not valid: {shown(str(error))}")
    if zone is not None:
        try:
            zone_of(zone)
        except InvalidSchedule:
            problems.add(f"timeZone '{shown(zone)}' is not a time zone.")
    seconds = value.get("dataFromPreviousNSeconds")
    if seconds is None:
        problems.add("dataFromPreviousNSeconds is missing.")
    elif isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds <= MAX_SECONDS:
        problems.add(f"dataFromPreviousNSeconds must be a whole number from 1 to {MAX_SECONDS}, not {shown(seconds)}.")
    else:
        _check_range(seconds, "dataFromPreviousNSeconds", problems)
    if len(problems.invalid) > before:
        return None, {}
    schedule = Schedule(expression=expression, zone=zone or "UTC")
    try:
        schedule.first_after(now)
    except NeverFires:
        problems.add(f"cronExpression '{shown(expression)}' never fires from now on.")
    return schedule, {"data_from_previous_seconds": seconds}


def _once(value: Mapping[str, Any], problems: _Problems, *, now: datetime) -> tuple[Schedule | None, dict[str, Any]]:
    run_at, first, last = (_instant(value, key, problems) for key in ("scheduleAt", "dataFrom", "dataTo"))
    if run_at is not None and run_at <= now:
        problems.add(
            f"Unable to trigger the job since schedule date {instants.shortest(run_at)} is prior to the current time"
        )
    if first is not None and last is not None:
        if first >= last:
            problems.add(f"dataFrom {instants.shortest(first)} must be before dataTo {instants.shortest(last)}.")
        else:
            _check_range((last - first).total_seconds(), "The range from dataFrom to dataTo", problems)
    return Schedule(run_at=run_at), {"data_from": first, "data_to": last}


def _check_range(seconds: float, what: str, problems: _Problems) -> None:
    longest = settings.ZEMENTIS_MAX_DATA_RANGE_SECONDS
    if longest is not None and seconds > longest:
        problems.add(f"{what} must be at most {longest} seconds; it is {seconds:.0f}.")


def _required_text(value: Mapping[str, Any], key: str, problems: _Problems) -> str | None:
    text = value.get(key)
    if text is None:
        problems.add(f"{key} is missing.")
    elif not isinstance(text, str):
        problems.add(f"{key} must be text, not {shown(text)}.")
    elif not text.strip():
        problems.add(f"{key} must not be blank.")
    else:
        return text
    return None


def _instant(value: Mapping[str, Any], key: str, problems: _Problems) -> datetime | None:
    text = _required_text(value, key, problems)
    if text is None:
        return None
    try:
        return instants.parse(text).astimezone(UTC)
    except ValueError as error:
        problems.add(f"{key} '{shown(text)}' is not {error}.")
        return None
