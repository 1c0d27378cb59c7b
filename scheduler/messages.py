"""Hints to workers: "look at these executions". The rows decide; a lost or doubled message changes nothing.

A message is what Celery itself would send for the task ``scheduler.run``, made once by Celery's own code and filled in
afterwards: ``Task.apply_async`` takes half a millisecond a message, a filled template pushed in a pipeline a few
microseconds. The queue names with priorities are kombu's (``queue``, ``queue\\x06\\x163``, …).
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import redis
from celery import current_app
from django.conf import settings
from kombu.transport.redis import Channel

logger = logging.getLogger(__name__)

TASK = "scheduler.run"
PRIORITY_STEPS = (0, 3, 6, 9)
# While Redis does not answer, nobody waits for it again for this long; the sweep publishes later.
_PAUSE_AFTER_FAILURE_SECONDS = 1.0
_paused_until = 0.0
_lock = threading.Lock()


@dataclass(frozen=True)
class Hint:
    """One execution to look at, and where its message goes."""

    execution_id: int
    queue: str
    priority: int
    headers: str = "{}"


@lru_cache(maxsize=1)
def client() -> redis.Redis:
    """Return this process's connection to the broker, with short time-outs."""
    return redis.Redis.from_url(
        settings.CELERY_BROKER_URL, socket_timeout=2.0, socket_connect_timeout=1.0, health_check_interval=25
    )


def key_of(queue: str, priority: int) -> str:
    """Return the Redis list that holds messages of ``queue`` at ``priority`` (0 first, 9 last), as kombu names it."""
    step = max(step for step in PRIORITY_STEPS if step <= priority)
    return queue if step == 0 else f"{queue}{Channel.sep}{step}"


def keys_of(queue: str) -> list[str]:
    """Return the Redis lists of ``queue`` at every priority."""
    return [key_of(queue, step) for step in PRIORITY_STEPS]


@lru_cache(maxsize=64)
def _template(queue: str, priority: int) -> dict[str, Any]:
    """Return the envelope Celery would push for ``scheduler.run``, without its per-message parts."""
    app = current_app._get_current_object()
    message = app.amqp.as_task_v2("ID", TASK, args=([],), kwargs={}, origin="scheduler", create_sent_event=False)
    return {
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": dict(message.headers),
        "properties": {
            **message.properties,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": priority,
            "body_encoding": "base64",
        },
    }


def encode(ids: Sequence[int], queue: str, priority: int, *, headers: dict[str, Any] | None = None) -> str:
    """Return the message that asks a worker to look at the executions ``ids``."""
    template = _template(queue, priority)
    task_id = str(uuid.uuid4())
    body = json.dumps([[list(ids)], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    message = {
        **template,
        "body": base64.b64encode(body.encode()).decode(),
        "headers": {
            **(headers or {}),
            **template["headers"],
            "id": task_id,
            "root_id": task_id,
            "argsrepr": f"({list(ids)},)",
        },
        "properties": {**template["properties"], "correlation_id": task_id, "delivery_tag": str(uuid.uuid4())},
    }
    return json.dumps(message)


def decode_ids(message: bytes) -> list[int]:
    """Return the execution ids inside a message pushed by ``publish``; an empty list for any other message."""
    try:
        envelope = json.loads(message)
        if envelope["headers"]["task"] != TASK:
            return []
        return [int(item) for item in json.loads(base64.b64decode(envelope["body"]))[0][0]]
    except (ValueError, KeyError, TypeError, IndexError):
        return []


def publish(hints: Iterable[Hint]) -> bool:
    """Push one message per hint. Returns False, having logged it, where Redis did not take them."""
    global _paused_until
    hints = list(hints)
    if not hints:
        return True
    if time.monotonic() < _paused_until:
        return False
    try:
        pipeline = client().pipeline(transaction=False)
        for hint in hints:
            headers = None if hint.headers in ("", "{}", "null") else json.loads(hint.headers)
            message = encode([hint.execution_id], hint.queue, hint.priority, headers=headers)
            pipeline.lpush(key_of(hint.queue, hint.priority), message)
        pipeline.execute()
    except redis.RedisError as error:
        with _lock:
            _paused_until = time.monotonic() + _PAUSE_AFTER_FAILURE_SECONDS
        logger.warning("publish.failed messages=%d error=%s", len(hints), error)
        return False
    return True


def horizon(queue: str) -> dict[int, int | None]:
    """Return, per priority step, the lowest execution id in the oldest message still waiting; None: nothing waits.

    Executions below it whose message is gone from the list have lost it. Raises ``redis.RedisError``.
    """
    pipeline = client().pipeline(transaction=False)
    for key in keys_of(queue):
        pipeline.lindex(key, -1)
    oldest = pipeline.execute()
    return {
        step: None if message is None else min(decode_ids(message), default=0)
        for step, message in zip(PRIORITY_STEPS, oldest, strict=True)
    }
