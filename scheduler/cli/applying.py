"""Doing what was planned: all of it or, where anything is refused, nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from django.db import OperationalError, transaction

from scheduler import jobs
from scheduler.cli.planning import Plan, Step, Verb
from scheduler.cli.problems import Problem, Refused
from scheduler.connections import gave_way
from scheduler.exceptions import SchedulerError

_TRIES = 5


def apply(plan: Plan, *, again: Callable[[], Plan], by: str) -> Counter[str]:
    """Write every step of ``plan`` in one transaction and return how many there were of each verb.

    The jobs are planned ``again`` inside it: what nobody has seen is not done. Raises ``Refused``.
    """
    for _ in range(_TRIES - 1):
        try:
            return _apply(plan, again, by)
        except OperationalError as error:
            if not gave_way(error):
                raise
    try:
        return _apply(plan, again, by)
    except OperationalError as error:
        if not gave_way(error):
            raise
        raise Refused(
            Problem(0, "somebody else is editing one of these jobs; nothing was written, try again")
        ) from None


def _apply(plan: Plan, again: Callable[[], Plan], by: str) -> Counter[str]:
    done: Counter[str] = Counter()
    with transaction.atomic():
        present = again()
        if present != plan:
            raise _moved()
        for step in present.steps:
            try:
                _write(step, by)
            except SchedulerError as refusal:
                raise Refused(Problem(step.line, f"{step.kind} job '{step.name}': {refusal}")) from refusal
            done[step.verb] += 1
    return done


def _write(step: Step, by: str) -> None:
    if step.verb is Verb.CREATE and step.definition is not None:
        jobs.create(step.kind, step.definition, by=by, number=step.number)
        return
    job = jobs.get(step.kind, step.number or 0)
    if step.verb is Verb.DELETE:
        jobs.delete(job, by=by)
    elif jobs.update(job, step.values, by=by).version != (step.version or 0) + 1:
        raise _moved()


def _moved() -> Refused:
    return Refused(Problem(0, "the jobs were changed meanwhile; nothing was written, look at the plan anew"))
