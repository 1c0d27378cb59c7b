"""Celery alone, doing nothing: what scheduled runs are compared with. ``celery -A benchmarks.raw worker``."""

import os
import time
from functools import lru_cache

import redis
from celery import Celery

QUEUE = "raw"
LATENCIES = "latencies"

app = Celery("raw", broker=os.environ.get("CELERY_BROKER_URL"))
app.conf.task_ignore_result = True
app.conf.task_default_queue = QUEUE
app.conf.broker_connection_retry_on_startup = True


@lru_cache(maxsize=1)
def _client() -> redis.Redis:
    return redis.Redis.from_url(os.environ["CELERY_BROKER_URL"])


@app.task(name="raw.noop")  # type: ignore[untyped-decorator]
def noop() -> None:
    """Do nothing."""


@app.task(name="raw.stamp")  # type: ignore[untyped-decorator]
def stamp(sent: float) -> None:
    """Record the seconds since ``sent``."""
    _client().rpush(LATENCIES, time.time() - sent)
