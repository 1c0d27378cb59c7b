"""Questions about many runs, each answered by one query of bounded cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection

from scheduler.console import words
from scheduler.console.charts import Day, Dot, Tick
from scheduler.console.related import execution_url
from scheduler.models import Execution, Job, Status

STRIP = 60
SERIES = 100
# A calendar reads no more of a job's runs than this, newest first.
CALENDAR_RUNS = 50_000
CALENDAR_WEEKS = 53

# Through the unique index on (job, number), newest first, for each job of a page.
_STRIPS = """
SELECT job.id, run.number, run.status, run.scheduled_for, run.seconds, run.late
  FROM unnest(%s::bigint[]) job(id),
       LATERAL (SELECT number, status, scheduled_for,
                       extract(epoch FROM coalesce(ended_at, clock_timestamp()) - started_at)::float8 AS seconds,
                       extract(epoch FROM CASE WHEN attempt > 1 THEN created_at ELSE started_at END
                                          - scheduled_for)::float8 AS late
                  FROM scheduler_execution
                 WHERE job_id = job.id AND number IS NOT NULL
                 ORDER BY number DESC LIMIT %s) run
 ORDER BY job.id, run.number
"""
# What is still there, and what retention deleted: one statement, so that no run is seen as both or as neither.
_DAYS = """
SELECT day, sum(total)::bigint, sum(bad)::bigint
  FROM (SELECT (ended_at AT TIME ZONE 'UTC')::date AS day, count(*) AS total,
               count(*) FILTER (WHERE status IN (4, 6)) AS bad
          FROM scheduler_execution
         WHERE job_id = %(job)s AND number > %(after)s AND status IN (2, 3, 4, 6)
           AND ended_at >= %(first)s::timestamp AT TIME ZONE 'UTC'
         GROUP BY 1
        UNION ALL
        SELECT day, succeeded + warned + failed + cancelled, failed + cancelled
          FROM scheduler_jobday
         WHERE job_id = %(job)s AND day >= %(first)s) found
 GROUP BY day
"""
_USUAL = """
SELECT job.id, avg(run.seconds)
  FROM unnest(%s::bigint[]) job(id),
       LATERAL (SELECT extract(epoch FROM ended_at - started_at)::float8 AS seconds
                  FROM scheduler_execution
                 WHERE job_id = job.id AND number IS NOT NULL AND status IN (2, 3) AND started_at IS NOT NULL
                   AND number > (SELECT last_number - 50 FROM scheduler_jobstate WHERE job_id = job.id)
                 ORDER BY number DESC LIMIT 20) run
 GROUP BY job.id
"""


@dataclass(frozen=True)
class Series:
    """The newest ended runs of a job, oldest first: how long they took and how late they began."""

    durations: tuple[Dot, ...]
    latenesses: tuple[Dot, ...]


def strips(job_pks: Iterable[int]) -> dict[int, list[Tick]]:
    """Return the last runs of each job, oldest first."""
    found: dict[int, list[Tick]] = {pk: [] for pk in job_pks}
    with connection.cursor() as cursor:
        cursor.execute(_STRIPS, [list(found), STRIP])
        for job_pk, number, status, scheduled_for, seconds, late in cursor.fetchall():
            known = Status(status)
            took = f", {words.duration(seconds)}" if seconds is not None else ""
            title = f"{number} {known.label}{took}, {scheduled_for:%m-%d %H:%M}"
            found[job_pk].append(Tick(seconds or 0.0, words.TONES[known], title, late))
    return found


def series(job: Job) -> Series:
    """Return the job's newest ended runs as two series."""
    runs = Execution.objects.of(job).runs().newest_first().exclude(started_at=None)
    newest = list(runs.filter(ended_at__isnull=False, number__gt=job.state.last_number - 2 * SERIES)[:SERIES])
    newest.reverse()
    durations, latenesses = [], []
    for run in newest:
        late = words.lateness(run) or timedelta(0)
        took = run.duration or timedelta(0)
        status = Status(run.status)
        told = f"run {run.number} {status.label}, {words.instant(run.scheduled_for)}"
        tone, href = words.TONES[status], execution_url(run.pk)
        durations.append(Dot(took.total_seconds(), tone, f"{told}: took {words.duration(took)}", href))
        latenesses.append(Dot(late.total_seconds(), tone, f"{told}: {words.duration(late)} late", href))
    return Series(tuple(durations), tuple(latenesses))


def days(job: Job, *, now: datetime) -> Mapping[date, Day]:
    """Return how the runs of each of the last 53 weeks' UTC days ended, deleted ones included.

    Of those that are not deleted it reads the newest alone.
    """
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=today.weekday() + 7 * (CALENDAR_WEEKS - 1))
    with connection.cursor() as cursor:
        after = job.state.last_number - CALENDAR_RUNS
        cursor.execute(_DAYS, {"job": job.pk, "after": after, "first": first})
        return {day: Day(total, bad) for day, total, bad in cursor.fetchall()}


def usual_seconds(job_pks: Iterable[int]) -> dict[int, float]:
    """Return how long runs of each job usually take: the mean of its newest successful ones."""
    with connection.cursor() as cursor:
        cursor.execute(_USUAL, [list(set(job_pks))])
        return {job_pk: seconds for job_pk, seconds in cursor.fetchall() if seconds is not None}
