"""Whether a run meets a rule's condition, and whether all is well again."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from scheduler.alerts import runs, wording
from scheduler.alerts.runs import Run
from scheduler.models.alert import AlertRule, Condition
from scheduler.models.execution import Reason, Status
from scheduler.overlap import REPLACED

# Why an instant did not run, for people; not among them are closed days, which are wanted, and instants for which a
# later run stands.
_NOT_RUN = {
    Reason.MISSED: "nothing could start it in time",
    Reason.OVERLAP: Reason.OVERLAP.label,
    Reason.EXPIRED: "no worker took it in time",
}


def met(cursor: Any, rule: AlertRule, run: Run) -> str | None:
    """Return what is wrong with ``run`` by ``rule``, as the end of a sentence about its job; None where nothing is."""
    failed = run.status is Status.FAILED
    match rule.condition:
        case Condition.FAILURE if failed:
            return f"run {run.number} failed"
        case Condition.IN_A_ROW if failed:
            wanted = rule.runs or 0
            if runs.last(cursor, run.job_pk, count=wanted) == (wanted, wanted):
                return f"{wanted} runs in a row failed"
        case Condition.RATE if failed:
            percent = failure_rate(cursor, rule, run.job_pk)
            if percent is not None and percent >= (rule.percent or 0):
                return f"{percent:.0f} % of the last {rule.runs} runs failed"
        case Condition.LATE if _is_run(run) and run.late_seconds >= (rule.seconds or 0):
            return f"run {run.number} {_late(run)}"
        case Condition.LONG if _is_run(run) and run.took_seconds >= (rule.seconds or 0):
            took = "has taken" if run.status is Status.RUNNING else "took"
            return f"run {run.number} {took} {run.took_seconds:.0f} s, more than {rule.seconds} s"
        case Condition.NOT_RUN:
            why = _why_not_run(run)
            return None if why is None else f"did not run {wording.due(run)}: {why}"
    return None


def over(cursor: Any, rule: AlertRule, job_pk: int, *, number: int, seen_at: datetime) -> bool:
    """Whether what ``rule`` found with the run ``number`` of the job is over, for conditions that look at several runs.

    ``seen_at`` is when it was found, last.

    Failures are over with the first success, which ``review`` sees without asking each job.
    """
    match rule.condition:
        case Condition.RATE:
            percent = failure_rate(cursor, rule, job_pk)
            return percent is not None and percent < (rule.percent or 0)
        case Condition.LATE:
            later = runs.newest_started(cursor, job_pk, after=number)
            well = later is not None and later.late_seconds < (rule.seconds or 0)
            return well and not runs.any_overdue(cursor, job_pk, late=rule.seconds)
        case Condition.LONG:
            later = runs.newest_ended(cursor, job_pk, after=number)
            well = later is not None and later.took_seconds < (rule.seconds or 0)
            return well and not runs.any_overdue(cursor, job_pk, long=rule.seconds)
        case Condition.NOT_RUN:
            newest = runs.newest_started(cursor, job_pk, after=0)
            return newest is not None and newest.began_at is not None and newest.began_at > seen_at
    return False


def failure_rate(cursor: Any, rule: AlertRule, job_pk: int) -> float | None:
    """Return how many per cent of the rule's last runs failed; None while there are not so many."""
    wanted = rule.runs or 0
    found, failed = runs.last(cursor, job_pk, count=wanted)
    return None if found < wanted else 100.0 * failed / found


def _is_run(run: Run) -> bool:
    """Whether it is a run that nobody stopped."""
    return run.number is not None and run.status is not Status.CANCELLED


def _why_not_run(run: Run) -> str | None:
    if run.reason is not None:
        return _NOT_RUN.get(Reason(run.reason))
    if run.status is Status.CANCELLED and run.began_at is None and REPLACED in json.loads(run.messages):
        return REPLACED
    return None


def _late(run: Run) -> str:
    seconds = f"{run.late_seconds:.0f} s"
    if run.status is Status.SKIPPED:
        return f"was given up {seconds} after it was due: it was not started in time"
    return f"began {seconds} late" if run.began_at is not None else f"waits {seconds} already and has not begun"
