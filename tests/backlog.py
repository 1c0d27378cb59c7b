"""A long backlog: many queued runs at once, as beats would have left them, by one statement. And poor statistics."""

from django.db import connection, transaction

from scheduler import messages
from scheduler.messages import Hint
from scheduler.models import Job
from tests.scheduler.factories import a_job

_QUEUE = """
INSERT INTO scheduler_execution
       (job_id, number, trigger, scheduled_for, status, queue, priority, concurrency_key, ready_at, publish_at,
        attempt, rescues, cancel_requested, messages, visible, complete, in_line)
SELECT j.id, s.last_number + n, 0, now() - make_interval(secs => 100000 - n), 0, 'services', j.priority,
       j.concurrency_key, now(), CASE WHEN %(in_line)s THEN NULL ELSE now() + interval '3 seconds' END,
       0, 0, false, '[]', true, false, %(in_line)s
  FROM scheduler_job j JOIN scheduler_jobstate s ON s.job_id = j.id, generate_series(1, %(count)s) n
 WHERE j.id = %(job)s
 ORDER BY n
RETURNING id
"""


def queue_up(job: Job, count: int, *, in_line: bool = False) -> list[int]:
    """Queue so many runs of ``job``, each due at another instant; return their ids, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE, {"job": job.pk, "count": count, "in_line": in_line})
        ids = sorted(row[0] for row in cursor.fetchall())
        cursor.execute(
            "UPDATE scheduler_jobstate SET last_number = last_number + %s, open_runs = open_runs + %s"
            " WHERE job_id = %s",
            [count, count, job.pk],
        )
        cursor.execute("ANALYZE scheduler_execution")
    return ids


def publish(ids: list[int], *, priority: int = 5) -> None:
    """Publish runs of the services' queue in their order."""
    for first in range(0, len(ids), 2000):
        messages.publish([Hint(pk, "services", priority) for pk in ids[first : first + 2000]])


def take_statistics_of_empty_tables() -> None:
    """What plans are made with after vacuum has seen the tables empty: the worst that they come to be made with."""
    with connection.cursor() as cursor:
        with transaction.atomic():
            a_job()
            transaction.set_rollback(True)
        cursor.execute("ANALYZE scheduler_job, scheduler_jobstate, scheduler_limit")
