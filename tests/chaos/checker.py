"""An open checker: does what the database says about every job hold together?

It reads the tables only, so that it can be let loose on any database of this project, at rest or at work:
``DATABASE_URL=... python -m tests.chaos.checker [--hours 24]``. Which instants were due it works out itself, from the
recorded changes of each job and the expressions; nothing the clock wrote is taken for granted.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Violation:
    """One thing that should not be."""

    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"


@dataclass
class Findings:
    """What was looked at, and what was wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)

    def add(self, rule: str, text: str) -> None:
        self.violations.append(Violation(rule, text))


@dataclass(frozen=True)
class Interval:
    """A time, end included, in which a job was active under one schedule; ``described`` as its change recorded it."""

    start: datetime
    end: datetime
    described: dict[str, Any]


def check(*, since: datetime | None = None, until: datetime | None = None, settled: bool = False) -> Findings:
    """Return what is wrong with the database.

    Instants are checked from ``since`` (default: all that retention has left) to ``until`` (default: ten seconds ago,
    so that a clock at work is not taken for one that is late). ``settled`` says that nothing is at work any more: then
    nothing may be open.
    """
    findings = Findings()
    end = until or _now() - timedelta(seconds=10)
    _check_instants(findings, since, end)
    for rule, query in _RULES.items():
        for row in _rows(query):
            findings.add(rule, str(row[0]))
    for rule, query in (_SETTLED if settled else _AT_WORK).items():
        for row in _rows(query):
            findings.add(rule, str(row[0]))
    if _rows("SELECT to_regclass('chaos_effect') IS NOT NULL")[0][0]:
        findings.counts["effects"] = _rows("SELECT count(*) FROM chaos_effect")[0][0]
        for rule, query in _EFFECTS.items():
            for row in _rows(query):
                findings.add(rule, str(row[0]))
    findings.counts["executions"] = _rows("SELECT count(*) FROM scheduler_execution")[0][0]
    return findings


def _rows(query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _now() -> datetime:
    instant: datetime = _rows("SELECT clock_timestamp()")[0][0]
    return instant


# -- Instants --------------------------------------------------------------------------------------------------------


def _check_instants(findings: Findings, since: datetime | None, end: datetime) -> None:
    """Every instant that was due has exactly one state, and nothing fired that was not due."""
    changes: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in _rows("SELECT job_id, at, verb, changes::text, id FROM scheduler_jobchange ORDER BY job_id, at, id"):
        changes[row[0]].append(row)
    for job_id, name, retention in _rows(
        "SELECT id, kind || ' job ' || number, retention_days FROM scheduler_job ORDER BY id"
    ):
        if job_id not in changes:
            continue
        findings.counts["jobs"] += 1
        kept = end - timedelta(days=retention) + timedelta(minutes=10)
        begin = max(kept, since) if since else kept
        expected = set(_expected(changes[job_id], begin, end))
        findings.counts["instants"] += len(expected)
        _compare(findings, job_id, name, expected, begin, end)


def _expected(changes: list[tuple[Any, ...]], begin: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the instants that were due from ``begin`` to ``end``."""
    for interval in intervals(changes, end):
        yield from fires(interval.described, interval.start, interval.end, since=begin)


def fires(
    described: dict[str, Any], start: datetime, end: datetime, *, since: datetime | None = None
) -> list[datetime]:
    """Return what fires after ``start`` up to and including ``end``, of which only what is after ``since``."""
    from zoneinfo import ZoneInfo

    from scheduler.schedule_text import parse_schedule

    instants = {key: described.get(key) for key in ("run_at", "starts_at", "ends_at")}
    bounds = {key: datetime.fromisoformat(text) for key, text in instants.items() if text}
    if "run_at" in bounds:
        found: Iterator[datetime] = iter([bounds["run_at"]])
    else:
        expression, zone = parse_schedule(described["expression"]), ZoneInfo(described["zone"])
        # A chain of fires that began earlier is taken up at one of them: asked from between two fires, within the
        # first pass of a repeated hour, what is past on the wall would not come back.
        links = [link for link in (since, bounds.get("starts_at")) if link is not None and link > start]
        earlier = expression.previous_before(max(links), zone) if links else start
        found = expression.between(earlier or start, end, zone)
    first, last = max(start, since or start), min(end, bounds.get("ends_at", end))
    return [
        instant.astimezone(UTC)
        for instant in found
        if first < instant <= last and instant >= bounds.get("starts_at", instant) and instant != bounds.get("ends_at")
    ]


def intervals(changes: list[tuple[Any, ...]], end: datetime) -> Iterator[Interval]:
    """Yield when a job was active under which schedule, from its recorded changes in their order."""
    import json

    active, described, start = False, None, None
    for _, at, _, text, _ in changes:
        change = json.loads(text)
        if not {"active", "schedule"} & change.keys():
            continue
        if active and described and start:
            yield Interval(start, min(at, end), described)
        if "active" in change:
            active = bool(change["active"][1])
        if "schedule" in change:
            described = change["schedule"][1]
        start = at
    if active and described and start:
        yield Interval(start, end, described)


def _compare(
    findings: Findings, job_id: int, name: str, expected: set[datetime], begin: datetime, end: datetime
) -> None:
    rows = _rows(
        "SELECT id, scheduled_for, until FROM scheduler_execution"
        " WHERE job_id = %s AND trigger IN (0, 2) AND coalesce(until, scheduled_for) > %s",
        [job_id, begin],
    )
    single = Counter(at for _, at, until in rows if until is None)
    spans = [(at, until) for _, at, until in rows if until is not None]
    for instant in sorted(expected):
        states = single[instant] + sum(first <= instant <= last for first, last in spans)
        if states != 1:
            findings.add("one state per instant", f"{name} has {states} at {instant.isoformat()}")
    for instant in sorted(single):
        if instant not in expected and begin < instant <= end:
            findings.add("nothing fires that is not due", f"{name} at {instant.isoformat()}")


# -- Rules in SQL: each query returns what breaks it -----------------------------------------------------------------

_RULES = {
    "counters agree with the rows": """
        SELECT format('job %s counts total %s, good %s, warned %s, failed %s; rows say %s, %s, %s, %s', s.job_id,
                      s.total_count, s.success_count, s.warning_count, s.failure_count, r.total, r.good, r.warned,
                      r.failed)
          FROM scheduler_jobstate s
          JOIN LATERAL (SELECT count(*) total, count(*) FILTER (WHERE status = 2) good,
                               count(*) FILTER (WHERE status = 3) warned,
                               count(*) FILTER (WHERE status IN (4, 6)) failed
                          FROM scheduler_execution e
                         WHERE e.job_id = s.job_id AND visible AND number IS NOT NULL
                           AND status IN (2, 3, 4, 6)) r ON true
         WHERE (s.total_count, s.success_count, s.warning_count, s.failure_count)
               <> (r.total, r.good, r.warned, r.failed)""",
    "open runs agree with the rows": """
        SELECT format('job %s counts %s open, rows say %s', s.job_id, s.open_runs, r.open)
          FROM scheduler_jobstate s
          JOIN LATERAL (SELECT count(*) open FROM scheduler_execution e
                         WHERE e.job_id = s.job_id AND status < 2) r ON true
         WHERE s.open_runs <> r.open""",
    "numbers run without gaps": """
        SELECT format('job %s: last number %s, highest %s', s.job_id, s.last_number, r.highest)
          FROM scheduler_jobstate s
          JOIN (SELECT job_id, max(number) highest FROM scheduler_execution GROUP BY job_id) r USING (job_id)
         WHERE s.last_number <> r.highest""",
    "attempts are recorded one by one": """
        SELECT format('execution %s is at attempt %s with %s recorded before it', e.id, e.attempt, count(a.id))
          FROM scheduler_execution e LEFT JOIN scheduler_attempt a ON a.execution_id = e.id
         WHERE e.attempt > 0
         GROUP BY e.id HAVING count(a.id) <> e.attempt - CASE WHEN e.status = 0 THEN 0 ELSE 1 END
            AND NOT (e.status = 6 AND count(a.id) = e.attempt)""",
    "attempts stay within retries and rescues": """
        SELECT format('execution %s took %s attempts: %s retries allowed, %s rescues', e.id, e.attempt, j.max_retries,
                      e.rescues)
          FROM scheduler_execution e JOIN scheduler_job j ON j.id = e.job_id
         WHERE e.attempt > 1 + j.max_retries + e.rescues""",
    "runs of a job do not overlap unless it allows": """
        SELECT format('executions %s and %s of job %s (%s)', a.id, b.id, a.job_id, j.overlap)
          FROM scheduler_execution a
          JOIN scheduler_execution b ON b.job_id = a.job_id AND b.id <> a.id AND b.started_at >= a.started_at
                                    AND b.started_at < a.ended_at AND (b.started_at, b.id) > (a.started_at, a.id)
          JOIN scheduler_job j ON j.id = a.job_id
         WHERE j.overlap <> 'allow' AND a.status IN (2, 3, 4, 6) AND b.started_at IS NOT NULL""",
    "entries agree with their jobs": """
        SELECT format('job %s: active %s, entry %s', j.id, j.active, p.enabled)
          FROM scheduler_job j JOIN scheduler_jobstate s ON s.job_id = j.id
          JOIN django_celery_beat_periodictask p ON p.id = s.entry_id
         WHERE p.enabled <> (j.active AND s.next_fire_at IS NOT NULL)
           AND NOT (s.next_fire_at IS NOT NULL AND s.next_fire_at < now())""",
    "an active job has its next fire at its entry's": """
        SELECT format('job %s: next %s, entry %s', s.job_id, s.next_fire_at, c.clocked_time)
          FROM scheduler_jobstate s JOIN django_celery_beat_periodictask p ON p.id = s.entry_id
          JOIN django_celery_beat_clockedschedule c ON c.id = p.clocked_id
         WHERE p.enabled AND NOT s.recompute AND s.next_fire_at <> c.clocked_time""",
    "an active job has a next fire, a paused one has none": """
        SELECT format('job %s: active %s, next fire %s', j.id, j.active, s.next_fire_at)
          FROM scheduler_job j JOIN scheduler_jobstate s ON s.job_id = j.id
         WHERE NOT j.active AND s.next_fire_at IS NOT NULL AND s.next_fire_at > now()""",
}
_SETTLED = {
    "nothing stays open": """
        SELECT format('execution %s of job %s is %s, ready %s, publish %s, lease %s', id, job_id,
                      CASE status WHEN 0 THEN 'queued' ELSE 'running' END, ready_at, publish_at, lease_until)
          FROM scheduler_execution WHERE status < 2""",
    # At rest, where nobody changed limits meanwhile: a limit that was lowered lets what ran before go on.
    "runs under a limit stay within it": """
        WITH ran AS (
            SELECT e.concurrency_key, e.started_at, e.ended_at FROM scheduler_execution e
             WHERE e.concurrency_key <> '' AND e.status IN (2, 3, 4, 6) AND e.started_at IS NOT NULL
               AND e.attempt > (SELECT count(*) FROM scheduler_attempt a WHERE a.execution_id = e.id)
        ), steps AS (
            SELECT concurrency_key, started_at AS at, 1 AS step FROM ran
             UNION ALL SELECT concurrency_key, ended_at, -1 FROM ran
        ), counted AS (
            SELECT concurrency_key, sum(step) OVER (PARTITION BY concurrency_key ORDER BY at, step) AS runs FROM steps
        )
        SELECT format('%s had %s runs at once, its limit is %s', c.concurrency_key, max(c.runs), l.runs)
          FROM counted c JOIN scheduler_limit l ON l.key = c.concurrency_key
         GROUP BY c.concurrency_key, l.runs HAVING max(c.runs) > l.runs""",
    "a deleted job leaves nothing": """
        SELECT format('job %s: %s executions', e.job_id, count(*)) FROM scheduler_execution e
         WHERE NOT EXISTS (SELECT 1 FROM scheduler_job j WHERE j.id = e.job_id) GROUP BY e.job_id""",
}
_AT_WORK = {
    "what a deleted job left is to be removed": """
        SELECT format('job %s: %s executions', e.job_id, count(*)) FROM scheduler_execution e
         WHERE NOT EXISTS (SELECT 1 FROM scheduler_job j WHERE j.id = e.job_id)
           AND NOT EXISTS (SELECT 1 FROM scheduler_removal r WHERE r.job_id = e.job_id) GROUP BY e.job_id""",
    "nobody holds a run whose lease ran out long ago": """
        SELECT format('execution %s since %s', id, lease_until)
          FROM scheduler_execution WHERE status = 1 AND lease_until < now() - interval '1 minute'""",
    "what is queued is published again": """
        SELECT format('execution %s was to be looked at %s', id, publish_at)
          FROM scheduler_execution WHERE status = 0 AND publish_at < now() - interval '1 minute'""",
    "a held run waits for another": """
        SELECT format('execution %s of job %s', e.id, e.job_id)
          FROM scheduler_execution e
         WHERE status = 0 AND ready_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM scheduler_execution o
                            WHERE o.job_id = e.job_id AND o.status < 2 AND o.ready_at IS NOT NULL)""",
}
_EFFECTS = {
    "an attempt has one effect at most": """
        SELECT format('execution %s attempt %s: %s effects', execution_id, attempt, count(*))
          FROM chaos_effect GROUP BY execution_id, attempt HAVING count(*) > 1""",
    "an effect belongs to an attempt that was made": """
        SELECT format('execution %s attempt %s; the row says %s', f.execution_id, f.attempt, e.attempt)
          FROM chaos_effect f LEFT JOIN scheduler_execution e ON e.id = f.execution_id
         WHERE f.attempt > e.attempt OR f.attempt < 1
            OR (e.id IS NULL AND EXISTS (SELECT 1 FROM scheduler_job j WHERE j.id = f.job_id))""",
    "a run that succeeded did its work once in its last attempt": """
        SELECT format('execution %s: %s finished effects in attempt %s', e.id, count(f.id), e.attempt)
          FROM scheduler_execution e
          LEFT JOIN chaos_effect f ON f.execution_id = e.id AND f.attempt = e.attempt AND f.done_at IS NOT NULL
          JOIN scheduler_job j ON j.id = e.job_id AND j.kind = 'chaos'
         WHERE e.status = 2 GROUP BY e.id HAVING count(f.id) <> 1""",
    "work is finished twice only where a lost worker's attempt was repeated": """
        SELECT format('execution %s: %s finished effects, %s rescues, %s attempts', e.id, count(f.id), e.rescues,
                      e.attempt)
          FROM scheduler_execution e JOIN chaos_effect f ON f.execution_id = e.id AND f.done_at IS NOT NULL
         GROUP BY e.id HAVING count(f.id) > 1 + e.rescues
                          AND count(f.id) > 1 + (SELECT count(*) FROM scheduler_attempt a
                                                  WHERE a.execution_id = e.id)""",
    "what never ran has no effect": """
        SELECT format('execution %s, status %s', e.id, e.status)
          FROM scheduler_execution e JOIN chaos_effect f ON f.execution_id = e.id WHERE e.attempt = 0""",
}


def report(findings: Findings, *, tell: Callable[[str], object] = print, most: int = 40) -> bool:
    """Tell what was checked and what was wrong; return whether nothing was."""
    counts = ", ".join(f"{count:,} {what}" for what, count in sorted(findings.counts.items()))
    tell(f"checked {counts}")
    for violation in findings.violations[:most]:
        tell(f"VIOLATION {violation}")
    if len(findings.violations) > most:
        tell(f"and {len(findings.violations) - most} more")
    if not findings.violations:
        tell("no violation")
    return not findings.violations


def main() -> None:
    import os

    import django

    parser = argparse.ArgumentParser(prog="python -m tests.chaos.checker", description=__doc__)
    parser.add_argument("--hours", type=float, help="how far back instants are checked; all by default")
    arguments = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jobsite.settings")
    django.setup()
    since = None if arguments.hours is None else _now() - timedelta(hours=arguments.hours)
    sys.exit(0 if report(check(since=since)) else 1)


if __name__ == "__main__":
    main()
