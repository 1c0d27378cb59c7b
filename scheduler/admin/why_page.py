"""The page that answers "what happened at that instant?" for one job, also after its deletion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.utils.dateparse import parse_datetime

from scheduler import clock
from scheduler.console import words
from scheduler.exceptions import InvalidSchedule
from scheduler.models import Job, JobChange, Status
from scheduler.schedule import Schedule, zone_of
from scheduler.why import Answer, Why, why

AROUND = 4
_TONES = {
    Answer.RUNNING: "running",
    Answer.QUEUED: "queued",
    Answer.CANCELLED: "cancelled",
    Answer.MISSED: "failed",
    Answer.EXPIRED: "failed",
    Answer.PENDING: "warned",
    Answer.UNKNOWN: "warned",
}


@dataclass(frozen=True)
class Asked:
    """An instant to ask about: in UTC, and as it is written in the form's zone."""

    at: datetime
    zone: str

    @property
    def typed(self) -> str:
        """The instant as a form field for date and time holds it."""
        return f"{self.at.astimezone(zone_of(self.zone)):%Y-%m-%dT%H:%M:%S}"

    @property
    def shown(self) -> str:
        """The instant on the zone's clock."""
        return f"{self.at.astimezone(zone_of(self.zone)):%a %Y-%m-%d %H:%M:%S %z}"


def response(model_admin: Any, request: HttpRequest, pk: int) -> TemplateResponse:
    """Return the page for the job with the key ``pk`` and the instant that the query names, if any."""
    job = Job.objects.with_state().filter(pk=pk).first()
    last = None if job is not None else JobChange.objects.filter(job_id=pk).order_by("-at", "-pk").first()
    if job is None and last is None:
        raise Http404
    zone = request.GET.get("zone") or (job.zone if job is not None else "UTC")
    asked, problem = read(request.GET.get("at", ""), zone)
    answer = why(job or Job(pk=pk), asked.at) if asked is not None else None
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "original": job,
        "title": "What happened?",
        "job": job,
        "pk": pk,
        "name": job.name if job is not None else f"{last.kind} job {last.number}" if last is not None else "",
        "asked": asked,
        "typed": asked.typed if asked is not None else request.GET.get("at", "")[:40],
        "zone": asked.zone if asked is not None else zone[:64],
        "problem": problem,
        "answer": answer,
        "tone": tone(answer) if answer is not None else "",
        "around": around(job, asked) if job is not None else (),
        "may_see_changes": request.user.has_perm("scheduler.view_jobchange"),
    }
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, "scheduler/admin/why.html", context)


def read(text: str, zone: str) -> tuple[Asked | None, str]:
    """Return what was asked, and what is wrong with it. An instant without an offset is read in ``zone``."""
    if not text.strip():
        return None, ""
    try:
        found = zone_of(zone)
        value = parse_datetime(text.strip())
        if value is None:
            return None, "This is no instant: write 2027-01-31 03:00:00."
        at = (value if value.tzinfo is not None else value.replace(tzinfo=found)).astimezone(UTC)
        at.astimezone(found)
    except InvalidSchedule as refusal:
        return None, refusal.problem
    except (ValueError, OverflowError):
        return None, "There is no such instant."
    return Asked(at, zone), ""


def tone(answer: Why) -> str:
    """Return the colour of an answer."""
    if answer.answer is Answer.RAN and answer.executions:
        return words.TONES[Status(answer.executions[0].status)]
    return _TONES.get(answer.answer, "skipped")


def around(job: Job, asked: Asked | None) -> Sequence[Asked]:
    """Return instants at which the schedule of today fires, before and after what was asked, or before now."""
    schedule = Schedule.of(job)
    try:
        schedule.check()
    except InvalidSchedule:
        return ()
    middle = asked.at if asked is not None else clock.now()
    found: list[datetime] = []
    instant = schedule.previous_before(middle)
    while instant is not None and len(found) < AROUND:
        found.insert(0, instant)
        instant = schedule.previous_before(instant)
    instant = schedule.next_after(middle)
    while instant is not None and len(found) < 2 * AROUND:
        found.append(instant)
        instant = schedule.next_after(instant)
    return [Asked(at, job.zone) for at in found]
