"""The lists of all jobs and of a job's runs. PostgreSQL writes the JSON itself, some thousand rows at a time.

Making rows into Python values and those into JSON takes several times as long as the whole answer does this way.
The batches follow the indexes on (kind, number) and (job, number), and nothing is held between them: no cursor, no
transaction, no list. One ``concat`` for each row, and times as PostgreSQL prints them, take a third less than ``||``
and ``to_char`` do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.conf import settings
from django.db import connection

# Larger answers cost PostgreSQL fresh memory for each, and from some 2,500 on a sort of all jobs.
_BATCH = 2000
_ABOVE_ALL = 2**63 - 1
_LIST = """
WITH batch AS (
    SELECT j.number, j.name, j.description, coalesce(j.schedule_text, j.expression) AS expression, j.updated_by,
           j.active, s.total_count AS total, s.success_count + s.warning_count AS good, s.failure_count AS bad,
           s.last_status,
           date_trunc('second', j.updated_at AT TIME ZONE %(zone)s) AS updated_at,
           date_trunc('second', s.next_fire_at AT TIME ZONE %(zone)s) AS next_fire_at,
           CASE WHEN s.total_count > 0
                THEN (200 * (s.success_count + s.warning_count) + s.total_count) / (2 * s.total_count)
                ELSE 0 END AS share
      FROM scheduler_job j JOIN scheduler_jobstate s ON s.job_id = j.id
     WHERE j.kind = 'voltmx' AND j.number > %(after)s
     ORDER BY j.number LIMIT %(limit)s
)
SELECT count(*), max(number), string_agg(concat(
           '{"jobId":', number, ',"jobName":', to_json(name),
           ',"description":', coalesce(to_json(description)::text, 'null'),
           ',"cronExpression":', coalesce(to_json(expression)::text, 'null'),
           ',"updatedUser":', to_json(updated_by), ',"updatedDate":"', updated_at,
           CASE WHEN active THEN '","jobStatus":"Active' ELSE '","jobStatus":"Inactive' END,
           '","jobHistoryTotal":', total, ',"jobHistorySuccessCount":', good, ',"jobHistoryFailCount":', bad,
           ',"jobHistorySucPercentage":', share,
           ',"jobHistoryFailPercentage":', CASE WHEN total > 0 THEN 100 - share ELSE 0 END,
           CASE WHEN last_status IS NULL THEN ',"jobLastRunStatus":null'
                WHEN last_status IN (2, 3) THEN ',"jobLastRunStatus":"Success"'
                ELSE ',"jobLastRunStatus":"Fail"' END,
           CASE WHEN next_fire_at IS NULL THEN ',"jobNextRunTime":null}'
                ELSE concat(',"jobNextRunTime":"', next_fire_at, '"}') END
       ), ',')
  FROM batch
"""


_RUNS = """
WITH batch AS (
    SELECT number, date_trunc('second', coalesce(started_at, ended_at) AT TIME ZONE %(zone)s) AS started,
           date_trunc('second', ended_at AT TIME ZONE %(zone)s) AS ended,
           coalesce(floor(extract(epoch FROM ended_at - started_at) * 1000), 0)::bigint AS milliseconds,
           frequency, status, complete
      FROM scheduler_execution
     WHERE job_id = %(job)s AND number < %(after)s AND status IN (2, 3, 4, 6) AND visible
     ORDER BY number DESC LIMIT %(limit)s
)
SELECT count(*), min(number), string_agg(concat(
           '{"jobRunId":', number, ',"jobStartTime":"', started, '","jobEndTime":"', ended,
           '","jobDuration":', milliseconds,
           ',"executionFrequency":', coalesce(to_json(frequency)::text, 'null'),
           CASE WHEN status IN (2, 3) THEN ',"executionStatus":"Success"' ELSE ',"executionStatus":"Fail"' END,
           CASE WHEN complete THEN ',"completeHistory":true}' ELSE ',"completeHistory":false}' END
       ), ',')
  FROM batch
"""


def pieces(*, batch: int = _BATCH) -> Iterator[str]:
    """Yield the text of "Get All Jobs", by id: a list of objects with the reference's members in their order.

    The figures are counters kept with each job. A percentage is a whole number, and the two of a job add up to 100.
    """
    return _written(_LIST, {"after": 0}, batch)


def runs(job_pk: int, *, batch: int = _BATCH) -> Iterator[str]:
    """Yield the text of "Get Job History", newest first: the ended runs that the history strategy shows.

    Durations are milliseconds. A run that was cancelled before it began starts and ends at its end.
    """
    return _written(_RUNS, {"after": _ABOVE_ALL, "job": job_pk}, batch)


def _written(statement: str, parameters: Mapping[str, int], batch: int) -> Iterator[str]:
    """Yield the text of a JSON list; a batch tells its size, and after which number the next one begins."""
    after, opening = parameters["after"], "["
    while True:
        with connection.cursor() as cursor:
            given: dict[str, int | str] = {
                **parameters,
                "after": after,
                "limit": batch,
                "zone": settings.VOLTMX_TIME_ZONE,
            }
            cursor.execute(statement, given)
            found, last, text = cursor.fetchone()
        if found:
            yield opening + text
            after, opening = last, ","
        if found < batch:
            break
    yield "[]" if opening == "[" else "]"
