"""Which rules hold for a job, and whether a run that succeeded is slow enough for any of them to care."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q

from scheduler.models.alert import AlertRule, Condition
from scheduler.started import Started

# For so long a worker trusts what it read of the rules. A run that outlasts this is seen by ``overdue`` all the same.
TRUSTED_SECONDS = 5.0
# What a worker's clock may differ from the database's: the rules are looked at exactly later.
_SLACK_SECONDS = 1.0


def holding(jobs: Mapping[int, str]) -> dict[int, list[AlertRule]]:
    """Return the enabled rules that hold for each of ``jobs`` (key -> kind), the most specific of each condition."""
    own: dict[int, list[AlertRule]] = defaultdict(list)
    of_kind: dict[str, list[AlertRule]] = defaultdict(list)
    for rule in AlertRule.objects.filter(Q(job_id__in=list(jobs)) | Q(job__isnull=True)).order_by("pk"):
        if rule.job_id is not None:
            own[rule.job_id].append(rule)
        else:
            of_kind[rule.kind].append(rule)
    return {job: _most_specific(own[job], of_kind[kind] if kind else [], of_kind[""]) for job, kind in jobs.items()}


def _most_specific(*levels: Iterable[AlertRule]) -> list[AlertRule]:
    chosen: dict[str, list[AlertRule]] = {}
    for level in levels:
        here: dict[str, list[AlertRule]] = defaultdict(list)
        for rule in level:
            here[rule.condition].append(rule)
        for condition, found in here.items():
            chosen.setdefault(condition, found)
    return [rule for found in chosen.values() for rule in found if rule.enabled]


@dataclass(frozen=True)
class _Limits:
    """The shortest times that any rule cares about: seconds late, seconds taken."""

    late: float = float("inf")
    long: float = float("inf")


class Thresholds:
    """What a worker remembers of the rules about late and long runs, so that asking costs no statement per run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._jobs: dict[int, _Limits] = {}
        self._kinds: dict[str, _Limits] = {}

    def forget(self) -> None:
        """Read the rules anew at the next question."""
        self._read_at = float("-inf")

    def slow(self, runs: Iterable[Started]) -> set[int]:
        """Return the ids of those of ``runs``, which end now, that began late or took long by some rule."""
        with self._lock:
            if time.monotonic() - self._read_at > TRUSTED_SECONDS:
                self._read()
            if not self._jobs and not self._kinds:
                return set()
            now = datetime.now(UTC)
            return {run.execution_id for run in runs if self._is_slow(run, now)}

    def _read(self) -> None:
        jobs: dict[int, _Limits] = {}
        kinds: dict[str, _Limits] = {}
        found = AlertRule.objects.filter(enabled=True, condition__in=(Condition.LATE, Condition.LONG))
        for job, kind, condition, seconds in found.values_list("job_id", "kind", "condition", "seconds"):
            late = float(seconds or 0) if condition == Condition.LATE else float("inf")
            long = float(seconds or 0) if condition == Condition.LONG else float("inf")
            if job is not None:
                jobs[job] = _least(jobs.get(job, _Limits()), _Limits(late, long))
            else:
                kinds[kind] = _least(kinds.get(kind, _Limits()), _Limits(late, long))
        self._jobs, self._kinds, self._read_at = jobs, kinds, time.monotonic()

    def _is_slow(self, run: Started, now: datetime) -> bool:
        none = _Limits()
        limits = self._jobs.get(run.job_pk, none)
        for kind in (run.job_kind, ""):
            limits = _least(limits, self._kinds.get(kind, none))
        late = (run.started_at - run.scheduled_for).total_seconds() + _SLACK_SECONDS
        long = (now - run.started_at).total_seconds() + _SLACK_SECONDS
        return late >= limits.late or long >= limits.long


def _least(one: _Limits, other: _Limits) -> _Limits:
    return _Limits(min(one.late, other.late), min(one.long, other.long))


thresholds = Thresholds()
