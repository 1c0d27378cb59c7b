"""What the console does to jobs, one or many: it asks the use cases and says what came of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpRequest

from scheduler import jobs
from scheduler.admin.base import actor
from scheduler.exceptions import InvalidJob, SchedulerError
from scheduler.models import Job, Status

# The most jobs one action takes: it works inside one request.
MOST = 1000
_NAMED = 8

Verb = Callable[[Job, str], str | None]


@dataclass
class Tally:
    """What came of an action: the jobs it was done to, and the reasons why it was not."""

    done: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def each(chosen: Iterable[Job], verb: Verb, *, by: str) -> Tally:
    """Call ``verb`` for every job. It returns None where it was done, else why not."""
    tally = Tally()
    for job in chosen:
        name = f"{job.name} ({job.kind} {job.number})"
        why = verb(job, by)
        if why is None:
            tally.done.append(name)
        else:
            tally.refused.append((name, why))
    return tally


def run(job: Job, by: str, arguments: dict[str, Any] | None = None) -> str | None:
    """Ask for a run now. Return why there is none, if so."""
    try:
        execution = jobs.run_now(job, by=by, arguments=arguments)
    except SchedulerError as refusal:
        return said(refusal)
    if execution.status == Status.SKIPPED:
        return f"skipped: {execution.get_reason_display()}"
    return None


def activate(job: Job, by: str) -> str | None:
    """Resume a job. Return why not, if so."""
    return _toggle(job, by, active=True)


def deactivate(job: Job, by: str) -> str | None:
    """Pause a job. Return why not, if so."""
    return _toggle(job, by, active=False)


def delete(job: Job, by: str) -> str | None:
    """Delete a job with all it left. Return why not, if so."""
    try:
        jobs.delete(job, by=by)
    except SchedulerError as refusal:
        return said(refusal)
    return None


def _toggle(job: Job, by: str, *, active: bool) -> str | None:
    if job.active == active:
        return "active already" if active else "paused already"
    try:
        (jobs.activate if active else jobs.deactivate)(job, by=by)
    except SchedulerError as refusal:
        return said(refusal)
    return None


def said(refusal: SchedulerError) -> str:
    """Return what a refusal tells a person."""
    return f"{refusal.field}: {refusal.problem}" if isinstance(refusal, InvalidJob) else str(refusal)


def report(request: HttpRequest, tally: Tally, *, done: str) -> None:
    """Tell the user what came of an action, by name; long lists end in a number."""
    if tally.done:
        messages.success(request, f"{done}: {_listed(tally.done)}")
    for name, why in tally.refused[:_NAMED]:
        messages.warning(request, f"{name}: {why}")
    if len(tally.refused) > _NAMED:
        messages.warning(request, f"… and {len(tally.refused) - _NAMED} more that were not done.")


def perform(request: HttpRequest, chosen: Any, verb: Verb, *, done: str) -> None:
    """Do ``verb`` to the chosen jobs, unless they are too many for one request, and report."""
    few = list(chosen[: MOST + 1])
    if len(few) > MOST:
        messages.error(request, f"At most {MOST} jobs at once: narrow the selection by a filter.")
        return
    report(request, each(few, verb, by=actor(request)), done=done)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
