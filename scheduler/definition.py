"""The definition of a job: what its author decides about it, and what of that can be stored."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from scheduler import job_types
from scheduler.calendars import store as calendars
from scheduler.exceptions import InvalidJob, InvalidSchedule
from scheduler.history import Strategy, storable_text
from scheduler.misfire import Misfire
from scheduler.models import Job
from scheduler.overlap import Overlap
from scheduler.schedule import Schedule

_LARGEST_INTEGER = 2**31 - 1
_LARGEST_SMALL_INTEGER = 2**15 - 1


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What a job is, without the identity and the state that the core gives it."""

    name: str
    schedule: Schedule
    arguments: Mapping[str, Any]
    description: str | None = None
    active: bool = True
    history_strategy: str = Strategy.MINIMAL.value
    retention_days: int = 30
    misfire: str = Misfire.FIRE_ONCE.value
    misfire_grace_seconds: int | None = None
    overlap: str = Overlap.SKIP.value
    timeout_seconds: int | None = None
    max_retries: int = 0
    retry_delay_seconds: int = 10
    retry_max_delay_seconds: int = 3600
    priority: int = 5
    queue: str = ""
    expires_seconds: int | None = None
    headers: Mapping[str, Any] | None = None
    concurrency_key: str = ""
    calendars: Sequence[int] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "calendars", tuple(sorted(set(self.calendars or ()))))

    @classmethod
    def of(cls, job: Job) -> Definition:
        """Return the definition of a stored job."""
        plain = {name: getattr(job, name) for name in PLAIN}
        return cls(schedule=Schedule.of(job), **plain)

    def columns(self) -> dict[str, Any]:
        """Return the definition as columns of ``Job``."""
        schedule = self.schedule
        return {
            **{name: getattr(self, name) for name in PLAIN},
            "headers": dict(self.headers or {}),
            "calendars": list(self.calendars) or None,
            "arguments": dict(self.arguments),
            "expression": schedule.expression,
            "schedule_text": schedule.text,
            "zone": schedule.zone,
            "run_at": schedule.run_at,
            "starts_at": schedule.starts_at,
            "ends_at": schedule.ends_at,
        }


# The fields that are columns of ``Job`` under the same name.
PLAIN = tuple(item.name for item in fields(Definition) if item.name != "schedule")

_CHOICES = (("history_strategy", Strategy), ("misfire", Misfire), ("overlap", Overlap))
# Field -> the smallest and the largest value; None is taken where the field may be empty.
_RANGES = {
    "retention_days": (1, 3650),
    "misfire_grace_seconds": (0, _LARGEST_INTEGER),
    "timeout_seconds": (1, _LARGEST_INTEGER),
    "max_retries": (0, _LARGEST_SMALL_INTEGER),
    "retry_delay_seconds": (0, _LARGEST_INTEGER),
    "retry_max_delay_seconds": (0, _LARGEST_INTEGER),
    "priority": (0, 9),
    "expires_seconds": (1, _LARGEST_INTEGER),
}
_LENGTHS = {"name": 255, "description": 10_000, "queue": 64, "concurrency_key": 255}
_QUEUE = re.compile(r"[A-Za-z0-9_.:-]*")
# Of the headers' JSON, in UTF-8. They go into every message; a worker refuses what is larger than MESSAGE_LIMIT_BYTES.
# The trigger of the beat entries has the same limit.
HEADERS_LIMIT_BYTES = 2048


def check(kind: str, definition: Definition, *, before: Definition | None = None) -> None:
    """Raise ``InvalidJob`` unless the definition can be stored, whatever the schedule's instants.

    ``before`` is what the job is now: headers that are larger than any may be by now, and stay as they are, are taken.
    """
    if not definition.name.strip():
        raise InvalidJob("name", "a job needs a name")
    for name, longest in _LENGTHS.items():
        _check_text(InvalidJob, name, getattr(definition, name), longest)
    if not _QUEUE.fullmatch(definition.queue):
        raise InvalidJob("queue", "a queue's name has letters, digits and the characters _ . : - only")
    for name, (low, high) in _RANGES.items():
        value = getattr(definition, name)
        if value is not None and not low <= value <= high:
            raise InvalidJob(name, f"must be from {low} to {high}")
    for name, known in _CHOICES:
        if getattr(definition, name) not in {member.value for member in known}:
            raise InvalidJob(name, f"must be one of {', '.join(member.value for member in known)}")
    _check_schedule(definition.schedule)
    check_json("headers", definition.headers or {})
    if before is None or (definition.headers or {}) != (before.headers or {}):
        _check_size("headers", definition.headers or {}, HEADERS_LIMIT_BYTES)
    check_json("arguments", definition.arguments)
    job_type = job_types.get(kind)
    job_type.check(definition.arguments)
    job_type.check_together(definition.arguments, definition.schedule)


def check_json(field: str, value: Any) -> None:
    """Raise ``InvalidJob`` unless ``value`` is an object that PostgreSQL can store as JSON."""
    if not isinstance(value, Mapping):
        raise InvalidJob(field, "must be an object")
    try:
        text = json.dumps(dict(value), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidJob(field, f"cannot be written as JSON: {error}") from None
    if "\\u0000" in text.replace("\\\\", "") or storable_text(text) != text:
        raise InvalidJob(field, "cannot hold the character U+0000 or half a surrogate pair")


def _check_size(field: str, value: Mapping[str, Any], largest: int) -> None:
    size = len(json.dumps(dict(value), ensure_ascii=False).encode())
    if size > largest:
        raise InvalidJob(field, f"must have at most {largest} bytes as JSON, and has {size}")


def differences(kind: str, before: Definition | None, after: Definition | None) -> dict[str, list[Any]]:
    """Return field -> [before, after] of what changed, arguments as people may see them.

    None stands for a job that is not there: of one that is created or deleted, schedule and activity are told.
    """
    if before is None or after is None:
        ends = [(item.active, described(item.schedule)) if item else (None, None) for item in (before, after)]
        return {"active": [active for active, _ in ends], "schedule": [schedule for _, schedule in ends]}
    pairs = {
        name: [old, new]
        for name in PLAIN
        if name != "arguments" and (old := getattr(before, name)) != (new := getattr(after, name))
    }
    if "calendars" in pairs:
        pairs["calendars"] = [calendars.names(before.calendars), calendars.names(after.calendars)]
    if before.arguments != after.arguments:
        job_type = job_types.get(kind)
        pairs["arguments"] = [job_type.masked(before.arguments), job_type.masked(after.arguments)]
    if before.schedule != after.schedule:
        pairs["schedule"] = [described(before.schedule), described(after.schedule)]
    return pairs


def described(schedule: Schedule) -> dict[str, str | None]:
    """Return a schedule as JSON: its fields, instants in ISO 8601."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(schedule).items()
    }


def schedule_of(description: Mapping[str, str | None]) -> Schedule:
    """Return the schedule that ``described`` gave."""
    instants = {
        name: datetime.fromisoformat(text) for name in ("run_at", "starts_at", "ends_at") if (text := description[name])
    }
    return Schedule(description["expression"], description["zone"] or "UTC", text=description["text"], **instants)


def _check_text(refusal: type[InvalidJob], field: str, text: str | None, longest: int) -> None:
    if text is None:
        return
    if len(text) > longest:
        raise refusal(field, f"must have at most {longest} characters")
    if storable_text(text) != text:
        raise refusal(field, "cannot hold the character U+0000 or half a surrogate pair")


def _check_schedule(schedule: Schedule) -> None:
    schedule.check()
    _check_text(InvalidSchedule, "expression", schedule.expression, 1024)
    _check_text(InvalidSchedule, "schedule_text", schedule.text, 1024)
    for name in ("run_at", "starts_at", "ends_at"):
        instant = getattr(schedule, name)
        try:
            if instant is not None:
                instant.astimezone(UTC)
        except OverflowError:
            raise InvalidSchedule(name, "lies outside the years 1 to 9999") from None
