"""The page of one run: its instants, what it did, and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.template.response import TemplateResponse

from scheduler import clock, job_types, request_id
from scheduler.admin.base import Crumb
from scheduler.console import words
from scheduler.console.runs import usual_seconds
from scheduler.exceptions import UnknownJobType
from scheduler.models import Execution, Payload, Reason, Status, Trigger

WHY = {
    Reason.OVERLAP: "An earlier run of the job was not finished, and the overlap policy lets none run beside it.",
    Reason.COALESCED: "It was found late; one run stands for all instants that passed meanwhile.",
    Reason.MISSED: "It was found later than the grace allows, and the misfire policy runs no late fires.",
    Reason.EXPIRED: "No worker started it within the job's limit.",
    Reason.CALENDAR: "The job's calendar excludes the day.",
}


@dataclass(frozen=True)
class Step:
    """One instant of a run's life."""

    label: str
    at: datetime | None
    after: timedelta | None
    note: str = ""


def response(
    model_admin: Any, request: HttpRequest, execution: Execution, *, edited: str | None = None, status: int = 200
) -> TemplateResponse:
    """Return the page of ``execution``. ``edited`` are arguments that were refused, to be typed on."""
    job = execution.job
    used = execution.arguments if execution.arguments is not None else job.arguments
    shown = words.shown_arguments(job, used)
    title = f"Run {execution.number}" if execution.number is not None else "Instant without a run"
    context = {
        **model_admin.admin_site.each_context(request),
        **_live(model_admin, request, execution),
        "opts": model_admin.opts,
        "original": Crumb(model_admin.opts, execution.pk, f"{job.name}, {title[:1].lower()}{title[1:]}"),
        "title": title,
        "media": model_admin.media,
        "kind_title": words.kind_title(job),
        "own_arguments": execution.arguments is not None,
        "arguments": shown,
        "refused": edited is not None,
        "edited": edited if edited is not None else words.pretty(shown) if shown is not None else None,
        "links": links(request, execution),
        "may_run": model_admin.has_run_permission(request),
        "may_see_job": request.user.has_perm("scheduler.view_job") or request.user.has_perm("scheduler.change_job"),
    }
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, "scheduler/admin/execution.html", context, status=status)


def live(model_admin: Any, request: HttpRequest, execution: Execution) -> TemplateResponse:
    """Return the part of the page that changes while the run is open."""
    context = _live(model_admin, request, execution)
    answer = TemplateResponse(request, "scheduler/admin/execution_live.html", context)
    if not context["is_open"]:
        # The buttons around this part change with the end: the script takes both from the whole page.
        answer["X-Refresh"] = "done"
    return answer


def _live(model_admin: Any, request: HttpRequest, execution: Execution) -> dict[str, Any]:
    payload = Payload.objects.filter(pk=execution.pk).first() if execution.complete else None
    is_open = Status(execution.status).is_open
    return {
        "execution": execution,
        "job": execution.job,
        "is_open": is_open,
        "asked_by": asked_by(execution),
        "request_id": request_id.of_run(execution.pk, execution.request_id) if execution.number is not None else "",
        "why": WHY.get(Reason(execution.reason)) if execution.reason else "",
        "steps": steps(execution),
        "progress": progress(execution),
        "elapsed": clock.now() - execution.started_at
        if execution.started_at and execution.status == Status.RUNNING
        else None,
        "usual": usual_seconds([execution.job_id]).get(execution.job_id) if is_open else None,
        "said": words.said_by(execution),
        "attempts": list(execution.attempts.all()),
        "payload": payload,
        "may_cancel": is_open and model_admin.has_cancel_permission(request),
    }


def links(request: HttpRequest, execution: Execution) -> list[job_types.Link]:
    """Return the pages that the kind of job has about a run that has ended, as far as the user may see them."""
    if Status(execution.status).is_open:
        return []
    try:
        known = job_types.get(execution.job.kind).links(execution)
    except UnknownJobType:
        return []
    return [link for link in known if request.user.has_perm(link.permission)]


def asked_by(execution: Execution) -> str:
    """Return who or what asked for the run."""
    if execution.trigger == Trigger.MANUAL:
        return f"run now, {execution.requested_by}" if execution.requested_by else "run now"
    return execution.get_trigger_display()


def steps(execution: Execution) -> list[Step]:
    """Return the instants of a run in their order, each with the time since the one before it."""
    queued = "held behind another run" if execution.status == Status.QUEUED and execution.ready_at is None else ""
    instants = [
        ("Due", execution.scheduled_for, f"and on until {words.instant(execution.until)}" if execution.until else ""),
        ("Claimed", execution.created_at, queued),
        ("Ready", execution.ready_at, ""),
        ("Started", execution.started_at, f"attempt {execution.attempt}" if execution.attempt > 1 else ""),
        ("Ended", execution.ended_at, ""),
    ]
    told: list[Step] = []
    before: datetime | None = None
    for label, at, note in instants:
        after = at - before if at is not None and before is not None and at >= before else None
        told.append(Step(label, at, after, note))
        before = at or before
    return told


def progress(execution: Execution) -> tuple[int, int, int] | None:
    """Return done, total and per cent of a running run that tells them."""
    if execution.status != Status.RUNNING or not execution.progress_total:
        return None
    done = execution.progress_done or 0
    return done, execution.progress_total, min(100, 100 * done // execution.progress_total)
