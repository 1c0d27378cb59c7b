"""Publishes everything that is queued after Redis lost its messages: restarted, flushed, replaced by an empty one.

One beat at a time does it, in batches, the oldest runs first, so that workers go on with those at once. A beat that
dies over it is followed by another.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import deque
from typing import Any

from django.db import connection, transaction

from scheduler import messages
from scheduler.messages import REPUBLISH_SECONDS, Hint

logger = logging.getLogger(__name__)

# The run id of the Redis server that is known to hold a message for every run that waits for one.
SERVER_KEY = "jobsite:server"
# Which beat is publishing them, for so long after its last word.
TURN_KEY = "jobsite:recovering"
TURN_SECONDS = 10
# The housekeeper has other things to do: it goes on after this at its next round.
SLICE_SECONDS = 2.0

# Reads the partial index of what is queued, once a loss: everything has to be published anew then.
_QUEUED = """
SELECT id FROM scheduler_execution
 WHERE status = 0 AND publish_at IS NOT NULL AND ready_at <= now() AND NOT in_line ORDER BY id
"""
_BATCH = """
SELECT e.id, e.queue, e.priority, j.headers::text FROM scheduler_execution e JOIN scheduler_job j ON j.id = e.job_id
 WHERE e.id = ANY(%s) AND e.status = 0 AND NOT e.in_line ORDER BY e.id FOR UPDATE OF e SKIP LOCKED
"""
_PUBLISHED = "UPDATE scheduler_execution SET publish_at = now() + make_interval(secs => %s) WHERE id = ANY(%s)"
# Only where nothing was lost meanwhile: a flush takes the turn with it.
_OVER = """
if redis.call('get', KEYS[1]) == ARGV[1] then
    redis.call('set', KEYS[2], ARGV[2])
    return redis.call('del', KEYS[1])
end
return 0
"""


class Recovery:
    """Remembers how far this beat has come."""

    def __init__(self) -> None:
        self._name = uuid.uuid4().hex
        self._left: deque[int] | None = None
        self._server = ""
        # Whether this beat or another one has not come to the end yet.
        self.under_way = False

    def __call__(self, *, limit: int) -> int:
        """Publish what Redis lost, in batches of ``limit``; return how many. Raises ``redis.RedisError``."""
        client = messages.client()
        info: Any = client.info("server")
        server = str(info["run_id"])
        known: Any = client.get(SERVER_KEY)
        self.under_way = known != server.encode()
        if not self.under_way or not self._is_my_turn(client, server):
            self._left = None
            return 0
        if self._left is None:
            self._left, self._server = _queued(), server
            logger.warning("sweep.redis_lost_messages queued=%d", len(self._left))
        published = 0
        until = time.monotonic() + SLICE_SECONDS
        while self._left:
            batch = [self._left.popleft() for _ in range(min(limit, len(self._left)))]
            found = _publish(batch)
            if found is None:
                self._left.extendleft(reversed(batch))
                return published
            published += found
            if time.monotonic() > until:
                return published
        self.under_way = not client.eval(_OVER, 2, TURN_KEY, SERVER_KEY, self._name, server)
        self._left = None
        return published

    def _is_my_turn(self, client: Any, server: str) -> bool:
        """Take the turn or keep it; where it was lost on the way, as by another flush, all begins anew."""
        if client.set(TURN_KEY, self._name, nx=True, ex=TURN_SECONDS):
            self._left = None
            if client.get(SERVER_KEY) != server.encode():
                return True
            # Between our look and the turn, another beat came to the end: nothing is left to publish.
            client.delete(TURN_KEY)
            self.under_way = False
            return False
        if client.get(TURN_KEY) != self._name.encode():
            return False
        client.expire(TURN_KEY, TURN_SECONDS)
        if server != self._server:
            self._left = None
        return True


def _queued() -> deque[int]:
    with connection.cursor() as cursor:
        cursor.execute(_QUEUED)
        return deque(row[0] for row in cursor.fetchall())


def _publish(ids: list[int]) -> int | None:
    """Publish those of ``ids`` that are still queued; return how many, None where Redis did not take them."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_BATCH, [ids])
        hints = [Hint(*row) for row in cursor.fetchall()]
        # Before the commit: what Redis does not take is tried again.
        if not messages.publish(hints):
            transaction.set_rollback(True)
            return None
        cursor.execute(_PUBLISHED, [REPUBLISH_SECONDS, [hint.execution_id for hint in hints]])
    return len(hints)
