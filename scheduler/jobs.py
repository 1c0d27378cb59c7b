"""The use cases of a job: create, update, delete, activate, deactivate, run now. The only writer of ``Job``.

Each verb is one transaction that leaves the job, its next fire and its beat entry agreeing. It takes the lock of the
job's state row first, which the clock takes too: an edit is in force at its commit, and what was due before it is
settled under the old definition inside the same transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import IntegrityError, OperationalError, connection, transaction

from scheduler import claims, clock, dates, deeds, entries, job_types, messages, metrics, pauses, request_id, retention
from scheduler.calendars import store as calendars
from scheduler.connections import gave_way, wait_briefly
from scheduler.definition import Definition, check, check_json, differences
from scheduler.endings import release_held
from scheduler.exceptions import InvalidJob, JobNotFound, NameTaken, NumberTaken
from scheduler.models import Execution, Job, JobChange, JobState
from scheduler.overlap import Decision, decide

__all__ = ["Definition", "activate", "create", "deactivate", "delete", "get", "run_now", "update"]

logger = logging.getLogger(__name__)

CHANNEL = "scheduler_jobs"
_LARGEST = 2**63 - 1
_TRIES = 20
# The last of the numbers from %(number)s on that are, without a gap, a job's or were a deleted job's: an import's often
# thousands. Costs a look into an index for each of them, however many others there are. The one before: it is free.
_LAST_TAKEN = """
WITH RECURSIVE taken (number) AS (
    SELECT %(number)s::bigint - 1
    UNION ALL
    SELECT number + 1 FROM taken WHERE number < %(largest)s AND EXISTS (
        SELECT FROM scheduler_job WHERE kind = %(kind)s AND number = taken.number + 1
        UNION ALL
        SELECT FROM scheduler_jobchange WHERE kind = %(kind)s AND number = taken.number + 1 AND verb = 'deleted'
    )
)
SELECT max(number) FROM taken
"""
_P = ParamSpec("_P")
_T = TypeVar("_T")
Changes = Mapping[str, Any] | Callable[[Job], Mapping[str, Any]]


def get(kind: str, number: int) -> Job:
    """Return a job with its state. Raises ``JobNotFound``."""
    if not 0 < number <= _LARGEST:
        raise JobNotFound(f"no {kind} job {number}")
    try:
        return Job.objects.with_state().get(kind=kind, number=number)
    except Job.DoesNotExist:
        raise JobNotFound(f"no {kind} job {number}") from None


def create(kind: str, definition: Definition, *, by: str, number: int | None = None) -> Job:
    """Write a new job, its first fire and its beat entry, and return it.

    ``number`` None takes the next free one. Raises ``NumberTaken``, ``NameTaken``, ``InvalidJob`` (of which
    ``InvalidSchedule`` and ``NeverFires``), ``UnknownJobType``.
    """
    check(kind, definition)
    job_types.get(kind).check_schedule(definition.schedule)
    if number is not None and not 0 < number <= _LARGEST:
        raise InvalidJob("number", f"a job id must be from 1 to {_LARGEST}")
    with transaction.atomic():
        calendars.hold(definition.calendars)
        now = clock.now()
        next_fire_at = definition.schedule.first_after(now)
        job = Job(
            kind=kind,
            name_key=_name_key(kind, definition.name),
            created_by=by,
            updated_by=by,
            created_at=now,
            updated_at=now,
            **_columns(kind, definition),
        )
        _insert(job, number)
        fires = next_fire_at if job.active else None
        entry = entries.create(job, fires, now=now)
        job.state = JobState.objects.create(job=job, next_fire_at=fires, entry=entry)
        _record(job, JobChange.Verb.CREATED, by, differences(kind, None, definition), at=now)
        _wake()
    logger.info("job.created kind=%s job=%s by=%r next_fire_at=%s", kind, job.number, by, fires)
    return job


def _giving_way(verb: Callable[_P, _T]) -> Callable[_P, _T]:
    """Try ``verb`` again where it gave way to somebody who edits the job's beat entry in the admin, or holds a run."""

    @wraps(verb)
    def patient(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        for _ in range(_TRIES - 1):
            try:
                return verb(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or not gave_way(error):
                    raise
        return verb(*args, **kwargs)

    return patient


@_giving_way
def update(job: Job, changes: Changes, *, by: str) -> Job:
    """Change fields of ``Definition`` of a job and return it anew; what is not named keeps its value.

    A function as ``changes`` is asked under the job's lock: who edits a part of a field undoes nobody's edit of another
    part. Where it names none, nothing is written. Raises what ``create`` raises, what such a function raises, and
    ``JobNotFound`` where the job was deleted meanwhile.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if claims.lock(cursor, job.pk) is None:
            raise JobNotFound(f"no {job.kind} job {job.number}")
        wait_briefly(cursor)
        current = Job.objects.with_state().get(pk=job.pk)
        before = Definition.of(current)
        named = changes if isinstance(changes, Mapping) else changes(current)
        if not named and named is not changes:
            return current
        after = replace(before, **named)
        check(job.kind, after, before=before)
        if after.schedule != before.schedule:
            # Only a new one: a job stays editable where the rules of its kind became stricter than its schedule.
            job_types.get(job.kind).check_schedule(after.schedule)
        if after.calendars != before.calendars:
            calendars.hold(after.calendars)
        # The edit holds from this instant on, not from the start of the transaction: the lock may have been long in
        # coming, and what fell due meanwhile is the old definition's.
        now = clock.exact_now()
        pauses.settle(cursor, job.pk)
        hints = claims.settle(job.pk, now=now)
        stored = Job.objects.with_state().get(pk=job.pk)
        if stored.active != before.active:
            # Its fires could not be worked out. An edit that leaves the cause as it is does not revive it, whatever the
            # form says that was filled in before.
            before = replace(before, active=stored.active)
            if after.schedule == before.schedule and after.calendars == before.calendars:
                after = replace(after, active=stored.active)
        reschedule = after.schedule != before.schedule or after.active != before.active
        next_fire_at = stored.state.next_fire_at
        if reschedule:
            first = after.schedule.first_after(now) if after.schedule != before.schedule else None
            next_fire_at = (first or after.schedule.next_after(now)) if after.active else None
        for name, value in _columns(stored.kind, after).items():
            setattr(stored, name, value)
        stored.name_key = _name_key(stored.kind, stored.name)
        stored.version += 1
        stored.updated_by, stored.updated_at = by, now
        _save(stored)
        if reschedule:
            stored.state.next_fire_at, stored.state.recompute = next_fire_at, False
            stored.state.save(update_fields=["next_fire_at", "recompute"])
        if after.retention_days != before.retention_days:
            dates.ask(cursor, job.pk)
        if stored.state.entry_id is not None:
            entries.update(stored, stored.state.entry_id, next_fire_at)
        _record(stored, _verb(before, after), by, differences(stored.kind, before, after), at=now)
        _wake()
        transaction.on_commit(lambda: messages.publish(hints))
    logger.info("job.updated kind=%s job=%s by=%r next_fire_at=%s", stored.kind, stored.number, by, next_fire_at)
    return stored


def activate(job: Job, *, by: str) -> Job:
    """Let a job fire again, from now on; what fell due while it was paused stays unfired."""
    return update(job, {"active": True}, by=by)


def deactivate(job: Job, *, by: str) -> Job:
    """Pause a job: nothing fires until it is activated. Runs that are queued or running go on."""
    return update(job, {"active": False}, by=by)


@_giving_way
def delete(job: Job, *, by: str) -> None:
    """Delete a job with its beat entry, at once and however long its history is; a running run is told to stop.

    None of its runs starts, is tried again or ends any more; the beats remove its executions in batches. Raises
    ``JobNotFound``.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if claims.lock(cursor, job.pk) is None:
            raise JobNotFound(f"no {job.kind} job {job.number}")
        wait_briefly(cursor)
        stored = Job.objects.with_state().get(pk=job.pk)
        retention.leave(job.pk, stored.kind)
        entry_id = stored.state.entry_id
        last = differences(stored.kind, Definition.of(stored), None)
        _record(stored, JobChange.Verb.DELETED, by, last, at=clock.exact_now())
        cursor.execute("DELETE FROM scheduler_retentionchange WHERE job_id = %s", [job.pk])
        cursor.execute("DELETE FROM scheduler_pause WHERE job_id = %s", [job.pk])
        cursor.execute("DELETE FROM scheduler_jobstate WHERE job_id = %s", [job.pk])
        cursor.execute("DELETE FROM scheduler_job WHERE id = %s", [job.pk])
        if entry_id is not None:
            entries.delete([entry_id])
        _wake()
    logger.info("job.deleted kind=%s job=%s by=%r", stored.kind, stored.number, by)


@_giving_way
def run_now(job: Job, *, by: str, arguments: Mapping[str, Any] | None = None) -> Execution:
    """Ask for a run at once, under the job's overlap policy, and return its execution.

    The execution is SKIPPED, with the reason, where the policy lets nothing run beside the open run. ``arguments``
    replace the job's for this run. Raises ``JobNotFound``, ``InvalidJob``.
    """
    if arguments is not None:
        check_json("arguments", arguments)
        job_types.get(job.kind).check(arguments)
    with transaction.atomic(), connection.cursor() as cursor:
        locked = claims.lock(cursor, job.pk)
        if locked is None:
            raise JobNotFound(f"no {job.kind} job {job.number}")
        decision = decide(locked.overlap, open_runs=locked.open_runs)
        if decision is Decision.REPLACE:
            claims.replace_open(cursor, job.pk)
        execution_id, hint = claims.insert_manual(
            cursor,
            locked,
            kind=job.kind,
            by=by,
            arguments=None if arguments is None else job_types.get(job.kind).stored(arguments),
            decision=decision,
        )
        if decision is Decision.REPLACE:
            release_held(cursor, job.pk)
        if hint is not None:
            transaction.on_commit(lambda: messages.publish([hint]))
        transaction.on_commit(lambda: metrics.REQUESTED.add(job.kind))
        execution = Execution.objects.get(pk=execution_id)
        deeds.run_requested.send(sender=Job, job=job, execution=execution, by=by)
    logger.info(
        "run.requested kind=%s job=%s execution=%s status=%s by=%r",
        job.kind,
        job.number,
        execution.number,
        execution.get_status_display(),
        by,
    )
    return execution


def _columns(kind: str, definition: Definition) -> dict[str, Any]:
    return {**definition.columns(), "arguments": job_types.get(kind).stored(definition.arguments)}


def _name_key(kind: str, name: str) -> str | None:
    return name if job_types.get(kind).unique_names else None


def _next_number(kind: str) -> int:
    """Return the next number of a kind; the counter's row lock keeps two creations from getting the same.

    Numbers that jobs asked for by themselves are passed over, also those of jobs that are gone.
    """
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "INSERT INTO scheduler_jobcounter (kind, last_number) VALUES (%s, 1)"
                " ON CONFLICT (kind) DO UPDATE SET last_number = scheduler_jobcounter.last_number + 1"
                " RETURNING last_number",
                [kind],
            )
            number: int = cursor.fetchone()[0]
            cursor.execute(_LAST_TAKEN, {"kind": kind, "number": number, "largest": _LARGEST})
            last_taken: int = cursor.fetchone()[0]
            if last_taken < number:
                return number
            cursor.execute("UPDATE scheduler_jobcounter SET last_number = %s WHERE kind = %s", [last_taken, kind])


def _insert(job: Job, number: int | None) -> None:
    while True:
        job.number = number if number is not None else _next_number(job.kind)
        try:
            with transaction.atomic():
                job.save(force_insert=True)
            return
        except IntegrityError as error:
            refusal = _domain_error(job, error)
            # A number that was free a moment ago may be taken by somebody who asked for just that one.
            if number is not None or not isinstance(refusal, NumberTaken):
                raise refusal from error


def _save(job: Job) -> None:
    try:
        with transaction.atomic():
            job.save(force_update=True)
    except IntegrityError as error:
        raise _domain_error(job, error) from error


def _domain_error(job: Job, error: IntegrityError) -> Exception:
    """Return what a violated constraint means in the core's words."""
    constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
    if constraint == "job_number_unique":
        return NumberTaken(f"a {job.kind} job {job.number} exists already")
    if constraint == "job_name_unique":
        return NameTaken(f"a {job.kind} job named '{job.name}' exists already")
    return error


def _verb(before: Definition, after: Definition) -> JobChange.Verb:
    if replace(before, active=after.active) == after and before.active != after.active:
        return JobChange.Verb.ACTIVATED if after.active else JobChange.Verb.DEACTIVATED
    return JobChange.Verb.UPDATED


def _record(job: Job, verb: JobChange.Verb, by: str, changes: dict[str, Any], *, at: datetime) -> None:
    """Write what was done. ``at`` is the instant the clock goes by: what was due up to it is the old definition's."""
    JobChange.objects.create(
        job_id=job.pk,
        kind=job.kind,
        number=job.number,
        at=at,
        by=by[:254],
        verb=verb,
        changes=changes,
        request_id=request_id.current(),
    )


def _wake() -> None:
    """Wake the beats at commit: the earliest due instant may have moved."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
