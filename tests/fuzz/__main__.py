"""``python -m tests.fuzz --requests 100000 --seed 1``: fuzzes a stack of its own, then checks that it is unharmed.

Exits with 1 where an answer was what no answer may be, or the state is harmed, and keeps logs and data then.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.fuzz.hand import SURFACES, Hand, Tally, Task, work
from tests.fuzz.stack import Stack

# After the last request everything must be over within this.
SETTLE_SECONDS = 120.0
_PAUSE = threading.Event()


def main() -> None:
    arguments = _arguments()
    surfaces = tuple(arguments.surface or SURFACES)
    with Stack() as stack:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0, skip_checks=True)
        from tests.fuzz import people

        people.populate(arguments.seed)
        stack.start_programs()
        began = time.monotonic()
        tally = _fuzz(arguments, surfaces, stack.port)
        seconds = time.monotonic() - began
        good = _report(tally, seconds, arguments.seed)
        good = _judge(stack) and good
        stack.keep = arguments.keep or not good
    sys.exit(0 if good else 1)


def _fuzz(arguments: argparse.Namespace, surfaces: tuple[str, ...], port: int) -> Tally:
    """Send all requests, with so many hands at once, and return what came of them."""
    from django.db import connection

    connection.close()
    tally, hands = Tally(), arguments.hands
    each, until = -(-arguments.requests // hands), time.time() + arguments.seconds if arguments.seconds else None
    tasks = [
        Task(number, arguments.seed, each, surfaces, "127.0.0.1", port, arguments.patience, until)
        for number in range(hands)
    ]
    if hands == 1:
        return Hand(tasks[0]).run()
    with ProcessPoolExecutor(hands, mp_context=multiprocessing.get_context("spawn")) as pool:
        for part in pool.map(work, tasks):
            tally.merge(part)
    return tally


def _report(tally: Tally, seconds: float, seed: int) -> bool:
    """Print what was sent and answered; return whether every answer was one that may be."""
    total = tally.statuses.total()
    classes: Counter[str] = Counter()
    for status, count in tally.statuses.items():
        classes[f"{status // 100}xx" if status else "none"] += count
    told = ", ".join(f"{count:,} × {name}" for name, count in sorted(classes.items()))
    print(f"seed {seed}: {total:,} requests in {seconds:.0f} s, {total / seconds:.0f}/s: {told}")
    print("to " + ", ".join(f"{surface}: {count:,}" for surface, count in sorted(tally.sent.items())))
    print(", ".join(f"{status}: {count:,}" for status, count in sorted(tally.statuses.items())))
    succeeded = {label for (label, status), count in tally.answers.items() if 200 <= status < 400}
    never = sorted({label for label, _ in tally.answers} - succeeded)
    print(f"{len(succeeded)} of {len(succeeded) + len(never)} kinds of requests succeeded at least once")
    for label in never:
        instead = {status: count for (each, status), count in sorted(tally.answers.items()) if each == label}
        print(f"  never {label}: {instead}")
    print(f"slowest: {tally.slowest[0]:.2f} s, {tally.slowest[1]}")
    print(f"{tally.lost:,} odd or cut requests without an answer; {tally.unsendable:,} cases that no client could send")
    for each in sorted(tally.without):
        print(f"no such requests: {each}")
    for key, count in tally.found.most_common():
        print(f"VIOLATION {count} × {key}")
        for example in tally.findings[key][:2]:
            print(f"    {example}")
    return not tally.found


def _judge(stack: Stack) -> bool:
    """Let everything come to rest and check the state; print what is wrong, and return whether nothing is."""
    from django.db import connection

    from scheduler.models import Execution, Status
    from tests.chaos import checker
    from tests.fuzz import rest

    connection.close()
    bad = [f"{name} has ended" for name in stack.ended()]
    if restarts := stack.restarts():
        bad.append(f"{restarts} processes of web died")
    left = rest.settle(SETTLE_SECONDS)
    bad += [f"still open {SETTLE_SECONDS:.0f} s after the last request: {each}" for each in left[:10]]
    ends = Counter(Execution.objects.values_list("status", "reason"))
    print(
        ", ".join(
            f"{count:,} {Status(status).label} {reason or ''}".strip() for (status, reason), count in ends.items()
        )
    )
    findings = checker.check(until=checker._now(), settled=True)
    findings.violations = [each for each in findings.violations if each.rule not in rest.NOT_ASKED]
    bad += [f"asked to end, did not within 20 s: {name}" for name in stack.stop()]
    bad += rest.crashes(stack.root)
    for each in bad:
        print(f"VIOLATION {each}")
    return checker.report(findings) and not bad


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, help="end after so long, though fewer were sent")
    parser.add_argument("--seed", type=int, default=1, help="what makes the requests")
    parser.add_argument("--surface", action="append", choices=SURFACES, help="only this one; may be given again")
    parser.add_argument("--hands", type=int, default=3, help="processes that send, each one request at a time")
    parser.add_argument("--patience", type=float, default=5.0, help="seconds that an answer may take")
    parser.add_argument("--keep", action="store_true", help="keep logs and data though nothing was wrong")
    return parser.parse_args()


if __name__ == "__main__":
    main()
