"""What is to be done, step by step: calendars, jobs with their alert rules, rules that are defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from scheduler.calendars.store import Rules
from scheduler.cli.rule_entries import RuleChange
from scheduler.definition import Definition

# Paths -> what people may see of before and after, None for nothing.
Changes = Mapping[str, tuple[Any, Any]]


class Verb(StrEnum):
    """What is to be done with a job, a calendar, or the defaults."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True)
class Step:
    """One job to be written, with its alert rules.

    Two plans are the same where their steps look the same: sealing a secret twice gives two different values.
    """

    verb: Verb
    kind: str
    number: int | None
    name: str
    line: int
    changes: Changes
    version: int | None = None
    definition: Definition | None = field(default=None, compare=False)
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)
    rules: tuple[RuleChange, ...] = field(default=(), compare=False)

    @property
    def label(self) -> str:
        """What a plan calls it."""
        return f"{self.kind}/{'new' if self.number is None else self.number} {self.name}"

    @property
    def words(self) -> str:
        """What a refusal calls it."""
        return f"{self.kind} job '{self.name}'"


@dataclass(frozen=True)
class CalendarStep:
    """One calendar to be written."""

    verb: Verb
    name: str
    line: int
    changes: Changes
    version: int | None = None
    rules: Rules = field(default=Rules(name=""), compare=False)

    @property
    def label(self) -> str:
        """What a plan calls it."""
        return f"calendar {self.name}"

    @property
    def words(self) -> str:
        """What a refusal calls it."""
        return f"calendar '{self.name}'"


@dataclass(frozen=True)
class DefaultsStep:
    """The alert rules of no job, to be made what a file says."""

    line: int
    changes: Changes
    rules: tuple[RuleChange, ...] = field(default=(), compare=False)
    verb: Verb = Verb.UPDATE
    label: str = "alert rules of all jobs"
    words: str = "alert rules of all jobs"


AnyStep = Step | CalendarStep | DefaultsStep
