"""The clock, measured: ``python -m benchmarks.clock [--jobs 1000,10000,100000,1000000] [--quick] [--json FILE]``.

On PostgreSQL and Redis of its own and real beats and workers, in the same run beside django-celery-beat's own
scheduler where that can take part. What the parts mean is told in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.plan import MOST_STOCK_ENTRIES, Plan
from benchmarks.rig import Rig


def main() -> None:
    arguments = _arguments()
    plan = _plan(arguments)
    results: dict[str, Any] = {"machine": report.machine()}
    print(f"{results['machine']}")
    with Rig() as rig:
        rig.set_up()
        # Only now can anything be imported that reads the settings.
        from benchmarks import loads, sizes

        results["sizes"] = sizes.measure(rig, plan)
        report.table("By the number of active jobs", results["sizes"])
        for name, title in _TITLES.items():
            if name in arguments.only:
                results[name] = getattr(loads, name)(rig, plan)
                report.table(title, results[name])
    results["machine"]["load_after"] = report.machine()["load_before"]
    report.write(results, arguments.json)


_TITLES = {
    "alone": "One beat alone, claiming and publishing what is due at once",
    "bursts": "Due in the same second: one beat, one worker of 8 threads; lateness",
    "steady": "Steady fires: one beat, one worker of 8 threads; lateness",
    "shape": "The load shape of real cron traffic; lateness",
}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clock", description=__doc__)
    parser.add_argument("--jobs", type=_numbers, default=(1_000, 10_000, 100_000, 1_000_000), help="sizes, ascending")
    parser.add_argument("--quick", action="store_true", help="up to 10,000 jobs and some seconds of each load")
    parser.add_argument("--bursts", type=_numbers, default=(1_000, 5_000, 20_000))
    parser.add_argument("--rates", type=_numbers, default=(100, 300, 1_000), help="fires per second of the steady load")
    parser.add_argument("--seconds", type=int, default=60, help="how long each steady load lasts")
    parser.add_argument("--minutes", type=int, default=10, help="how long the load shape lasts")
    parser.add_argument("--average", type=int, default=100, help="average fires per second of the load shape")
    parser.add_argument("--stock-seconds", type=float, default=20.0, help="cap for the stock scheduler's burst")
    parser.add_argument("--no-stock", action="store_true", help="leave the stock scheduler out")
    parser.add_argument("--only", type=_words, default=tuple(_TITLES), help="some of " + ",".join(_TITLES))
    parser.add_argument("--json", type=Path, help="write the figures to this file instead of printing them")
    return parser.parse_args()


def _plan(arguments: argparse.Namespace) -> Plan:
    quick = arguments.quick
    jobs = tuple(size for size in arguments.jobs if not quick or size <= 10_000)
    return Plan(
        jobs=jobs,
        bursts=tuple(burst for burst in arguments.bursts if burst <= jobs[-1]),
        alone=5_000 if quick else 50_000,
        rates=tuple(rate for rate in arguments.rates if rate <= jobs[-1]),
        steady_seconds=10 if quick else arguments.seconds,
        shape_minutes=2 if quick else arguments.minutes,
        shape_average=min(arguments.average, jobs[-1] // 80),
        stock_burst_seconds=5.0 if quick else arguments.stock_seconds,
        stock_sizes=() if arguments.no_stock else tuple(size for size in jobs if size <= MOST_STOCK_ENTRIES),
    )


if __name__ == "__main__":
    main()
