"""Between the wire's jobs and the core's: reading of what clients send, and the answers' members in their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from scheduler.history import Strategy
from scheduler.jobs import Definition
from scheduler.models import Attempt, Execution, Job, Status
from voltmx import arguments as service_arguments
from voltmx import frequency
from voltmx.arguments import Arguments
from voltmx.frequency import Frequency, InvalidFrequency
from voltmx.reading import Problems, Reader

ACTIVE, INACTIVE = "Active", "Inactive"
_LARGEST_ID = 2**63 - 1
_DESCRIPTION_LIMIT = 10_000
_ENDS = {
    Status.SUCCEEDED: "Success",
    Status.WARNED: "Success",
    Status.FAILED: "Fail",
    Status.CANCELLED: "Fail",
}


# -- In --------------------------------------------------------------------------------------------------------------


def read_new(body: Mapping[str, Any]) -> tuple[int | None, Definition]:
    """Return the id asked for (None: the next free one) and the definition of a job to create. Raises ``Problems``."""
    problems = Problems()
    reader = Reader(body, problems)
    number = reader.integer("jobId", low=0, high=_LARGEST_ID)
    name = reader.text("jobName", low=1, high=255)
    description = _description(reader)
    status = reader.choice("jobStatus", (ACTIVE, INACTIVE), default=ACTIVE)
    strategy = reader.choice("historyStrategy", [item.value for item in Strategy], default=Strategy.MINIMAL.value)
    days = _retention(reader)
    when = _frequency(reader)
    arguments = _arguments(body, problems, kept=None)
    problems.raise_any()
    if when is None or arguments is None:
        problems.add("jobFrequency", "is required, or a jobFrequencyInfo to derive it from")
        raise problems
    definition = Definition(
        name=name,
        schedule=when.schedule(),
        arguments=arguments.stored(),
        description=description,
        active=status == ACTIVE,
        history_strategy=strategy,
        retention_days=days,
        concurrency_key=arguments.concurrency_key,
    )
    return number or None, definition


def read_number(body: Mapping[str, Any]) -> int:
    """Return the ``jobId`` that an update names. Raises ``Problems``."""
    problems = Problems()
    number = Reader(body, problems).integer("jobId", low=1, high=_LARGEST_ID)
    if number is None and not problems.by_field:
        problems.add("jobId", "is required")
    problems.raise_any()
    return number or 0


def read_changes(body: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """Return what an update changes, as fields of ``Definition``. Raises ``Problems``.

    Absent members keep their value; so do members of ``jobServiceInfo``. ``jobFrequency`` and ``jobFrequencyInfo``
    are one thing said twice: a new value of one alone replaces both.
    """
    problems = Problems()
    reader = Reader(body, problems)
    changes: dict[str, Any] = {}
    if reader.has("jobName"):
        changes["name"] = reader.text("jobName", low=1, high=255)
    if "description" in body:
        changes["description"] = _description(reader)
    if reader.has("jobStatus"):
        changes["active"] = reader.choice("jobStatus", (ACTIVE, INACTIVE)) == ACTIVE
    if reader.has("historyStrategy"):
        changes["history_strategy"] = reader.choice("historyStrategy", [item.value for item in Strategy])
    if reader.has("retentionPeriod"):
        changes["retention_days"] = _retention(reader)
    before = Arguments.of(job.arguments)
    when = _frequency(reader)
    arguments = _arguments(_merged(body, before, job), problems, kept=before)
    problems.raise_any()
    # The info that a client was shown, sent back alone, changes nothing: the expression may say more, such as seconds.
    same_info = not reader.has("jobFrequency") and body.get("jobFrequencyInfo") == _shown_info(before, job)
    if when is not None and when.text != job.frequency and not same_info:
        changes["schedule"] = when.schedule()
    if arguments is not None and arguments.stored() != job.arguments:
        changes["arguments"] = arguments.stored()
        changes["concurrency_key"] = arguments.concurrency_key
    return {name: value for name, value in changes.items() if name == "schedule" or getattr(job, name) != value}


def _merged(body: Mapping[str, Any], before: Arguments, job: Job) -> dict[str, Any]:
    """Return the job's own arguments as the wire has them, with what an update sends laid over."""
    stored = before.masked()
    given = body.get("jobServiceInfo")
    if isinstance(given, Mapping):
        # A null member that has a default counts as absent; the additions of the console can be taken away with null.
        kept = {name: value for name, value in given.items() if value is not None or name in _REMOVABLE}
        stored["jobServiceInfo"] = {**stored["jobServiceInfo"], **kept}
    elif given is not None:
        stored["jobServiceInfo"] = given
    if "emailNotifications" in body:
        stored["emailNotifications"] = body["emailNotifications"]
    info, same_expression = body.get("jobFrequencyInfo"), body.get("jobFrequency") in (None, job.frequency)
    if info is not None and not (same_expression and info == _shown_info(before, job)):
        stored["jobFrequencyInfo"] = info
    elif info is None and not same_expression:
        stored.pop("jobFrequencyInfo", None)
    return stored


_REMOVABLE = ("queryParams", "successCriteria", "authentication")


def _arguments(wire: Mapping[str, Any], problems: Problems, *, kept: Arguments | None) -> Arguments | None:
    try:
        return service_arguments.read(wire, kept=kept)
    except Problems as found:
        for field, sentences in found.by_field.items():
            for sentence in sentences:
                problems.add(field, sentence)
        return None


def _frequency(reader: Reader) -> Frequency | None:
    """Return the frequency that a body names, None where it names none; what is wrong goes to the reader's problems."""
    text = reader.text("jobFrequency", low=1, high=512) if reader.has("jobFrequency") else None
    info = reader.mapping("jobFrequencyInfo")
    try:
        if info is not None:
            frequency.check_info(info)
        if text:
            return frequency.read_expression(text)
        return frequency.read_info(info) if info is not None and not reader.has("jobFrequency") else None
    except InvalidFrequency as refusal:
        inside = refusal.field != "jobFrequency"
        reader.refuse(f"jobFrequencyInfo.{refusal.field}" if inside else refusal.field, refusal.problem)
        return None


def _description(reader: Reader) -> str | None:
    return reader.text("description", default="", high=_DESCRIPTION_LIMIT) if reader.has("description") else None


def _retention(reader: Reader) -> int:
    text = reader.text("retentionPeriod", default="30", low=1, high=4)
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 3650:
        return int(text)
    if "retentionPeriod" not in reader.problems.by_field:
        reader.refuse("retentionPeriod", 'must be a number of days from "1" to "3650"')
    return 30


# -- Out -------------------------------------------------------------------------------------------------------------


def shown_instant(instant: datetime | None) -> str | None:
    """Return an instant as ``yyyy-MM-dd HH:mm:ss`` in the surface's time zone, fraction dropped."""
    if instant is None:
        return None
    return instant.astimezone(ZoneInfo(settings.VOLTMX_TIME_ZONE)).strftime("%Y-%m-%d %H:%M:%S")


def shown_end(status: int | None) -> str | None:
    """Return how a run ended, in the vendor's words; None for no run."""
    return None if status is None else _ENDS[Status(status)]


def shown_job(job: Job) -> dict[str, Any]:
    """Return the answer to "Get All Job Details with Job ID"."""
    arguments = Arguments.of(job.arguments)
    shown: dict[str, Any] = {
        "jobId": job.number,
        "jobName": job.name,
        "jobFrequency": job.frequency,
        "jobServiceInfo": arguments.service_info(),
        "jobStatus": ACTIVE if job.active else INACTIVE,
        "historyStrategy": job.history_strategy,
        "retentionPeriod": str(job.retention_days),
        "jobFrequencyInfo": _shown_info(arguments, job),
    }
    if arguments.mail_on_failure:
        shown["emailNotifications"] = {"onFailure": list(arguments.mail_on_failure)}
    return shown


def _shown_info(arguments: Arguments, job: Job) -> Mapping[str, Any] | None:
    """Return ``jobFrequencyInfo``: as sent, else what says the same as the expression, else None."""
    info = arguments.frequency_info
    return info if info is not None else frequency.info_of(job.frequency or "")


def shown_run(execution: Execution) -> dict[str, Any]:
    """Return one row of "Get Job History". A run that was cancelled before it began starts and ends at its end."""
    return {
        "jobRunId": execution.number,
        "jobStartTime": shown_instant(execution.started_at or execution.ended_at),
        "jobEndTime": shown_instant(execution.ended_at),
        "jobDuration": execution.duration_ms or 0,
        "executionFrequency": execution.frequency,
        "executionStatus": shown_end(execution.status),
        "completeHistory": execution.complete,
    }


def shown_run_in_full(execution: Execution, attempts: Iterable[Attempt]) -> dict[str, Any]:
    """Return one run with its messages, earlier attempts and, where history is complete, request and response."""
    payload = execution.payload if execution.complete else None
    return {
        **shown_run(execution),
        "messages": execution.messages,
        "attempts": [
            {
                "attempt": attempt.number,
                "startTime": shown_instant(attempt.started_at),
                "endTime": shown_instant(attempt.ended_at),
                "message": attempt.message,
            }
            for attempt in attempts
        ],
        "truncated": payload.truncated if payload else False,
        "request": payload.request if payload else None,
        "response": payload.response if payload else None,
    }
