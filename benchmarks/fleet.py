"""What one worker gets done: rates and latencies of runs, of Celery's own tasks, and of HTTP calls."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from celery import Celery

from benchmarks import raw, report, workload
from benchmarks.fill import fill
from benchmarks.pushes import Pushes
from benchmarks.rig import Rig
from benchmarks.running import metered, running

SLOTS = 8
# Of Redis: the product's own messages are in 0.
RAW_DATABASE = 2
CALL_MILLISECONDS = 100


def rates(rig: Rig, *, runs: int, pools: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """Return runs a second from claim to recorded end, of queued runs alone, and of Celery's own tasks, by pool."""
    fill(runs)
    rows = []
    for pool, slots in pools:
        claimed, micros = _from_claim(rig, runs, pool, slots)
        queued = _queued(rig, runs, pool, slots)
        celery = _raw(rig, runs, pool, slots)
        rows.append(
            {
                "pool": f"{pool} {slots}",
                "runs": runs,
                "claim_to_end_per_s": round(claimed),
                "queued_to_end_per_s": round(queued),
                "celery_per_s": round(celery),
                "claim_to_end_of_celery": f"{claimed / celery:.0%}",
                **micros,
            }
        )
    return rows


def _from_claim(rig: Rig, runs: int, pool: str, slots: int) -> tuple[float, dict[str, float]]:
    """Return runs a second from the second they are due to the last recorded end, and what they cost whom."""
    workload.quiet(runs)
    with running(rig, worker=True, pool=pool, slots=slots) as processes:
        with metered(rig, processes, runs) as micros:
            second = workload.next_second(2)
            workload.due_at(second, runs)
            workload.wait_until(_all_ended(runs), processes=processes, seconds=300, what="all runs have ended")
        return runs / (_last_end() - second), micros


def _queued(rig: Rig, runs: int, pool: str, slots: int) -> float:
    """Return runs a second of a worker that finds them queued, from the first start to the last recorded end."""
    workload.quiet(runs)
    with running(rig, worker=False) as processes:
        workload.due_at(workload.next_second(0), runs)
        workload.wait_until(
            lambda: workload.count() >= runs, processes=processes, seconds=120, what="all runs are queued"
        )
        worker = rig.worker(pool=pool, slots=slots, connected=False)
        workload.wait_until(
            _all_ended(runs), processes=[*processes, worker], seconds=300, what="all queued runs have ended"
        )
        worker.stop()
    first = workload.execute("SELECT extract(epoch FROM min(started_at))::float8 FROM scheduler_execution")[0][0]
    return float(runs / (_last_end() - first))


def _all_ended(runs: int) -> Callable[[], bool]:
    return lambda: workload.count("ended_at IS NOT NULL") >= runs


def _last_end() -> float:
    return float(workload.execute("SELECT extract(epoch FROM max(ended_at))::float8 FROM scheduler_execution")[0][0])


def _raw(rig: Rig, runs: int, pool: str, slots: int) -> float:
    """Return Celery's own no-op tasks a second, on the same pool, from a queue that is full when the worker starts."""
    client = rig.redis(RAW_DATABASE)
    client.flushdb()
    address = rig.redis_address(RAW_DATABASE)
    # The connection is given, because the variable CELERY_BROKER_URL would win over the application's broker.
    with Celery("raw") as app, app.connection(address) as broker:
        app.send_task("raw.noop", queue=raw.QUEUE, connection=broker)
        message = client.lindex(raw.QUEUE, 0)
        assert message is not None
        for first in range(1, runs, 1000):
            client.lpush(raw.QUEUE, *[message] * min(1000, runs - first))
        worker = rig.worker(
            "raw", queue=raw.QUEUE, pool=pool, slots=slots, app="benchmarks.raw", connected=False,
            CELERY_BROKER_URL=address,
        )  # fmt: skip
        left = runs
        began = 0.0
        end = time.monotonic() + 300
        while left:
            worker.check()
            left = int(client.llen(raw.QUEUE))
            if not began and left < runs:
                began, taken = time.monotonic(), runs - left
            if time.monotonic() > end:
                raise RuntimeError(f"Celery still has {left} tasks after 300 s")
            time.sleep(0.01)
        took = time.monotonic() - began
        worker.stop()
    return (runs - taken) / took


def latencies(rig: Rig, *, rates: Sequence[int], seconds: float) -> list[dict[str, Any]]:
    """Return how long runs wait from their message to their start and from there to their recorded end, by rate."""
    most = int(max(rates) * seconds)
    fill(most, first=_jobs() + 1) if _jobs() < most else None
    rows: list[dict[str, Any]] = []
    for rate in rates:
        runs = int(rate * seconds)
        workload.quiet(runs)
        with (
            running(rig, worker=True, slots=SLOTS) as processes,
            Pushes(rig.redis_address()) as pushes,
            metered(rig, processes, runs) as micros,
        ):
            workload.spread(workload.next_second(2), runs, rate)
            workload.wait_until(_all_ended(runs), processes=processes, seconds=seconds + 120, what="all have ended")
        published = pushes.published()
        fires = workload.fires()
        stages = {
            "due to enqueued": [published[fire.execution_id] - fire.due for fire in fires],
            "enqueued to start": [fire.started - published[fire.execution_id] for fire in fires if fire.started],
            "start to recorded": [fire.ended - fire.started for fire in fires if fire.ended and fire.started],
        }
        for stage, values in stages.items():
            rows.append({"per_s": rate, "runs": runs, "stage": stage, **report.spread(values), **micros})
            micros = {}
        rows.append(
            {
                "per_s": rate,
                "runs": runs,
                "stage": "Celery alone, enqueued to start",
                **_raw_latency(rig, rate, seconds),
            }
        )
    return rows


def _raw_latency(rig: Rig, rate: int, seconds: float) -> dict[str, float]:
    """Return what Celery's own tasks take from their message to their start."""
    client = rig.redis(RAW_DATABASE)
    client.flushdb()
    address = rig.redis_address(RAW_DATABASE)
    tasks = int(rate * seconds)
    with Celery("raw") as app, app.connection(address) as broker:
        worker = rig.worker("raw", queue=raw.QUEUE, slots=SLOTS, app="benchmarks.raw", CELERY_BROKER_URL=address)
        began = time.time()
        for number in range(tasks):
            time.sleep(max(0.0, began + number / rate - time.time()))
            app.send_task("raw.stamp", args=[time.time()], queue=raw.QUEUE, connection=broker)
        end = time.monotonic() + 60
        while client.llen(raw.LATENCIES) < tasks and time.monotonic() < end:
            worker.check()
            time.sleep(0.05)
        worker.stop()
    return report.spread(float(value) for value in client.lrange(raw.LATENCIES, 0, -1))


def _jobs() -> int:
    return int(workload.execute("SELECT count(*) FROM scheduler_job")[0][0])


def calls(rig: Rig, *, slots: Sequence[int], seconds: float) -> list[dict[str, Any]]:
    """Return calls a second of an endpoint that answers after 100 ms, beside the most that so many threads can make."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = rig.start("endpoint", "-m", "benchmarks.calls.endpoint", str(port), str(CALL_MILLISECONDS))
    rows = []
    for threads in slots:
        most = threads * 1000 / CALL_MILLISECONDS
        runs = int(most * seconds)
        if _jobs() < runs:
            fill(runs - _jobs(), first=_jobs() + 1)
        workload.quiet(runs)
        workload.execute("UPDATE scheduler_job SET kind = 'call' WHERE kind <> 'call'")
        address = f"http://127.0.0.1:{port}/weather"
        with running(rig, worker=True, slots=threads, address=address) as processes:
            worker = processes[0]
            busy = worker.cpu_seconds
            second = workload.next_second(2)
            workload.due_at(second, runs)
            workload.wait_until(
                _all_ended(runs), processes=[*processes, endpoint], seconds=seconds * 20 + 60, what="all calls are made"
            )
            took = _last_end() - second
            rows.append(
                {
                    "threads": threads,
                    "calls": runs,
                    "calls_per_s": round(runs / took, 1),
                    "most_possible_per_s": most,
                    "share": f"{runs / took / most:.0%}",
                    "failed": workload.count("status <> 2"),
                    "worker_cpu_ms_per_call": round((worker.cpu_seconds - busy) / runs * 1000, 2),
                }
            )
    endpoint.kill()
    return rows
