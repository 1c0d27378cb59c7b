"""The page of one job: what it is, when it fires, how its runs went, who changed it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from heapq import nlargest
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from scheduler import clock
from scheduler.admin import alert_section
from scheduler.admin.base import Crumb
from scheduler.calendars import store as calendars
from scheduler.console import charts, runs, words
from scheduler.console.closures import closed_days
from scheduler.console.fires import Fire, next_fires
from scheduler.console.related import entry_url
from scheduler.exceptions import UnknownJobType
from scheduler.misfire import Misfire
from scheduler.models import Execution, Job, JobChange, Trigger
from scheduler.overlap import Overlap
from scheduler.schedule import Schedule

FIRES = 10
RUNS = 15
CHANGES = 10

_MISFIRE = {
    Misfire.FIRE_ONCE: "one run for all that passed",
    Misfire.SKIP: "do not run",
    Misfire.FIRE_ALL: "one run for each",
}
_OVERLAP = {
    Overlap.SKIP: "are skipped",
    Overlap.ALLOW: "run beside the earlier run",
    Overlap.QUEUE: "one waits for the earlier run, others are skipped",
    Overlap.REPLACE: "cancel the earlier run",
}


def response(model_admin: Any, request: HttpRequest, job: Job) -> TemplateResponse:
    """Return the page of ``job``; what a user may not do is not offered."""
    site = model_admin.admin_site
    may_see_runs = request.user.has_perm("scheduler.view_execution")
    context = {
        **site.each_context(request),
        "opts": model_admin.opts,
        "original": Crumb(model_admin.opts, job.pk, job.name),
        "title": job.name,
        "media": model_admin.media,
        "job": job,
        "kind_title": words.kind_title(job),
        "state": state_of(job),
        "schedule_words": words.schedule_in_words(job),
        "fires": _fires(job),
        "arguments": words.shown_arguments(job),
        "facts": _facts(job),
        "runs": newest(job, limit=RUNS) if may_see_runs else [],
        "changes": JobChange.objects.filter(job_id=job.pk).order_by("-at", "-id")[:CHANGES],
        "entry_url": entry_url(job) if request.user.has_perm("django_celery_beat.view_periodictask") else None,
        **(_charts(job) if may_see_runs else {}),
        **alert_section.of(job, request),
        "may_run": model_admin.has_run_permission(request),
        "may_pause": model_admin.has_pause_permission(request),
        "may_change": model_admin.has_change_permission(request, job),
        "may_add": model_admin.has_add_permission(request),
        "may_delete": model_admin.has_delete_permission(request, job),
        "may_see_runs": may_see_runs,
        "may_see_changes": request.user.has_perm("scheduler.view_jobchange"),
        "runs_url": f"{reverse('admin:scheduler_execution_changelist')}?job={job.pk}",
        "changes_url": f"{reverse('admin:scheduler_jobchange_changelist')}?job={job.pk}",
    }
    request.current_app = site.name
    return TemplateResponse(request, "scheduler/admin/job.html", context)


def state_of(job: Job) -> tuple[str, str]:
    """Return whether the job will fire, in a word, and the colour of the word."""
    if not job.active:
        return "paused", "skipped"
    if job.state.next_fire_at is None:
        return "no fire ahead", "cancelled"
    return "active", "succeeded"


def newest(job: Job, *, limit: int) -> list[Execution]:
    """Return the newest recorded instants of a job, skipped ones among them, through two indexes of ``limit`` rows."""
    of_job = Execution.objects.of(job)
    runs = of_job.runs().newest_first()[:limit]
    fires = of_job.filter(trigger__in=(Trigger.SCHEDULE, Trigger.MISFIRE)).order_by("-scheduled_for")[:limit]
    found = {execution.pk: execution for execution in (*runs, *fires)}
    return nlargest(limit, found.values(), key=lambda execution: (execution.scheduled_for, execution.pk))


def _fires(job: Job) -> Sequence[Fire]:
    after = clock.now()
    if job.active and job.state.next_fire_at is not None:
        # From the instant that the clock holds, which may be due this moment.
        after = min(after, job.state.next_fire_at - timedelta(microseconds=1))
    return next_fires(Schedule.of(job), after=after, limit=FIRES, closed=closed_days(job))


def _charts(job: Job) -> dict[str, Any]:
    """Return the job's runs as charts; none where nothing ran yet."""
    found = runs.series(job)
    now = clock.now()
    days = runs.days(job, now=now)
    return {
        "durations": charts.dots(found.durations, name="How long the last runs took") if found.durations else "",
        "latenesses": charts.dots(found.latenesses, name="How late the last runs began") if found.latenesses else "",
        "calendar": charts.calendar(days, until=now.date(), name="Runs of the past year by day") if days else "",
        "charted": len(found.durations),
        "calendar_is_cut": job.state.last_number > runs.CALENDAR_RUNS,
    }


def _facts(job: Job) -> list[tuple[str, Any]]:
    """Return what the definition says beyond schedule and arguments, as label and text."""
    return [
        ("Does not run on", ", ".join(calendars.names(job.calendars or ())) or words.NOTHING),
        ("Late fires", f"{_MISFIRE[Misfire(job.misfire)]}{_grace(job)}"),
        ("Overlapping fires", _OVERLAP[Overlap(job.overlap)]),
        ("Time limit", _time_limit(job)),
        ("Retries", _retries(job)),
        ("Queue", job.queue or _usual_queue(job)),
        ("Priority", job.priority),
        ("Expires", f"{words.duration(job.expires_seconds)} after due" if job.expires_seconds else words.NOTHING),
        ("Concurrency key", job.concurrency_key or words.NOTHING),
        ("History", f"{job.history_strategy}, kept {job.retention_days} days"),
        ("Starts", _bound(job.starts_at)),
        ("Ends", _bound(job.ends_at)),
        ("Created", f"{words.instant(job.created_at)} by {job.created_by}"),
        ("Edited", f"{words.instant(job.updated_at)} by {job.updated_by}, version {job.version}"),
    ]


def _grace(job: Job) -> str:
    seconds = job.misfire_grace_seconds
    return "" if seconds is None else f"; late means by more than {words.duration(seconds)}"


def _time_limit(job: Job) -> str:
    if job.timeout_seconds:
        return words.duration(job.timeout_seconds)
    return f"{words.duration(settings.SCHEDULER_DEFAULT_TIMEOUT_SECONDS)}, the setting's"


def _usual_queue(job: Job) -> str:
    try:
        return f"{job.job_type.queue}, the kind's"
    except UnknownJobType:
        return words.NOTHING


def _retries(job: Job) -> str:
    if not job.max_retries:
        return "none"
    first, longest = words.duration(job.retry_delay_seconds), words.duration(job.retry_max_delay_seconds)
    return f"up to {job.max_retries}, after {first}, doubling to at most {longest}"


def _bound(value: datetime | None) -> str:
    return words.NOTHING if value is None else words.instant(value)
