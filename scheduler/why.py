"""Why: what happened at an expected instant of a job, answered from rows.

The executions say what became of an instant, the job's recorded changes which schedule was in force then and whether
the job was paused. Nothing is guessed: where the rows are gone, the answer says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from scheduler import clock
from scheduler.calendars import store
from scheduler.definition import schedule_of
from scheduler.exceptions import InvalidCalendar, InvalidJob
from scheduler.models import Execution, Job, JobChange, Pause, Process, Reason, Status, Trigger
from scheduler.schedule import Schedule


class Answer(StrEnum):
    """What became of an instant."""

    RAN = "ran"
    RUNNING = "running"
    QUEUED = "queued"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    COALESCED = "coalesced"
    MISSED = "missed"
    EXPIRED = "expired"
    PENDING = "pending"
    PAUSED = "paused"
    NOT_DUE = "not due"
    FUTURE = "future"
    DELETED = "deleted"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Why:
    """The answer for one instant (UTC), in a word and in a sentence, with the rows it rests on."""

    answer: Answer
    instant: datetime
    reason: str
    executions: tuple[Execution, ...] = ()
    changes: tuple[JobChange, ...] = ()


@dataclass(frozen=True)
class _Then:
    """What was in force at the instant, and the change that says so; None: the job as it is now."""

    schedule: Schedule
    schedule_change: JobChange | None
    active: bool
    active_change: JobChange | None


def why(job: Job, instant: datetime) -> Why:
    """Return what happened at ``instant``. The job may have been deleted since; its changes outlive it.

    Raises ``ValueError`` where ``instant`` has no offset from UTC.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant needs an offset from UTC")
    instant = instant.astimezone(UTC)
    end = _change(job, verb=JobChange.Verb.DELETED)
    if end is not None:
        # Before its rows: some may not have been removed yet.
        return Why(Answer.DELETED, instant, _deleted(end, instant), changes=(end,))
    execution = _execution_at(job, instant)
    if execution is not None:
        return _told_by(execution, instant)
    stored = Job.objects.with_state().filter(pk=job.pk).first()
    if stored is None:
        return Why(Answer.UNKNOWN, instant, "there is no such job, and no record that there was one")
    start = _change(job, verb=JobChange.Verb.CREATED)
    if start is not None and start.at > instant:
        reason = f"the job did not exist yet: {start.by} created it at {_text(start.at)}"
        return Why(Answer.NOT_DUE, instant, reason, changes=(start,))
    return _without_a_row(stored, _then(stored, instant), instant)


def _execution_at(job: Job, instant: datetime) -> Execution | None:
    return Execution.objects.filter(
        job_id=job.pk, scheduled_for=instant, until__isnull=True, trigger__in=(Trigger.SCHEDULE, Trigger.MISFIRE)
    ).first()


def _without_a_row(job: Job, then: _Then, instant: datetime) -> Why:
    """Return the answer for an instant of an existing job that has no execution of its own."""
    try:
        due = _is_due(then, instant)
    except InvalidJob as problem:
        span = _span(job, instant)
        if span is not None:
            return _told_by(span, instant, changes=_seen(then))
        return Why(
            Answer.UNKNOWN, instant, f"the schedule in force then cannot be read: {problem}", changes=_seen(then)
        )
    if not due:
        return Why(Answer.NOT_DUE, instant, _not_due(then.schedule, instant), changes=_seen(then))
    if not then.active:
        change = then.active_change
        since = f": {change.by} paused it at {_text(change.at)}" if change is not None and change.at <= instant else ""
        return Why(Answer.PAUSED, instant, f"the job was paused{since}", changes=_seen(then))
    span = _span(job, instant)
    if span is not None:
        return _told_by(span, instant, changes=_seen(then))
    if instant > clock.exact_now():
        closure = _closure(job, then.schedule.zone, instant)
        reason = f"the job is due then, and will not run: {closure}" if closure else "the job is due then and active"
        return Why(Answer.FUTURE, instant, reason, changes=_seen(then))
    if job.state.next_fire_at is not None and job.state.next_fire_at <= instant:
        return Why(Answer.PENDING, instant, _pending(job), changes=_seen(then))
    paused = Pause.objects.filter(job_id=job.pk, since__lte=instant, until__gte=instant).first()
    if paused is not None:
        reason = f"it was due, the job was paused at {_text(paused.until)}, and no beat has recorded it yet"
        return Why(Answer.PENDING, instant, reason, changes=_seen(then))
    kept_since = clock.exact_now() - timedelta(days=job.retention_days)
    if instant < kept_since:
        reason = f"it was due; what became of it was deleted after the job's {job.retention_days} days of retention"
        return Why(Answer.UNKNOWN, instant, reason, changes=_seen(then))
    later = _change(job, after=instant, field="schedule") or _change(job, after=instant, field="active")
    reason = "it was due by the schedule on record, and there is no row of it"
    return Why(Answer.UNKNOWN, instant, reason, changes=(*_seen(then), *((later,) if later else ())))


def _span(job: Job, instant: datetime) -> Execution | None:
    """Return the row that stands for several instants of the job, ``instant`` among them if it is one."""
    spans = Execution.objects.filter(job_id=job.pk, scheduled_for__lte=instant, until__gte=instant)
    return spans.order_by("until").first()


def _is_due(then: _Then, instant: datetime) -> bool:
    """Return whether the schedule in force then fires at ``instant`` for a job that goes by it since it was changed."""
    if not then.schedule.fires_at(instant):
        return False
    changes = (then.schedule_change, then.active_change if then.active else None)
    begins = max((change.at for change in changes if change is not None and change.at <= instant), default=None)
    if begins is None:
        return True
    # Who begins within the first pass of a repeated hour does not have all of the second.
    first = then.schedule.next_after(begins)
    return first is not None and first <= instant


def _told_by(execution: Execution, instant: datetime, *, changes: tuple[JobChange, ...] = ()) -> Why:
    """Return what a row says became of its instant."""
    others: tuple[Execution, ...] = ()
    status = Status(execution.status)
    if status is Status.SKIPPED:
        answer, reason, others = _not_run(execution, instant)
    elif status is Status.QUEUED:
        answer, reason, others = Answer.QUEUED, *_waiting(execution)
    elif status is Status.RUNNING:
        answer, reason = Answer.RUNNING, f"it has been running since {_text(execution.started_at)}"
        reason += f" on {execution.worker}, attempt {execution.attempt}"
    elif status is Status.CANCELLED:
        answer, reason = Answer.CANCELLED, f"it was cancelled at {_text(execution.ended_at)}"
    else:
        answer = Answer.RAN
        reason = f"it ran from {_text(execution.started_at)} to {_text(execution.ended_at)} and {status.label}"
        if execution.trigger == Trigger.MISFIRE:
            reason += ", late: the clock could not claim it in time"
    told = "; ".join(str(message) for message in execution.messages[:3]) if execution.visible else ""
    return Why(answer, instant, f"{reason}: {told}" if told else reason, (execution, *others), changes)


def _not_run(execution: Execution, instant: datetime) -> tuple[Answer, str, tuple[Execution, ...]]:
    reason = Reason(execution.reason or "")
    if reason is Reason.OVERLAP:
        earlier = _open_beside(execution)
        if earlier is None:
            return Answer.SKIPPED, "an earlier run was not finished", ()
        until = f"ended at {_text(earlier.ended_at)}" if earlier.ended_at else "is not over yet"
        return Answer.SKIPPED, f"run {earlier.number} was not finished: it {until}", (earlier,)
    if reason is Reason.COALESCED:
        standing = _standing_for(execution, instant)
        if standing is None:
            return Answer.COALESCED, "it was late, and one run stood for several instants", ()
        due = _text(standing.scheduled_for)
        return Answer.COALESCED, f"it was late, and run {standing.number}, due at {due}, stood for it", (standing,)
    if reason is Reason.EXPIRED:
        return Answer.EXPIRED, f"no worker had started it by {_text(execution.ended_at)}, when it expired", ()
    if reason is Reason.MISSED and execution.messages:
        return Answer.MISSED, f"it did not run, as was recorded at {_text(execution.ended_at)}", ()
    if reason is Reason.MISSED:
        return Answer.MISSED, f"the clock could settle it only at {_text(execution.ended_at)}, too late to run it", ()
    # The calendar may say otherwise by now; what it said then is the row.
    job = Job.objects.filter(pk=execution.job_id).first()
    closure = _closure(job, job.zone, instant) if job is not None else ""
    return Answer.SKIPPED, f"{reason.label}: {closure}" if closure else reason.label, ()


def _closure(job: Job, zone: str, instant: datetime) -> str:
    """Return which calendar closes the day of ``instant``, as things are now; empty where none does."""
    try:
        closed = store.closed(job.calendars, zone)
        closure = closed.closure_at(instant) if closed is not None else None
    except (InvalidJob, InvalidCalendar, OverflowError):
        return ""
    return "" if closure is None else f"the day is closed by {closure}"


def _open_beside(skipped: Execution) -> Execution | None:
    """Return a run that was open when the fire was skipped."""
    at = skipped.created_at
    beside = Execution.objects.filter(job_id=skipped.job_id, number__isnull=False, created_at__lte=at)
    return beside.exclude(ended_at__lt=at).order_by("-number").first()


def _standing_for(coalesced: Execution, instant: datetime) -> Execution | None:
    later = Execution.objects.filter(job_id=coalesced.job_id, scheduled_for__gt=instant, number__isnull=False)
    return later.exclude(trigger=Trigger.MANUAL).order_by("scheduled_for").first()


def _waiting(execution: Execution) -> tuple[str, tuple[Execution, ...]]:
    if execution.ready_at is None:
        before = Execution.objects.filter(job_id=execution.job_id).open().exclude(pk=execution.pk)
        first = before.filter(ready_at__isnull=False).order_by("number").first()
        return f"it waits for run {first.number} to end" if first else "it waits for a run to end", (
            (first,) if first else ()
        )
    if execution.ready_at > clock.exact_now():
        return f"attempt {execution.attempt} failed, the next is due at {_text(execution.ready_at)}", ()
    workers = Process.objects.alive().of_kind(Process.Kind.WORKER).filter(queues__contains=[execution.queue]).count()
    return f"it waits for a worker of the queue '{execution.queue}', of which {workers} are alive", ()


def _pending(job: Job) -> str:
    beats = Process.objects.alive().of_kind(Process.Kind.BEAT).count()
    return f"it is due, and no beat has claimed it yet: the job waits since {_text(job.state.next_fire_at)}; " + (
        f"{beats} beats are alive" if beats else "no beat is alive"
    )


def _not_due(schedule: Schedule, instant: datetime) -> str:
    what = f"'{schedule.text or schedule.expression}' in {schedule.zone}" if schedule.expression else "one instant"
    before, after = schedule.previous_before(instant), schedule.next_after(instant)
    reason = f"the schedule in force then, {what}, does not fire at that instant; it fires"
    around = [
        f"{_text(before)} before" if before else "never before",
        f"{_text(after)} after" if after else "never after",
    ]
    return f"{reason} at {around[0]} and {around[1]}".replace("at never", "never")


def _deleted(end: JobChange, instant: datetime) -> str:
    told = f"{end.by} deleted the job at {_text(end.at)}"
    return told if end.at <= instant else f"{told}, and its runs with it: what became of this instant is not known"


def _then(job: Job, instant: datetime) -> _Then:
    """Return the schedule and the activity in force at ``instant``, as the changes tell them."""
    schedule, schedule_change = _in_force(job, "schedule", instant)
    active, active_change = _in_force(job, "active", instant)
    return _Then(
        Schedule.of(job) if schedule is None else schedule_of(schedule),
        schedule_change,
        job.active if active is None else bool(active),
        active_change,
    )


def _in_force(job: Job, field: str, instant: datetime) -> tuple[Any, JobChange | None]:
    """Return what the last change up to ``instant`` made of ``field``, else what the first one after it changed."""
    before = _change(job, until=instant, field=field)
    if before is not None:
        return before.changes[field][1], before
    after = _change(job, after=instant, field=field)
    return (None, None) if after is None else (after.changes[field][0], after)


def _change(
    job: Job,
    *,
    verb: JobChange.Verb | None = None,
    field: str | None = None,
    until: datetime | None = None,
    after: datetime | None = None,
) -> JobChange | None:
    """Return a change of the job: the first one after ``after``, else the last one up to ``until``."""
    changes = JobChange.objects.filter(job_id=job.pk)
    if verb is not None:
        changes = changes.filter(verb=verb)
    if field is not None:
        changes = changes.filter(changes__has_key=field)
    if after is not None:
        return changes.filter(at__gt=after).order_by("at", "pk").first()
    if until is not None:
        changes = changes.filter(at__lte=until)
    return changes.order_by("-at", "-pk").first()


def _seen(then: _Then) -> tuple[JobChange, ...]:
    changes = {change.pk: change for change in (then.schedule_change, then.active_change) if change is not None}
    return tuple(sorted(changes.values(), key=lambda change: (change.at, change.pk)))


def _text(instant: datetime | None) -> str:
    if instant is None:
        return "an unknown time"
    text = instant.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds" if instant.microsecond else "seconds")
    return text.replace("+00:00", " UTC")
