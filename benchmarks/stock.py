"""django-celery-beat's own ``DatabaseScheduler`` on the same servers, as far as it can take part.

As a program, ``python -m benchmarks.stock``, it prints the milliseconds of idle ticks in its own process.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from redis import Redis

from benchmarks.rig import Rig

SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
QUEUE = "stock"
# Of Redis: the product's own messages are in 0.
REDIS_DATABASE = 1

# Plain intervals are what costs the stock scheduler least; a crontab takes it up to twice as long.
_FILL = """
INSERT INTO django_celery_beat_periodictask
       (name, task, args, kwargs, headers, priority, one_off, enabled, total_run_count, date_changed, description,
        interval_id, queue, last_run_at)
SELECT 'entry ' || n, 'stock.noop', '[]', '{}', '{}', NULL, false, true, 0, now(), '', %(daily)s, 'stock', now()
  FROM generate_series(%(first)s::int, %(last)s::int) n
"""
_DUE = "UPDATE django_celery_beat_periodictask SET last_run_at = now() - interval '2 days' WHERE id <= %s"
_CHANGE = """
UPDATE django_celery_beat_periodictask
   SET last_run_at = now() - interval '2 days', date_changed = now() WHERE id = %s
"""
_MARK = """
INSERT INTO django_celery_beat_periodictasks (ident, last_update) VALUES (1, now())
ON CONFLICT (ident) DO UPDATE SET last_update = now()
"""


def fill(database: str, entries: int, *, first: int) -> None:
    """Add enabled daily entries numbered ``first`` to ``entries``."""
    with psycopg.connect(database, autocommit=True) as connection:
        daily = connection.execute(
            "INSERT INTO django_celery_beat_intervalschedule (every, period) VALUES (1, 'days') RETURNING id"
        ).fetchone()
        assert daily is not None
        connection.execute(_FILL, {"daily": daily[0], "first": first, "last": entries})
        connection.execute(_MARK)
        connection.execute("VACUUM ANALYZE")


def measure(rig: Rig, database: str, *, entries: int, burst: int, seconds: float) -> dict[str, Any]:
    """Return seconds to the first tick, idle tick, delay of a change, memory, and fires/s of a burst.

    The burst is of ``burst`` entries that are due when the beat starts, and counts what was sent within ``seconds``.
    """
    client = rig.redis(REDIS_DATABASE)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(_DUE, [1])
        with _beat(rig, database, client) as (beat, first_tick):
            megabytes = beat.megabytes
            waiting = client.llen(QUEUE)
            changed_at = time.time()
            connection.execute(_CHANGE, [2])
            connection.execute(_MARK)
            change = _wait_for(client, waiting + 1, seconds=60) - changed_at
        idle = float(rig.run("-m", "benchmarks.stock", DATABASE_URL=database))
        connection.execute(_DUE, [burst])
        with _beat(rig, database, client) as (beat, _):
            began = time.time()
            over = began + seconds
            while client.llen(QUEUE) < burst and time.time() < over:
                beat.check()
                time.sleep(0.02)
            sent, took = int(client.llen(QUEUE)), time.time() - began
        connection.execute("UPDATE django_celery_beat_periodictask SET last_run_at = now() WHERE id <= %s", [burst])
    return {
        "scheduler": "DatabaseScheduler",
        "jobs": entries,
        "first_tick_s": round(first_tick, 2),
        "idle_tick_ms": round(idle, 2),
        "change_in_force_s": round(change, 2),
        "memory_mb": round(megabytes),
        "burst": burst,
        "burst_sent": sent,
        "burst_per_s": round(sent / took, 1),
    }


@contextmanager
def _beat(rig: Rig, database: str, client: Redis) -> Iterator[tuple[Any, float]]:
    """Run a stock beat for the block; yield it and the seconds from its start to its first message."""
    client.flushdb()
    beat = rig.beat(
        "stock-beat", "-S", SCHEDULER, DATABASE_URL=database, CELERY_BROKER_URL=rig.redis_address(REDIS_DATABASE)
    )
    try:
        yield beat, _wait_for(client, 1, seconds=120) - beat.started
    finally:
        # Killed: what it would write at a stop costs it seconds, and nothing here needs it.
        beat.kill()


def _wait_for(client: Redis, length: int, *, seconds: float) -> float:
    """Return when the stock queue held ``length`` messages. Raises RuntimeError after ``seconds``."""
    end = time.time() + seconds
    while time.time() < end:
        if client.llen(QUEUE) >= length:
            return time.time()
        time.sleep(0.005)
    raise RuntimeError(f"the stock beat has not sent {length} messages in {seconds} s")


def main() -> None:
    """Print the median of idle ticks, in milliseconds."""
    import django

    django.setup()
    from django_celery_beat.schedulers import DatabaseScheduler

    from jobsite.celery import app

    # Nothing may be due, else a tick would send it.
    scheduler = DatabaseScheduler(app)
    scheduler.tick()
    ticks: list[float] = []
    over = time.monotonic() + 10
    while len(ticks) < 50 and time.monotonic() < over:
        began = time.perf_counter()
        scheduler.tick()
        ticks.append(time.perf_counter() - began)
    print(statistics.median(ticks) * 1000)


if __name__ == "__main__":
    main()
