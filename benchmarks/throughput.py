"""Throughput, measured: ``python -m benchmarks.throughput [--runs 20000] [--quick] [--json FILE]``.

Scheduled no-op runs from their claim to their recorded end, with the whole history kept, beside Celery's own no-op
tasks on the same pools in the same run; latencies at given rates; and calls of an endpoint that takes 100 ms. On
PostgreSQL and Redis of its own. What the parts mean is told in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.rig import Rig

_TITLES = {
    "rates": "Runs a second",
    "latencies": "Latency at a given rate: one beat, one worker of 8 threads",
    "calls": "Calls that take 100 ms",
}
# Pool and slots. Two processes: as many as the machine of the goals has cores.
POOLS = (("threads", 8), ("prefork", 2))


def main() -> None:
    arguments = _arguments()
    results: dict[str, Any] = {"machine": report.machine()}
    print(results["machine"])
    with Rig(extra_apps="benchmarks.noop,benchmarks.calls") as rig:
        rig.set_up()
        # Only now can anything be imported that reads the settings.
        from benchmarks import fleet

        measures: dict[str, Callable[[], list[dict[str, Any]]]] = {
            "rates": lambda: fleet.rates(rig, runs=arguments.runs, pools=POOLS),
            "latencies": lambda: fleet.latencies(rig, rates=arguments.rates, seconds=arguments.seconds),
            "calls": lambda: fleet.calls(rig, slots=arguments.slots, seconds=arguments.seconds / 2),
        }
        for name, measure in measures.items():
            if name in arguments.only:
                results[name] = measure()
                report.table(_TITLES[name], results[name])
    results["machine"]["load_after"] = report.machine()["load_before"]
    report.write(results, arguments.json)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000, help="how many runs and tasks each rate is taken from")
    parser.add_argument("--rates", type=_numbers, default=(50, 100, 300), help="runs per second of the latencies")
    parser.add_argument("--slots", type=_numbers, default=(8, 32, 64), help="threads of the worker that makes calls")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each rate lasts")
    parser.add_argument("--quick", action="store_true", help="3,000 runs and 6 seconds a rate")
    parser.add_argument("--only", type=_words, default=tuple(_TITLES), help="some of " + ",".join(_TITLES))
    parser.add_argument("--json", type=Path, help="write the figures to this file instead of printing them")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.runs, arguments.seconds = 3_000, 6.0
    return arguments


if __name__ == "__main__":
    main()
