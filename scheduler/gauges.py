"""How things stand at the moment, for monitoring; each question has a bound, as it is asked every few seconds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import redis
from django.conf import settings
from django.db import connection

from scheduler import job_types, messages
from scheduler.models import Process

# No count looks at more rows than this; a backlog that is longer is shown as this long.
CAP = 50_000
_WAITING = """
SELECT queue, count(*), coalesce(extract(epoch FROM clock_timestamp() - min(ready_at)), 0)::float8
  FROM (SELECT queue, ready_at FROM scheduler_execution
         WHERE status = 0 AND ready_at <= clock_timestamp() LIMIT %s) waiting
 GROUP BY queue
"""
_RUNNING = """
SELECT queue, count(*) FROM (SELECT queue FROM scheduler_execution WHERE status = 1 LIMIT %s) running GROUP BY queue
"""
_DUE = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(next_fire_at)), 0)::float8
  FROM (SELECT next_fire_at FROM scheduler_jobstate
         WHERE next_fire_at <= clock_timestamp() ORDER BY next_fire_at LIMIT %s) due
"""


@dataclass(frozen=True)
class Gauges:
    """Numbers of the moment, by queue where there is one; ``broker`` tells whether Redis answered."""

    processes: dict[str, int]
    slots: dict[str, int]
    waiting: dict[str, int]
    oldest_waiting_seconds: dict[str, float]
    running: dict[str, int]
    messages: dict[str, int]
    jobs_due: int
    oldest_due_seconds: float
    broker: bool


def gauges() -> Gauges:
    """Return how things stand. Raises what the database raises where it does not answer."""
    processes: Counter[str] = Counter({kind.value: 0 for kind in Process.Kind})
    slots: Counter[str] = Counter()
    for kind, queues, held in Process.objects.alive().values_list("kind", "queues", "slots")[:CAP]:
        processes[kind] += 1
        for queue in queues:
            slots[queue] += held
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [CAP])
        waiting = {queue: (count, oldest) for queue, count, oldest in cursor.fetchall()}
        cursor.execute(_RUNNING, [CAP])
        running = dict(cursor.fetchall())
        cursor.execute(_DUE, [CAP])
        due, oldest_due = cursor.fetchone()
    usual = {settings.CELERY_TASK_DEFAULT_QUEUE, *(job_type.queue for job_type in job_types.all_types())}
    queues = sorted({*usual, *slots, *waiting, *running})
    lengths, answered = _lengths(queues)
    return Gauges(
        processes=dict(processes),
        slots={queue: slots[queue] for queue in queues},
        waiting={queue: waiting.get(queue, (0, 0.0))[0] for queue in queues},
        oldest_waiting_seconds={queue: waiting.get(queue, (0, 0.0))[1] for queue in queues},
        running={queue: running.get(queue, 0) for queue in queues},
        messages=lengths,
        jobs_due=due,
        oldest_due_seconds=oldest_due,
        broker=answered,
    )


def _lengths(queues: list[str]) -> tuple[dict[str, int], bool]:
    """Return how many messages wait in Redis for each queue; no numbers where it does not answer."""
    try:
        pipeline = messages.client().pipeline(transaction=False)
        for queue in queues:
            for key in messages.keys_of(queue):
                pipeline.llen(key)
        found = pipeline.execute()
    except redis.RedisError:
        return {}, False
    steps = len(messages.PRIORITY_STEPS)
    return {queue: sum(found[place * steps : (place + 1) * steps]) for place, queue in enumerate(queues)}, True
