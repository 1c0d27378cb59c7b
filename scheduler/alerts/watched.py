"""Whose ends are to be told although they succeeded: runs that were slow by some rule, and jobs with a ping URL."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from scheduler.models.alert import AlertRule, Condition, Ping
from scheduler.started import Started

# For so long a worker trusts what it read. A run that outlasts this is seen by ``overdue`` all the same.
TRUSTED_SECONDS = 5.0
# What a worker's clock may differ from the database's: the rules are looked at exactly later.
_SLACK_SECONDS = 1.0


@dataclass(frozen=True)
class _Limits:
    """The shortest times that any rule cares about: seconds late, seconds taken."""

    late: float = float("inf")
    long: float = float("inf")


class Watched:
    """What a worker remembers of rules and pings, so that the end of a run costs no statement more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._jobs: dict[int, _Limits] = {}
        self._kinds: dict[str, _Limits] = {}
        self._pinged: frozenset[int] = frozenset()

    def forget(self) -> None:
        """Read them anew at the next question."""
        self._read_at = float("-inf")

    def awaited(self, runs: Iterable[Started]) -> set[int]:
        """Return the ids of those of ``runs``, which end now, whose end is to be told however it is."""
        with self._lock:
            if time.monotonic() - self._read_at > TRUSTED_SECONDS:
                self._read()
            if not self._jobs and not self._kinds and not self._pinged:
                return set()
            now = datetime.now(UTC)
            return {run.execution_id for run in runs if run.job_pk in self._pinged or self._is_slow(run, now)}

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
        self._pinged = frozenset(Ping.objects.values_list("pk", flat=True))
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


watched = Watched()
