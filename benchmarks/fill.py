"""Fills the tables with jobs, by set-based SQL: what a benchmark of a million jobs can wait for."""

from django.db import connection

# Daily, each at its own second; the next fire lies far enough ahead that no benchmark lives to see it.
DAILY = "n %% 60 || ' ' || (n / 60) %% 60 || ' ' || (n / 3600) %% 24 || ' * * ?'"
_FILL = f"""
WITH numbered AS (SELECT g AS n FROM generate_series(%(first)s, %(last)s) g),
clocked AS (
    INSERT INTO django_celery_beat_clockedschedule (id, clocked_time)
    SELECT n, now() + interval '2 days' FROM numbered RETURNING id
), entry AS (
    INSERT INTO django_celery_beat_periodictask
           (id, name, task, args, kwargs, headers, priority, one_off, enabled, total_run_count, date_changed,
            description, clocked_id)
    SELECT n, 'noop ' || n || ': job ' || n, 'scheduler.run_job', '[' || n || ']', '{{}}', '{{}}', 5,
           true, true, 0, now(), '', n
      FROM numbered RETURNING id
), job AS (
    INSERT INTO scheduler_job
           (id, kind, number, name, active, expression, zone, misfire, overlap, max_retries, retry_delay_seconds,
            retry_max_delay_seconds, priority, queue, headers, concurrency_key, history_strategy, retention_days,
            arguments, version, created_by, updated_by)
    SELECT n, 'noop', n, 'job ' || n, true,
           CASE WHEN %(expression)s = '' THEN {DAILY} ELSE %(expression)s END,
           %(zone)s, 'fire_once', %(overlap)s, 0, 10, 3600, 5, '', '{{}}', '', %(history)s, 30,
           '{{"service": "openweather", "operation": "getWeather", "city": "Hyderabad"}}', 1, 'bench', 'bench'
      FROM numbered RETURNING id
)
INSERT INTO scheduler_jobstate
       (job_id, next_fire_at, recompute, last_number, open_runs, total_count, success_count, warning_count,
        failure_count, entry_id)
SELECT n, date_trunc('day', now()) + interval '2 days' + make_interval(secs => n %% 86400), false, 0, 0, 0, 0,
       0, 0, n
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
                "expression": expression,
                "zone": zone,
                "overlap": overlap,
                "history": history,
            },
        )
        for table in ("scheduler_job", "django_celery_beat_periodictask", "django_celery_beat_clockedschedule"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
        cursor.execute("VACUUM ANALYZE")


def restore(jobs: int) -> None:
    """Give the jobs up to number ``jobs`` the schedule back that ``fill`` gave them, without any run of theirs."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE scheduler_execution CASCADE")
        daily = DAILY.replace("n ", "id ")
        cursor.execute(f"UPDATE scheduler_job SET run_at = NULL, expression = {daily} WHERE id <= %s", [jobs])
        cursor.execute(
            "UPDATE scheduler_jobstate SET open_runs = 0, recompute = false, next_fire_at ="
            " date_trunc('day', now()) + interval '2 days' + make_interval(secs => job_id %% 86400) WHERE job_id <= %s",
            [jobs],
        )
        cursor.execute("VACUUM ANALYZE scheduler_job, scheduler_jobstate")
