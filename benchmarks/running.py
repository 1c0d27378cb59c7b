"""A beat, and a worker if wanted, that run for the time of a block."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks import workload
from benchmarks.rig import Process, Rig


@contextmanager
def running(
    rig: Rig, *, worker: bool, pool: str = "threads", slots: int = 8, address: str = ""
) -> Iterator[list[Process]]:
    """Run a beat, and before it a worker if wanted; yield them, the beat last, once both do their work.

    ``address`` is what jobs of the kind ``call`` call.
    """
    processes = [rig.worker(pool=pool, slots=slots, BENCH_URL=address)] if worker else []
    processes.append(rig.beat())
    try:
        _wait_for_beat(processes)
        yield processes
    finally:
        for process in reversed(processes):
            process.stop()


def _wait_for_beat(processes: Sequence[Process]) -> None:
    pid = processes[-1].pid
    workload.wait_until(
        lambda: bool(workload.execute("SELECT 1 FROM scheduler_process WHERE kind = 'beat' AND pid = %s", [pid])),
        processes=processes,
        seconds=60,
        what="the beat says it is alive",
    )
    # It says so as it starts; what it loads at its first ticks must not be part of what is measured next.
    time.sleep(1.5)


@contextmanager
def metered(rig: Rig, processes: Sequence[Process], runs: int) -> Iterator[dict[str, float]]:
    """Yield a dictionary that tells, after the block, the processor microseconds a run of each part of the fleet.

    Figures that hold on a machine with other work too: what a core can do at most is a million divided by them.
    """
    micros: dict[str, float] = {}
    before = {process.name: process.cpu_seconds for process in processes}, rig.server_cpu_seconds
    yield micros
    for process in processes:
        micros[f"{process.name}_us"] = round((process.cpu_seconds - before[0][process.name]) / runs * 1e6, 1)
    for name, was, now in zip(("postgres", "redis"), before[1], rig.server_cpu_seconds, strict=True):
        micros[f"{name}_us"] = round((now - was) / runs * 1e6, 1)
