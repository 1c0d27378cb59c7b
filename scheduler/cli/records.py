"""Jobs and runs as plain values: what is printed as JSON, and what tables are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from heapq import nlargest
from itertools import islice
from typing import Any

from scheduler.calendars import store as calendar_store
from scheduler.calendars.days import Closure
from scheduler.cli import rule_entries
from scheduler.cli.entries import entry_of
from scheduler.console.closures import next_closures
from scheduler.console.words import said_by
from scheduler.exceptions import InvalidSchedule, UnknownJobType
from scheduler.models import Execution, Job, Status, Trigger
from scheduler.schedule import Schedule

_LOOKED_AT = 2000
_BATCH = 500


def job_records(rows: Iterable[Job]) -> Iterator[dict[str, Any]]:
    """Yield jobs as lines of a list, asking for the calendars of many at once."""
    jobs = iter(rows)
    while batch := list(islice(jobs, _BATCH)):
        closed = next_closures(batch)
        yield from (job_record(job, closed.get(job.pk)) for job in batch)


def job_record(job: Job, closure: Closure | None = None) -> dict[str, Any]:
    """Return a job as a line of a list. Instants are ISO 8601 in UTC. Needs the job's state.

    ``closure``: why its next fire will be skipped.
    """
    state = job.state
    return {
        "kind": job.kind,
        "number": job.number,
        "name": job.name,
        "active": job.active,
        "schedule": job.frequency or _iso(job.run_at),
        "zone": job.zone,
        "next_fire_at": _iso(state.next_fire_at),
        "closed_by": None if closure is None else str(closure),
        "open_runs": state.open_runs,
        "last_status": None if state.last_status is None else Status(state.last_status).label,
        "last_ended_at": _iso(state.last_ended_at),
        "runs": state.total_count,
        "succeeded": state.success_count,
        "warned": state.warning_count,
        "failed": state.failure_count,
    }


def job_details(job: Job, *, calendars: Mapping[int, str], now: datetime, fires: int) -> dict[str, Any]:
    """Return a job with its definition as files have it, secrets as asterisks, and its next fires."""
    try:
        definition: dict[str, Any] | None = entry_of(
            job, calendars=calendars, alerts=rule_entries.stored([job.pk]).get(job.pk, ())
        )
    except UnknownJobType:
        definition = None
    try:
        coming = upcoming(job, now=now, count=fires)
    except InvalidSchedule:
        coming = []
    return {
        **job_record(job, next_closures([job]).get(job.pk)),
        "created_at": _iso(job.created_at),
        "created_by": job.created_by,
        "updated_at": _iso(job.updated_at),
        "updated_by": job.updated_by,
        "definition": definition,
        "next_fires": [_iso(fire) for fire in coming],
    }


def run_record(execution: Execution) -> dict[str, Any]:
    """Return a run, or an instant that did not run, as a line of a history. The duration is in milliseconds.

    ``reason``: why it did not; ``until``: the last of the instants for which the line stands, where there are more.
    """
    return {
        "number": execution.number,
        "status": Status(execution.status).label,
        "trigger": execution.get_trigger_display(),
        "scheduled_for": _iso(execution.scheduled_for),
        "until": _iso(execution.until),
        "reason": execution.reason,
        "started_at": _iso(execution.started_at),
        "ended_at": _iso(execution.ended_at),
        "duration_ms": execution.duration_ms,
        "attempt": execution.attempt,
        "worker": execution.worker,
        "messages": said_by(execution),
    }


def recorded(job: Job, *, limit: int) -> Iterable[Execution]:
    """Return what is recorded of a job, runs and instants that did not run, the newest first; all for a limit of 0."""
    rows = Execution.objects.of(job).filter(visible=True)
    if not limit:
        return rows.order_by("-scheduled_for", "-pk").iterator(chunk_size=_BATCH)
    # Through two indexes, a bounded number of rows each.
    fires = rows.filter(trigger__in=(Trigger.SCHEDULE, Trigger.MISFIRE)).order_by("-scheduled_for")[:limit]
    found = {execution.pk: execution for execution in (*rows.runs().newest_first()[:limit], *fires)}
    return nlargest(limit, found.values(), key=lambda execution: (execution.scheduled_for, execution.pk))


def upcoming(job: Job, *, now: datetime, count: int) -> list[datetime]:
    """Return the next ``count`` fires of a job, fewer where they end, and without those on days of its calendars.

    A job that fires on closed days alone is looked at for so many of its instants only. Raises ``InvalidSchedule``.
    """
    if not job.active:
        return []
    schedule, closed = Schedule.of(job), calendar_store.closed(job.calendars, job.zone)
    fires: list[datetime] = []
    fire = schedule.next_after(now)
    for _ in range(_LOOKED_AT):
        if fire is None or len(fires) == count:
            break
        if closed is None or closed.closure_at(fire) is None:
            fires.append(fire)
        fire = schedule.next_after(fire)
    return fires


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
