"""Where the claim path spends its time: ``python -m benchmarks.profile [--jobs 1000000] [--due 20000] [--distinct]``.

Claims in this process what is due, on servers of its own, and prints: fires per second; the share of each statement
and of Python; PostgreSQL's plan of each statement; which updates happened in place; how large the index of due jobs
became. With ``--flame FILE`` the Python stacks go to FILE: drawn where it ends with .svg, else in the collapsed form
that flame graph tools read.
"""

from __future__ import annotations

import argparse
import re
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import flame, report
from benchmarks.rig import Rig

_TABLES = ("scheduler_jobstate", "django_celery_beat_periodictask", "django_celery_beat_clockedschedule")


_ARRAY = re.compile(r"'\{[0-9,]+\}'")


class Statements:
    """Times every statement; ``explain`` asks PostgreSQL for the plan of the next one of each kind."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self.plans: dict[str, str] = {}
        self.explain = False

    def __call__(self, execute: Callable[..., Any], sql: str, parameters: Any, many: bool, context: Any) -> Any:
        name = " ".join(sql.split())[:60]
        if (
            self.explain
            and name not in self.plans
            and sql.lstrip()[:6].upper() in ("SELECT", "UPDATE", "INSERT", "WITH F")
        ):
            cursor = context["cursor"].cursor
            cursor.execute("SAVEPOINT explained")
            cursor.execute("EXPLAIN (ANALYZE, BUFFERS) " + sql, parameters)
            self.plans[name] = "\n".join(_ARRAY.sub("'{…}'", row[0]) for row in cursor.fetchall())
            cursor.execute("ROLLBACK TO SAVEPOINT explained")
        began = time.perf_counter()
        try:
            return execute(sql, parameters, many, context)
        finally:
            self.seconds[name] += time.perf_counter() - began
            self.calls[name] += 1


class Sampler(threading.Thread):
    """Samples the stack of the main thread a thousand times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.stacks: Counter[str] = Counter()
        self._main = threading.main_thread().ident or 0
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.001):
            frame = sys._current_frames().get(self._main)
            names = []
            while frame is not None:
                names.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}")
                frame = frame.f_back
            self.stacks[";".join(reversed(names))] += 1

    def stop(self) -> None:
        self._over.set()
        self.join()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--due", type=int, default=20_000)
    parser.add_argument("--distinct", action="store_true", help="every job its own schedule")
    parser.add_argument("--no-plans", action="store_true")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--flame", type=Path)
    arguments = parser.parse_args()
    print(report.machine())
    with Rig() as rig:
        rig.set_up()
        from benchmarks.fill import fill

        fill(arguments.jobs)
        _profile(arguments)


def _profile(arguments: argparse.Namespace) -> None:
    from django.db import connection

    from benchmarks import workload
    from benchmarks.loads import SHARED

    workload.quiet(arguments.due)
    if not arguments.distinct:
        workload.schedule(1, arguments.due, SHARED, starting=int(time.time()) + 200_000)
    rows = []
    sampler = Sampler()
    if arguments.flame:
        sampler.start()
    index = _size_of_index()
    for number in range(1, arguments.passes + 1):
        statements = Statements()
        workload.due_at(workload.next_second(-1), arguments.due)
        with connection.execute_wrapper(statements):
            seconds, publishing = _claim_all(statements, plans=number == 1 and not arguments.no_plans)
        # A beat sets its connection up for claims alone.
        connection.close()
        rows.append(_row(number, arguments.due, seconds, publishing, statements))
        if statements.plans:
            for name, plan in statements.plans.items():
                print(f"\n--- {name}\n{plan}", flush=True)
        workload.execute("UPDATE scheduler_jobstate SET open_runs = 0 WHERE job_id <= %s", [arguments.due])
        if number == arguments.passes:
            parts = [
                {
                    "statement": name,
                    "calls": statements.calls[name],
                    "us_per_fire": round(took / arguments.due * 1e6, 1),
                    "share": f"{took / seconds:.0%}",
                }
                for name, took in sorted(statements.seconds.items(), key=lambda item: -item[1])
            ]
            report.table("The last pass, by statement", parts)
    report.table("Passes", rows)
    if arguments.flame:
        sampler.stop()
        arguments.flame.write_text(_flame(sampler.stacks, arguments))
    _storage(index)


def _flame(stacks: Counter[str], arguments: argparse.Namespace) -> str:
    if arguments.flame.suffix != ".svg":
        return "".join(f"{stack} {count}\n" for stack, count in stacks.items())
    title = f"Claiming {arguments.due:,} due of {arguments.jobs:,} jobs, {arguments.passes} times"
    return flame.drawn(stacks, title=title, root="profile._claim_all")


def _claim_all(statements: Statements, *, plans: bool) -> tuple[float, float]:
    """Claim and publish until nothing is due; return seconds, and seconds of them in publishing."""
    from django.conf import settings

    from scheduler import claims, messages
    from scheduler.claimer import Claimer

    # What a beat asks of its connection, claims here get too.
    Claimer(batch=settings.SCHEDULER_CLAIM_BATCH).prepare()
    began = time.perf_counter()
    publishing, batches = 0.0, 0
    while True:
        # Not the first batch, whose parsing and caches are cold.
        statements.explain = plans and batches == 3
        claimed = claims.claim(limit=settings.SCHEDULER_CLAIM_BATCH)
        if not claimed.jobs:
            return time.perf_counter() - began, publishing
        batches += 1
        sending = time.perf_counter()
        messages.publish(claimed.hints)
        publishing += time.perf_counter() - sending


def _row(number: int, due: int, seconds: float, publishing: float, statements: Statements) -> dict[str, Any]:
    asked = sum(statements.seconds.values())
    return {
        "pass": number,
        "fires": due,
        "fires_per_s": round(due / seconds),
        "statements": f"{asked / seconds:.0%}",
        "publishing": f"{publishing / seconds:.0%}",
        "python_and_commit": f"{(seconds - asked - publishing) / seconds:.0%}",
    }


def _size_of_index() -> int:
    from benchmarks import workload

    return int(workload.execute("SELECT pg_relation_size('jobstate_due')")[0][0])


def _storage(index: int) -> None:
    from benchmarks import workload

    workload.execute("SELECT pg_stat_force_next_flush()")
    rows = [
        {"table": name, "updates": updates, "in_place": f"{hot / updates:.0%}" if updates else "", "dead": dead}
        for name, updates, hot, dead in workload.execute(
            "SELECT relname, n_tup_upd, n_tup_hot_upd, n_dead_tup FROM pg_stat_user_tables WHERE relname = ANY(%s)",
            [list(_TABLES)],
        )
    ]
    report.table("Updates", rows)
    print(f"\nindex of due jobs: {index / 1e6:.1f} MB before, {_size_of_index() / 1e6:.1f} MB after")


if __name__ == "__main__":
    main()
