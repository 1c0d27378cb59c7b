"""Hints to workers: "look at these executions". The rows decide; a lost or doubled message changes nothing.

A message is what Celery itself would send for the task ``scheduler.run``, made once by Celery's own code and filled in
afterwards: ``Task.apply_async`` takes half a millisecond a message, a filled template pushed in a pipeline a few
microseconds. The queue names with priorities are kombu's (``queue``, ``queue\\x06\\x163``, …).
"""

from __future__ import annotations

import base64
import json
import logging
import os
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import redis
from celery import current_app
from django.conf import settings
from kombu.transport.redis import Channel
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

TASK = "scheduler.run"
# A message that nobody took within this long is looked for, and published again where it was lost.
REPUBLISH_SECONDS = 3
PRIORITY_STEPS = (0, 3, 6, 9)
# A burst is cut into at least this many messages, so that all lanes of a fleet get some of it, and into no larger ones
# than this, so that a worker does not hold long what another could begin.
SHARES = 32
MOST_PER_MESSAGE = 20
# More messages than this in a list are more than a fleet has just not got round to: its workers are behind. Runs then
# come to them in as few messages as possible, each of which costs a worker more than the run that it names.
BEHIND = 32
_BEHIND_SECONDS = 1.0
# Random, so that no header of a job can hold them.
_ID = f"@id {uuid.uuid4().hex}@"
_BODY = f"@body {uuid.uuid4().hex}@"
_EMBED = '{"callbacks": null, "errbacks": null, "chain": null, "chord": null}'
# While Redis does not answer, nobody waits for it again for this long; the sweep publishes later.
_PAUSE_AFTER_FAILURE_SECONDS = 1.0
_paused_until = 0.0
# Redis list -> how many messages it held after our last push, and when that was.
_lengths: dict[str, tuple[int, float]] = {}
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
    """Return this process's connection to the broker, with short time-outs and no patience: the sweep tries again."""
    return redis.Redis.from_url(
        settings.CELERY_BROKER_URL,
        socket_timeout=2.0,
        socket_connect_timeout=1.0,
        health_check_interval=25,
        retry=Retry(NoBackoff(), 0),
    )


def step_of(priority: int) -> int:
    """Return the step of ``PRIORITY_STEPS`` that a priority from 0 to 9 belongs to."""
    return PRIORITY_STEPS[min(max(priority, 0), 9) // 3]


@lru_cache(maxsize=256)
def key_of(queue: str, priority: int) -> str:
    """Return the Redis list that holds messages of ``queue`` at ``priority`` (0 first, 9 last), as kombu names it."""
    step = step_of(priority)
    return queue if step == 0 else f"{queue}{Channel.sep}{step}"


def keys_of(queue: str) -> list[str]:
    """Return the Redis lists of ``queue`` at every priority."""
    return [key_of(queue, step) for step in PRIORITY_STEPS]


# What a message is beside its job's headers: Celery's own, and the ids of as many runs as it may name.
_BESIDE_HEADERS_BYTES = 8192


@lru_cache(maxsize=64)
def _template(queue: str, priority: int, headers: str) -> tuple[str, str, str]:
    """Return the JSON that Celery would push for ``scheduler.run``, cut where the body and the ids belong.

    The parts are: text before the body, text after it, and the marker of the message id inside the second.
    """
    app = current_app._get_current_object()
    message = app.amqp.as_task_v2(_ID, TASK, args=(_BODY,), kwargs={}, origin="scheduler", argsrepr=_ID)
    envelope = {
        "body": _BODY,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {**_read(headers), **message.headers},
        "properties": {
            **message.properties,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": priority,
            "body_encoding": "base64",
            "delivery_tag": _ID,
        },
    }
    before, after = json.dumps(envelope).split(json.dumps(_BODY))
    return before + '"', '"' + after, _ID


def _read(headers: str) -> dict[str, Any]:
    """Return a job's own headers; none, having logged it, where they cannot be read, or where they would make a message
    that workers refuse: its runs must go all the same.

    PostgreSQL takes numbers of thousands of digits, any depth and any size. Jobs are older than the limit of their
    headers, and can be edited by anybody's SQL.
    """
    try:
        found: dict[str, Any] = json.loads(headers or "{}")
        # As the message has them: with what is not ASCII escaped.
        size = len(headers) if len(headers) < 1024 else len(json.dumps(found))
        if size <= settings.MESSAGE_LIMIT_BYTES - _BESIDE_HEADERS_BYTES:
            return found
        logger.warning("publish.headers_left_out bytes=%d", size)
        return {}
    except (ValueError, RecursionError) as error:
        logger.warning("publish.headers_left_out error=%s", type(error).__name__)
        return {}


def encode(ids: Sequence[int], queue: str, priority: int, *, headers: str = "{}") -> str:
    """Return the message that asks a worker to look at the executions ``ids``."""
    before, after, marker = _template(queue, priority, headers)
    body = base64.b64encode(f"[[[{','.join(map(str, ids))}]], {{}}, {_EMBED}]".encode()).decode()
    # Names the runs it is about, so that a worker's log lines can be found by it; random, since each push is another.
    return before + body + after.replace(marker, f"run-{ids[0]}-{os.urandom(6).hex()}")


def decode_ids(message: bytes | str) -> list[int]:
    """Return the execution ids inside a message pushed by ``publish``; an empty list for any other message."""
    try:
        envelope = json.loads(message)
        if envelope["headers"]["task"] != TASK:
            return []
        return [int(item) for item in json.loads(base64.b64decode(envelope["body"]))[0][0]]
    except (ValueError, KeyError, TypeError, IndexError):
        return []


def publish(hints: Iterable[Hint], *, front: bool = False) -> bool:
    """Push messages for the hints. Returns False, having logged it, where Redis did not take them.

    ``front`` is for runs that are older than what waits: their messages are taken before all that wait already.
    """
    global _paused_until
    hints = list(hints)
    if not hints:
        return True
    if time.monotonic() < _paused_until:
        return False
    try:
        pipeline = client().pipeline(transaction=False)
        together: dict[tuple[str, int, str], list[int]] = defaultdict(list)
        for hint in hints:
            together[hint.queue, hint.priority, hint.headers].append(hint.execution_id)
        pushes: dict[str, list[str]] = defaultdict(list)
        for (queue, priority, headers), ids in together.items():
            key = key_of(queue, priority)
            pushes[key].extend(
                encode(part, queue, priority, headers=headers) for part in _parts(ids, behind=_is_behind(key))
            )
        for key, pushed in pushes.items():
            # Taken from the right, so that the first hint is the first to be taken either way.
            if front:
                pipeline.rpush(key, *reversed(pushed))
            else:
                pipeline.lpush(key, *pushed)
        pushed_at = time.monotonic()
        for key, length in zip(pushes, pipeline.execute(), strict=True):
            _lengths[key] = length, pushed_at
    except redis.RedisError as error:
        with _lock:
            _paused_until = time.monotonic() + _PAUSE_AFTER_FAILURE_SECONDS
        logger.warning("publish.failed messages=%d error=%s", len(hints), error)
        return False
    return True


def behind() -> bool:
    """Whether workers were behind when this process last published, a moment ago: what is published next can wait."""
    return any(_is_behind(key) for key in tuple(_lengths))


def _is_behind(key: str) -> bool:
    length, seen = _lengths.get(key, (0, 0.0))
    return length > BEHIND and time.monotonic() - seen < _BEHIND_SECONDS


def _parts(ids: Sequence[int], *, behind: bool) -> Iterator[Sequence[int]]:
    """Yield ``ids`` in the parts that one message each names: one for a few, more where many are due at once."""
    size = MOST_PER_MESSAGE if behind else min(max(len(ids) // SHARES, 1), MOST_PER_MESSAGE)
    for first in range(0, len(ids), size):
        yield ids[first : first + size]


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
