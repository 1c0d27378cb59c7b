"""The clock by the number of active jobs: start, idle tick, a change, memory. Beside it the stock scheduler."""

from __future__ import annotations

import statistics
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from benchmarks import stock, workload
from benchmarks.fill import fill
from benchmarks.plan import Plan
from benchmarks.rig import Rig
from jobsite.celery import app
from scheduler import clock, jobs, messages
from scheduler.beat import JobScheduler
from scheduler.claimer import Claimer
from scheduler.schedule import Schedule


def measure(rig: Rig, plan: Plan) -> list[dict[str, Any]]:
    """Measure both schedulers at each number of jobs; leaves the largest number filled."""
    rows: list[dict[str, Any]] = []
    filled = 0
    stock_database = rig.stock_database() if plan.stock_sizes else ""
    for many in plan.jobs:
        began = time.monotonic()
        fill(many - filled, first=filled + 1)
        print(f"filled to {many:,} jobs in {time.monotonic() - began:.1f} s", flush=True)
        rows.append(_size(rig, many))
        if many in plan.stock_sizes:
            stock.fill(stock_database, many, first=filled + 1)
            rows.append(
                stock.measure(
                    rig, stock_database, entries=many, burst=min(many, 1000), seconds=plan.stock_burst_seconds
                )
            )
        filled = many
    return rows


def _size(rig: Rig, many: int) -> dict[str, Any]:
    """Measure our scheduler over ``many`` jobs."""
    workload.quiet(10)
    workload.due_at(workload.next_second(-1), 1)
    client = rig.redis()
    beat = rig.beat(f"beat-{many}")
    lists = messages.keys_of(workload.QUEUE)
    while not any(client.llen(name) for name in lists):
        beat.check()
        time.sleep(0.005)
    first_tick = time.time() - beat.started
    changes = [_change(number) for number in range(2, 7)]
    busy, began = beat.cpu_seconds, time.monotonic()
    time.sleep(5)
    processor = (beat.cpu_seconds - busy) / (time.monotonic() - began)
    megabytes = beat.megabytes
    beat.stop()
    return {
        "scheduler": "JobScheduler",
        "jobs": many,
        "first_tick_s": round(first_tick, 2),
        "idle_tick_ms": round(_idle_tick(), 2),
        "idle_cpu": f"{processor:.1%}",
        "change_in_force_s": round(max(changes), 3),
        "memory_mb": round(megabytes),
    }


def _change(number: int) -> float:
    """Edit a job so that it is due within a second; return the seconds from then to its claim."""
    due = clock.exact_now() + timedelta(seconds=1)
    job = jobs.update(jobs.get("noop", number), {"schedule": Schedule(run_at=due)}, by="benchmark")
    found: list[tuple[Any, ...]] = []
    end = time.monotonic() + 30
    while not found and time.monotonic() < end:
        time.sleep(0.05)
        found = workload.execute(
            "SELECT extract(epoch FROM created_at - scheduled_for)::float8 FROM scheduler_execution WHERE job_id = %s",
            [job.pk],
        )
    if not found:
        raise RuntimeError("a changed job has not fired within 30 s")
    return float(found[0][0])


def _idle_tick() -> float:
    """Return the median milliseconds of what one idle tick does, in this process and without its sleep."""
    scheduler, claimer = JobScheduler(app, lazy=True), Claimer(batch=settings.SCHEDULER_CLAIM_BATCH)
    ticks = []
    for _ in range(300):
        began = time.perf_counter()
        scheduler._pause(claimer.claim())
        ticks.append(time.perf_counter() - began)
    # A beat sets its connection up for claims alone.
    connection.close()
    return statistics.median(ticks) * 1000
