"""Publishes again what nobody has taken, so that a lost message costs seconds and never a run.

A queued execution carries ``publish_at``: when to look whether its message got lost. Lost is what is due and no longer
waits in Redis: the list of its queue is empty, or has only newer executions left. While Redis still holds the message
the next look comes after the execution's own age again, so that a long backlog is not read over and over. What is
published again is older than what waits, and goes in front of it.
"""

from __future__ import annotations

import logging
from typing import Any

import redis
from django.db import connection, transaction

from scheduler import limits, messages
from scheduler.messages import REPUBLISH_SECONDS, Hint
from scheduler.recovery import Recovery

logger = logging.getLogger(__name__)

# Where ``publish_at`` is the epoch, the message is known to be gone, and what waits for its next attempt has had none.
# Cut before the join: where statistics know next to no jobs, a join first reads and sorts all that is due.
_DUE = """
WITH due AS MATERIALIZED (
SELECT id, job_id, queue, priority, publish_at,
       publish_at = timestamptz 'epoch' OR (attempt > 0 AND publish_at <= ready_at) AS gone
  FROM scheduler_execution
 WHERE status = 0 AND publish_at <= now() ORDER BY publish_at LIMIT %s FOR UPDATE SKIP LOCKED)
SELECT d.id, d.queue, d.priority, j.headers::text, d.gone, j.id IS NULL
  FROM due d LEFT JOIN scheduler_job j ON j.id = d.job_id
"""
# What a deleted job left goes with it, and is not to stand before what others lost until then.
_NEVER_AGAIN = "UPDATE scheduler_execution SET publish_at = NULL WHERE id = ANY(%s)"
_LOOK_AGAIN = """
UPDATE scheduler_execution
   SET publish_at = now() + least(greatest(make_interval(secs => %s), now() - ready_at), make_interval(secs => %s)),
       in_line = false
 WHERE id = ANY(%s)
"""
# How long the looks at a message that still waits may be apart, and those after a message was published again.
LONGEST_LOOK_SECONDS = 60
LONGEST_LOOK_AFTER_LOSS_SECONDS = 15


class Sweep:
    """Publishes what was lost: all of it where Redis is another one than before, else what is due to be looked at."""

    def __init__(self) -> None:
        self._recovery = Recovery()

    def __call__(self, *, limit: int = 2000) -> int:
        """Publish executions whose message was lost, ``limit`` a batch; return how many. Redis away: does nothing."""
        try:
            published = self._recovery(limit=limit)
            if not self._recovery.under_way:
                # Not before: what recovery has not come to yet would look lost.
                published += _publish_due(limit)
            messages.publish(limits.call_where_there_is_room(), front=True)
            return published
        except redis.RedisError as error:
            logger.warning("sweep.no_redis error=%s", error)
            return 0


def _publish_due(limit: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        rows = _due(cursor, limit)
        if not rows:
            return 0
        horizons = {queue: messages.horizon(queue) for queue in {row[1] for row in rows}}
        lost = [
            Hint(execution_id, queue, priority, headers)
            for execution_id, queue, priority, headers, gone in rows
            if gone or _is_lost(execution_id, horizons[queue], priority)
        ]
        # Before the commit: what Redis does not take is looked at again at once.
        if not messages.publish(sorted(lost, key=lambda hint: hint.execution_id), front=True):
            transaction.set_rollback(True)
            return 0
        published = [hint.execution_id for hint in lost]
        waiting = sorted({row[0] for row in rows}.difference(published))
        cursor.execute(_LOOK_AGAIN, [REPUBLISH_SECONDS, LONGEST_LOOK_AFTER_LOSS_SECONDS, published])
        cursor.execute(_LOOK_AGAIN, [REPUBLISH_SECONDS, LONGEST_LOOK_SECONDS, waiting])
    if lost:
        logger.info("sweep.published executions=%d looked_at=%d", len(lost), len(rows))
    return len(lost)


def _due(cursor: Any, limit: int) -> list[tuple[Any, ...]]:
    """Lock and return up to ``limit`` rows that are due to be looked at, none of a deleted job among them."""
    while True:
        cursor.execute(_DUE, [limit])
        found = cursor.fetchall()
        orphans = [row[0] for row in found if row[-1]]
        if orphans:
            cursor.execute(_NEVER_AGAIN, [orphans])
        rows = [row[:-1] for row in found if not row[-1]]
        if rows or not orphans:
            return rows


def _is_lost(execution_id: int, horizon: dict[int, int | None], priority: int) -> bool:
    oldest = horizon[messages.step_of(priority)]
    return oldest is None or execution_id < oldest
