"""What people see of a schedule that they are typing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from scheduler.calendars import store
from scheduler.console import words
from scheduler.console.fires import next_fires
from scheduler.exceptions import InvalidSchedule
from scheduler.quartz import MAX_LENGTH
from scheduler.schedule import Schedule

FIRES = 8
_INSTANTS = ("run_at", "starts_at", "ends_at")


def look_at(typed: Mapping[str, str], *, now: datetime, calendars: Sequence[int] = ()) -> dict[str, Any]:
    """Return what to show beneath a form's schedule: ``problem``, or ``found`` with its description and fires.

    ``typed`` holds its fields as text, instants in UTC with day and time apart by a space. Fires on the days of
    ``calendars`` say so. While nothing is typed that says when to fire, nothing is shown.
    """
    expression = typed.get("expression", "").strip()
    try:
        run_at, starts_at, ends_at = (_instant(name, typed.get(name, "")) for name in _INSTANTS)
        if not expression and run_at is None:
            return {"problem": "", "found": None}
        schedule = Schedule(expression[: MAX_LENGTH + 1] or None, typed.get("zone", ""), run_at, starts_at, ends_at)
        schedule.check()
    except InvalidSchedule as refusal:
        return {"problem": refusal.problem}
    closed = store.closed(calendars[: store.MOST_PER_JOB], schedule.zone)
    fires = next_fires(schedule, after=now, limit=FIRES, closed=closed)
    reason = "" if any(fire.at for fire in fires) else _never(schedule, now)
    description = words.expression_in_words(expression) if expression else f"Once, at {words.instant(schedule.run_at)}"
    return {"problem": "", "found": {"description": description, "reason": reason, "fires": fires}}


def _instant(name: str, text: str) -> datetime | None:
    """Return what a day and a time say; a day alone is half typed, and says nothing yet."""
    day, _, time = text.strip().partition(" ")
    if not day or not time:
        return None
    try:
        value = parse_datetime(f"{day} {time.strip()}")
        if value is not None:
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidSchedule(name, f"{name.replace('_', ' ')}: {text[:40]!r} is no day and time")


def _never(schedule: Schedule, now: datetime) -> str:
    bounded = " between its start and its end" if schedule.starts_at or schedule.ends_at else ""
    return f"it never fires after {words.instant(now)}{bounded}"
