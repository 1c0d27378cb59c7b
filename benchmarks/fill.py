"""Fills the tables with jobs, by set-based SQL: what a benchmark of a million jobs can wait for."""

from django.db import connection

_FILL = """
WITH numbered AS (SELECT g AS n FROM generate_series(%(first)s, %(last)s) g),
clocked AS (
    INSERT INTO django_celery_beat_clockedschedule (id, clocked_time)
    SELECT %(base)s + n, now() + interval '1 day' FROM numbered RETURNING id
), entry AS (
    INSERT INTO django_celery_beat_periodictask
           (id, name, task, args, kwargs, headers, priority, one_off, enabled, total_run_count, date_changed,
            description, clocked_id)
    SELECT %(base)s + n, 'noop ' || n || ': job ' || n, 'scheduler.run_job', '[' || %(base)s + n || ']', '{}', '{}', 5,
           true, true, 0, now(), '', %(base)s + n
      FROM numbered RETURNING id
), job AS (
    INSERT INTO scheduler_job
           (id, kind, number, name, active, expression, zone, misfire, overlap, max_retries, retry_delay_seconds,
            retry_max_delay_seconds, priority, queue, headers, concurrency_key, history_strategy, retention_days,
            arguments, version, created_by, updated_by)
    SELECT %(base)s + n, 'noop', n, 'job ' || n, true,
           CASE WHEN %(expression)s = '' THEN n %% 60 || ' ' || (n / 60) %% 60 || ' ' || (n / 3600) %% 24 || ' * * ?'
                ELSE %(expression)s END,
           %(zone)s, 'fire_once', %(overlap)s, 0, 10, 3600, 5, '', '{}', '', %(history)s, 30,
           '{"service": "openweather", "operation": "getWeather", "city": "Hyderabad"}', 1, 'bench', 'bench'
      FROM numbered RETURNING id
)
INSERT INTO scheduler_jobstate
       (job_id, next_fire_at, recompute, last_number, open_runs, total_count, success_count, warning_count,
        failure_count, entry_id)
SELECT %(base)s + n, date_trunc('day', now()) + interval '1 day' + make_interval(secs => n %% 86400), false, 0, 0, 0, 0,
       0, 0, %(base)s + n
  FROM numbered
"""


def fill(
    jobs: int, *, first: int = 1, expression: str = "", zone: str = "UTC", overlap: str = "skip", history: str = "FULL"
) -> None:
    """Add ``jobs`` active no-op jobs numbered from ``first``; without ``expression`` daily, each at its own second."""
    with connection.cursor() as cursor:
        # Foreign keys within one statement are checked at its end.
        cursor.execute(
            _FILL,
            {
                "first": first,
                "last": first + jobs - 1,
                "base": 0,
                "expression": expression,
                "zone": zone,
                "overlap": overlap,
                "history": history,
            },
        )
        for table in ("scheduler_job", "django_celery_beat_periodictask", "django_celery_beat_clockedschedule"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
        cursor.execute("VACUUM ANALYZE")


def make_due(jobs: int, *, first: int = 1, seconds: float = 0.0) -> None:
    """Make ``jobs`` of them due at the whole second ``seconds`` from now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE scheduler_jobstate SET next_fire_at = date_trunc('second', clock_timestamp())"
            " + make_interval(secs => %s) WHERE job_id BETWEEN %s AND %s",
            [seconds, first, first + jobs - 1],
        )
