"""Between an alert rule and its entry in a file. Channels go by name: their URLs hold secrets and never travel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from django.core.exceptions import ValidationError

from scheduler import job_types
from scheduler.cli.members import Members
from scheduler.cli.problems import Problem
from scheduler.models import AlertRule, Condition

_NUMBERS = ("runs", "percent", "seconds")
_SWITCHES = ("tell_recovery", "enabled")
_ORDER = {condition.value: place for place, condition in enumerate(Condition)}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An alert rule as a file has it. ``kind`` is that of a default; ``channels`` are names. A snooze is no part."""

    kind: str = ""
    condition: str
    runs: int | None = None
    percent: int | None = None
    seconds: int | None = None
    channels: tuple[str, ...] = ()
    tell_recovery: bool = True
    enabled: bool = True

    @classmethod
    def of(cls, rule: AlertRule) -> Rule:
        """Return a stored rule. One query more unless its channels were fetched."""
        plain = {item.name: getattr(rule, item.name) for item in fields(cls) if item.name != "channels"}
        return cls(**plain, channels=tuple(sorted(channel.name for channel in rule.channels.all())))

    @property
    def entry(self) -> dict[str, Any]:
        """What a file has for it: what differs from the defaults, and its channels."""
        members = {item.name: (getattr(self, item.name), item.default) for item in fields(self)}
        return {
            name: list(value) if name == "channels" else value
            for name, (value, default) in members.items()
            if name == "channels" or value != default
        }

    @property
    def place(self) -> tuple[Any, ...]:
        """What the rules of a file are in the order of, whatever their keys are."""
        numbers = tuple(getattr(self, name) or 0 for name in _NUMBERS)
        return (self.kind, _ORDER.get(self.condition, 99), *numbers, self.channels, self.tell_recovery, self.enabled)


Stored = tuple[tuple[int, Rule], ...]


def stored(job_pks: Collection[int]) -> dict[int, Stored]:
    """Return the rules of each of these jobs that has any, with their keys."""
    found: dict[int, list[tuple[int, Rule]]] = defaultdict(list)
    for rule in AlertRule.objects.filter(job_id__in=job_pks).prefetch_related("channels").order_by("pk"):
        found[rule.job_id or 0].append((rule.pk, Rule.of(rule)))
    return {job: tuple(rules) for job, rules in found.items()}


def stored_defaults() -> Stored:
    """Return the rules of no job, with their keys."""
    rules = AlertRule.objects.filter(job__isnull=True).prefetch_related("channels").order_by("pk")
    return tuple((rule.pk, Rule.of(rule)) for rule in rules)


def listed(rules: Stored) -> list[dict[str, Any]]:
    """Return the entries of rules, in the order of a file."""
    return [rule.entry for rule in sorted((rule for _key, rule in rules), key=lambda rule: rule.place)]


def read(entries: Sequence[Any], *, channels: Collection[str], default: bool) -> tuple[tuple[Rule, ...], list[Problem]]:
    """Return the rules of a list of entries, and what is wrong with them. ``default``: they may have a kind."""
    found: list[Rule] = []
    problems: list[Problem] = []
    for entry in entries:
        reader = _Reader(entry)
        rule = reader.read(channels, default=default)
        problems += reader.problems
        if rule is not None:
            found.append(rule)
    return tuple(found), problems


class _Reader(Members):
    def read(self, channels: Collection[str], *, default: bool) -> Rule | None:
        entry = self.entry
        known = [item.name for item in fields(Rule) if default or item.name != "kind"]
        self.refuse_unknown(entry, known, "" if default else "alerts.")
        values: dict[str, Any] = {name: self.plain(name, str) for name in ("kind", "condition") if name in entry}
        values |= {name: self.plain(name, int, type(None)) for name in _NUMBERS if name in entry}
        values |= {name: self.plain(name, bool) for name in _SWITCHES if name in entry}
        for name in ("condition", "channels"):
            if entry.get(name) is None:
                self.refuse(name, f"{name} is missing")
        values["channels"] = tuple(sorted(set(self.texts("channels"))))
        for name in values["channels"]:
            if name not in channels:
                self.refuse("channels", f"there is no channel '{name[:100]}'; it holds secrets: make it in the console")
        if values.get("kind") and values["kind"] not in {known.kind for known in job_types.all_types()}:
            self.refuse("kind", f"there is no kind of job '{values['kind'][:100]}'")
        if self.problems:
            return None
        rule = Rule(**values)
        self._check(rule)
        return None if self.problems else rule

    def _check(self, rule: Rule) -> None:
        try:
            model_of(rule).full_clean(validate_unique=False, validate_constraints=False)
        except ValidationError as refusal:
            for name, texts in refusal.message_dict.items():
                self.refuse(name, f"{name}: {' '.join(texts)}")


def model_of(rule: Rule) -> AlertRule:
    """Return a row that is not stored, without its channels."""
    plain = {item.name: getattr(rule, item.name) for item in fields(rule) if item.name != "channels"}
    return AlertRule(**plain)


@dataclass(frozen=True)
class RuleChange:
    """One rule to be written: made where ``key`` is None, deleted where ``after`` is."""

    key: int | None
    before: Rule | None
    after: Rule | None


def changes(present: Stored, wanted: Iterable[Rule]) -> tuple[RuleChange, ...]:
    """Return what makes the ``present`` rules the ``wanted`` ones.

    A rule that only changes its numbers or channels stays the same row, with its incidents and its snooze.
    """
    left = sorted(present, key=lambda pair: (pair[1].place, pair[0]))
    fresh: list[Rule] = []
    for rule in sorted(wanted, key=lambda rule: rule.place):
        same = next((pair for pair in left if pair[1] == rule), None)
        if same is None:
            fresh.append(rule)
        else:
            left.remove(same)
    found: list[RuleChange] = []
    for rule in fresh:
        alike = next((pair for pair in left if (pair[1].kind, pair[1].condition) == (rule.kind, rule.condition)), None)
        if alike is not None:
            left.remove(alike)
        found.append(RuleChange(alike[0] if alike else None, alike[1] if alike else None, rule))
    return (*(RuleChange(key, rule, None) for key, rule in left), *found)


def shown(found: Iterable[RuleChange]) -> dict[str, tuple[Any, Any]]:
    """Return path -> (before, after) of changed rules, for people."""
    return {
        f"alerts.{place}": (
            None if change.before is None else change.before.entry,
            None if change.after is None else change.after.entry,
        )
        for place, change in enumerate(found, start=1)
    }
