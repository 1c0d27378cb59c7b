"""Doing what was planned: all of it or, where anything is refused, nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from django.db import OperationalError, transaction

from scheduler import jobs
from scheduler.calendars import store as calendars
from scheduler.cli import rule_entries
from scheduler.cli.planning import Plan
from scheduler.cli.problems import Problem, Refused
from scheduler.cli.rule_entries import Rule, RuleChange
from scheduler.cli.steps import AnyStep, CalendarStep, DefaultsStep, Step, Verb
from scheduler.connections import gave_way
from scheduler.exceptions import SchedulerError
from scheduler.models import AlertRule, Calendar, Channel, Job

_TRIES = 5
# How many steps are done: 0 where it is tried again.
Progress = Callable[[int], None]


def apply(plan: Plan, *, again: Callable[[], Plan], by: str, told: Progress = lambda done: None) -> Counter[str]:
    """Write every step of ``plan`` in one transaction and return how many there were of each verb.

    All is planned ``again`` inside it: what nobody has seen is not done. Raises ``Refused``.
    """
    for _ in range(_TRIES - 1):
        try:
            return _apply(plan, again, by, told)
        except OperationalError as error:
            if not gave_way(error):
                raise
    try:
        return _apply(plan, again, by, told)
    except OperationalError as error:
        if not gave_way(error):
            raise
        raise Refused(
            Problem(0, "somebody else is editing one of these jobs; nothing was written, try again")
        ) from None


def _apply(plan: Plan, again: Callable[[], Plan], by: str, told: Progress) -> Counter[str]:
    done: Counter[str] = Counter()
    told(0)
    with transaction.atomic():
        present = again()
        if present != plan:
            raise _moved()
        first = [step for step in present.steps if isinstance(step, CalendarStep)]
        for step in first:
            _do(step, by, done, told)
        # Calendars that are new have their numbers now, which the definitions of jobs need.
        rest = again().steps if first else present.steps
        if rest != present.steps[len(first) :]:
            raise _moved()
        for other in rest:
            _do(other, by, done, told)
    return done


def _do(step: AnyStep, by: str, done: Counter[str], told: Progress) -> None:
    try:
        if isinstance(step, CalendarStep):
            _write_calendar(step, by)
        elif isinstance(step, DefaultsStep):
            _write_rules(None, step.rules)
        else:
            _write(step, by)
    except SchedulerError as refusal:
        raise Refused(Problem(step.line, f"{step.words}: {refusal}")) from refusal
    done[step.verb] += 1
    told(done.total())


def _write(step: Step, by: str) -> None:
    if step.verb is Verb.CREATE and step.definition is not None:
        _write_rules(jobs.create(step.kind, step.definition, by=by, number=step.number), step.rules)
        return
    job = jobs.get(step.kind, step.number or 0)
    if step.verb is Verb.DELETE:
        jobs.delete(job, by=by)
        return
    if step.values and jobs.update(job, step.values, by=by).version != (step.version or 0) + 1:
        raise _moved()
    _write_rules(job, step.rules)


def _write_calendar(step: CalendarStep, by: str) -> None:
    calendar = None
    if step.verb is Verb.UPDATE:
        calendar = Calendar.objects.select_for_update(no_key=True).filter(name=step.name).first()
        if calendar is None or calendar.version != step.version:
            raise _moved()
    calendars.save(calendar, step.rules, by=by)


def _write_rules(job: Job | None, changes: Iterable[RuleChange]) -> None:
    for change in changes:
        row = None
        if change.key is not None:
            row = AlertRule.objects.select_for_update(of=("self",)).filter(pk=change.key).first()
            if row is None or Rule.of(row) != change.before:
                raise _moved()
        if change.after is None:
            if row is not None:
                row.delete()
            continue
        _write_rule(row, job, change.after)


def _write_rule(row: AlertRule | None, job: Job | None, rule: Rule) -> None:
    written = rule_entries.model_of(rule)
    written.job = job
    if row is not None:
        written.pk, written.snoozed_until = row.pk, row.snoozed_until
    written.save(force_insert=row is None, force_update=row is not None)
    written.channels.set(Channel.objects.filter(name__in=rule.channels))


def _moved() -> Refused:
    return Refused(Problem(0, "the jobs were changed meanwhile; nothing was written, look at the plan anew"))
