"""``python -m tests.chaos --seconds 60 --seed 1``: hurts a running fleet, then checks that nothing was lost or doubled.

Exits with 1 where something was, and keeps the logs and the data then. The same seed makes the same faults and jobs.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import Counter

from tests.chaos.faults import Fault, plan
from tests.chaos.fleet import Fleet, why_no_namespaces

# After the last fault everything must be over within this: lease, rescue, retries, and the queue.
SETTLE_SECONDS = 60.0
# Never set: what people do has a pace, and so has looking whether it is over.
PAUSE = threading.Event()


def main() -> None:
    arguments = _arguments()
    faults = plan(arguments.seed, seconds=arguments.seconds, every=arguments.every, cut=arguments.cut)
    if arguments.cut and (problem := why_no_namespaces()):
        sys.exit(f"--cut needs network namespaces, which this machine does not give: {problem}")
    with Fleet(beats=arguments.beats, workers=arguments.workers, cut=arguments.cut) as fleet:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0, skip_checks=True)
        from tests.chaos import population

        population.populate(arguments.seed, arguments.jobs)
        fleet.start_programs()
        struck = _hurt(fleet, faults, population.People(arguments.seed), seconds=arguments.seconds)
        settled = _settle(fleet)
        good = _judge(struck, settled=settled, seed=arguments.seed)
        fleet.keep = arguments.keep or not good
        if good and not arguments.keep:
            stubborn = [program.name for program in (*fleet.beats, *fleet.workers) if not program.stop()]
            if stubborn:
                print(f"VIOLATION asked to end, did not within 20 s: {', '.join(stubborn)}", flush=True)
                good, fleet.keep = False, True
    sys.exit(0 if good else 1)


def _hurt(fleet: Fleet, faults: list[Fault], people: object, *, seconds: float) -> Counter[str]:
    """Strike as planned while people work; return how often which kind of fault hit somebody."""
    from tests.chaos.population import People

    assert isinstance(people, People)
    began = time.monotonic()
    struck: Counter[str] = Counter()

    failed: list[Exception] = []

    def strike_all() -> None:
        try:
            strike()
        except Exception as error:
            failed.append(error)

    def strike() -> None:
        for fault in faults:
            PAUSE.wait(max(began + fault.at - time.monotonic(), 0.0))
            victim = fleet.strike(fault)
            if victim is not None:
                struck[fault.kind.value] += 1
                passed = time.monotonic() - began
                print(f"{passed:6.1f} s  {victim}: {fault.kind.value}, {fault.away:.1f} s", flush=True)

    # Beside the people, who wait while PostgreSQL stands still.
    striking = threading.Thread(target=strike_all, name="strike", daemon=True)
    striking.start()
    while striking.is_alive() or time.monotonic() - began < seconds:
        if not _try(people.act):
            PAUSE.wait(0.1)
        PAUSE.wait(0.1)
    if failed:
        raise failed[0]
    return struck


def _try(act: object) -> bool:
    """Call ``act``; return False where the database was away, or refused because somebody else was first."""
    from django.db import DatabaseError, InterfaceError, connection

    from scheduler.exceptions import SchedulerError

    assert callable(act)
    try:
        act()
    except (DatabaseError, InterfaceError):
        connection.close()
        return False
    except SchedulerError:
        return False
    return True


def _settle(fleet: Fleet) -> bool:
    """Bring everything back, let nothing new fall due, and wait until no run is open; return whether that came."""
    from django.db import connection

    from scheduler.models import Execution, Removal
    from tests.chaos.population import pause_all

    fleet.heal()
    connection.close()
    deadline = time.monotonic() + SETTLE_SECONDS
    while not _try(pause_all) and time.monotonic() < deadline:
        PAUSE.wait(0.2)
    while time.monotonic() < deadline:
        fleet.revive()
        if not Execution.objects.open().exists() and not Removal.objects.exists():
            return True
        PAUSE.wait(0.2)
    return False


def _judge(struck: Counter[str], *, settled: bool, seed: int) -> bool:
    """Print what was done and found; return whether all is well."""
    from scheduler.models import Execution, Status
    from tests.chaos import checker

    print(f"seed {seed}: {struck.total()} faults: " + ", ".join(f"{count} {kind}" for kind, count in struck.items()))
    if not settled:
        print(f"VIOLATION runs are still open {SETTLE_SECONDS:.0f} s after the last fault")
    ends = Counter(Execution.objects.values_list("status", "reason"))
    print(
        ", ".join(f"{count} {Status(status).label} {reason or ''}".strip() for (status, reason), count in ends.items())
    )
    findings = checker.check(until=checker._now(), settled=True)
    return checker.report(findings, tell=lambda text: print(text, flush=True)) and settled


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long faults come")
    parser.add_argument("--seed", type=int, default=1, help="what makes jobs, faults and people's acts")
    parser.add_argument("--every", type=float, default=2.5, help="mean seconds between faults")
    parser.add_argument("--beats", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2, help="every other one of processes instead of threads")
    parser.add_argument("--jobs", type=int, default=48)
    parser.add_argument("--cut", action="store_true", help="one more worker on a host of its own, whose link goes down")
    parser.add_argument("--keep", action="store_true", help="keep logs and data though nothing was wrong")
    return parser.parse_args()


if __name__ == "__main__":
    main()
