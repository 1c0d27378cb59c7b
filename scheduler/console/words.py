"""What the console says about schedules, durations and outcomes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from scheduler.exceptions import UnknownJobType
from scheduler.models import Execution, Job, Status
from scheduler.quartz import InvalidExpression
from scheduler.schedule_text import describe_schedule

NOTHING = "–"

# How an outcome looks: the name of a colour in the style sheet.
TONES = {
    Status.QUEUED: "queued",
    Status.RUNNING: "running",
    Status.SUCCEEDED: "succeeded",
    Status.WARNED: "warned",
    Status.FAILED: "failed",
    Status.SKIPPED: "skipped",
    Status.CANCELLED: "cancelled",
}


def expression_in_words(expression: str) -> str:
    """Return an expression of either dialect in plain English; the expression itself where it cannot be read."""
    try:
        return describe_schedule(expression)
    except InvalidExpression:
        return expression


def schedule_in_words(job: Job) -> str:
    """Return when ``job`` is due, in plain English, with the zone where it is not UTC."""
    if job.expression is None:
        return f"Once, at {instant(job.run_at)}"
    words = expression_in_words(job.expression)
    return words if job.zone == "UTC" else f"{words} ({job.zone})"


def instant(value: datetime | None) -> str:
    """Return an instant in UTC to the second."""
    return NOTHING if value is None else f"{value:%Y-%m-%d %H:%M:%S} UTC"


def duration(value: timedelta | float | None) -> str:
    """Return a duration in the two largest units that matter; seconds where given as a number."""
    if value is None:
        return NOTHING
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller_size, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{seconds:.1f} s"


def lateness(execution: Execution) -> timedelta | None:
    """Return how long after its due instant a run first started; None before that.

    After a retry the row holds the start of the newest attempt, so the claim is what is known of the first.
    """
    began = execution.started_at if execution.attempt <= 1 else execution.created_at
    return None if began is None else max(began - execution.scheduled_for, timedelta(0))


def said_by(execution: Execution) -> list[str]:
    """Return the messages of a run. Those cut off at the size limit are stored as one text."""
    messages = execution.messages
    return [str(message) for message in messages] if isinstance(messages, list) else [str(messages)]


def headline(execution: Execution) -> str:
    """Return why nothing ran, or the first message of a run; empty where there is none."""
    if execution.reason:
        return execution.get_reason_display()
    return next(iter(said_by(execution)), "")


def kind_title(job: Job) -> str:
    """Return what people call the kind of a job; its bare name where no application knows it any more."""
    try:
        return job.job_type.title
    except UnknownJobType:
        return job.kind


def shown_arguments(job: Job, arguments: dict[str, Any] | None = None) -> Any:
    """Return arguments (the job's unless given) as people may see them; None where nobody knows what to mask."""
    try:
        return job.job_type.masked(job.arguments if arguments is None else arguments)
    except UnknownJobType:
        return None


def pretty(value: Any) -> str:
    """Return a JSON value laid out for reading. A string that is JSON itself is laid out as what it says."""
    if isinstance(value, str):
        try:
            inner = json.loads(value)
        except ValueError:
            return value
        value = inner if isinstance(inner, dict | list) else value
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
