"""Whether a run meets a rule's condition, and whether all is well again."""

from __future__ import annotations

from typing import Any

from scheduler.alerts import runs
from scheduler.alerts.runs import Run
from scheduler.models.alert import AlertRule, Condition
from scheduler.models.execution import Status


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
        case Condition.LATE if run.late_seconds >= (rule.seconds or 0) and run.status is not Status.CANCELLED:
            return f"run {run.number} {_late(run)}"
        case Condition.LONG if run.took_seconds >= (rule.seconds or 0) and run.status is not Status.CANCELLED:
            took = "has taken" if run.status is Status.RUNNING else "took"
            return f"run {run.number} {took} {run.took_seconds:.0f} s, more than {rule.seconds} s"
    return None


def over(cursor: Any, rule: AlertRule, job_pk: int, *, number: int) -> bool:
    """Whether what ``rule`` found with the run ``number`` of the job is over, for conditions that look at several runs.

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
    return False


def failure_rate(cursor: Any, rule: AlertRule, job_pk: int) -> float | None:
    """Return how many per cent of the rule's last runs failed; None while there are not so many."""
    wanted = rule.runs or 0
    found, failed = runs.last(cursor, job_pk, count=wanted)
    return None if found < wanted else 100.0 * failed / found


def _late(run: Run) -> str:
    seconds = f"{run.late_seconds:.0f} s"
    if run.status is Status.SKIPPED:
        return f"was given up {seconds} after it was due: it was not started in time"
    return f"began {seconds} late" if run.began_at is not None else f"waits {seconds} already and has not begun"
