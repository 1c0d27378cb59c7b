"""Publishes again what nobody has taken, so that a lost message costs seconds and never a run.

A queued execution carries ``publish_at``: when to look whether its message got lost. Lost is what is due and no longer
waits in Redis: the list of its queue is empty, or has only newer executions left. While Redis still holds the message
the next look comes after the execution's own age again, so that a long backlog is not read over and over.
"""

from __future__ import annotations

import logging
import uuid
from typing import Any

import redis
from django.db import connection, transaction

from scheduler import messages
from scheduler.endings import REPUBLISH_SECONDS
from scheduler.messages import Hint

logger = logging.getLogger(__name__)

GENERATION_KEY = "jobsite:generation"

# Where ``publish_at`` is the epoch, the message is known to be gone with the Redis that held it.
_DUE = """
SELECT e.id, e.queue, e.priority, j.headers::text, e.attempt, e.publish_at = timestamptz 'epoch'
  FROM scheduler_execution e JOIN scheduler_job j ON j.id = e.job_id
 WHERE e.status = 0 AND e.publish_at <= now() ORDER BY e.publish_at, e.id LIMIT %s FOR UPDATE OF e SKIP LOCKED
"""
_LOOK_AGAIN = """
UPDATE scheduler_execution
   SET publish_at = now() + least(greatest(make_interval(secs => %s), now() - ready_at), make_interval(secs => %s))
 WHERE id = ANY(%s)
"""
# How long the looks at a message that still waits may be apart, and those after a message was published again.
LONGEST_LOOK_SECONDS = 60
LONGEST_LOOK_AFTER_LOSS_SECONDS = 15


class Sweep:
    """Remembers which Redis it last spoke to, and publishes what was lost."""

    def __init__(self) -> None:
        self._redis_seen: tuple[str, str] | None = None

    def __call__(self, *, limit: int = 2000) -> int:
        """Publish up to ``limit`` executions whose message was lost; return how many. Redis away: does nothing."""
        try:
            self._notice_lost_redis()
            return self._publish_due(limit)
        except redis.RedisError as error:
            logger.warning("sweep.no_redis error=%s", error)
            return 0

    def _notice_lost_redis(self) -> None:
        """Make every queued execution due at once where Redis was restarted or flushed since the last look."""
        client = messages.client()
        server: Any = client.info("server")
        fresh = client.set(GENERATION_KEY, str(uuid.uuid4()), nx=True)
        generation: Any = client.get(GENERATION_KEY)
        seen = (str(server["run_id"]), generation.decode() if generation else "")
        if fresh or (self._redis_seen is not None and seen != self._redis_seen):
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE scheduler_execution SET publish_at = timestamptz 'epoch'"
                    " WHERE status = 0 AND ready_at <= now() AND publish_at IS NOT NULL"
                )
                logger.warning("sweep.redis_lost_messages queued=%d", cursor.rowcount)
        self._redis_seen = seen

    def _publish_due(self, limit: int) -> int:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_DUE, [limit])
            rows = cursor.fetchall()
            if not rows:
                return 0
            horizons = {queue: messages.horizon(queue) for queue in {row[1] for row in rows}}
            lost = [
                Hint(execution_id, queue, priority, headers)
                for execution_id, queue, priority, headers, attempt, gone in rows
                if gone or attempt or _is_lost(execution_id, horizons[queue], priority)
            ]
            # Before the commit: what Redis does not take is looked at again at once.
            if not messages.publish(lost):
                transaction.set_rollback(True)
                return 0
            published = [hint.execution_id for hint in lost]
            waiting = sorted({row[0] for row in rows}.difference(published))
            cursor.execute(_LOOK_AGAIN, [REPUBLISH_SECONDS, LONGEST_LOOK_AFTER_LOSS_SECONDS, published])
            cursor.execute(_LOOK_AGAIN, [REPUBLISH_SECONDS, LONGEST_LOOK_SECONDS, waiting])
        if lost:
            logger.info("sweep.published executions=%d looked_at=%d", len(lost), len(rows))
        return len(lost)


def _is_lost(execution_id: int, horizon: dict[int, int | None], priority: int) -> bool:
    oldest = horizon[messages.step_of(priority)]
    return oldest is None or execution_id < oldest
