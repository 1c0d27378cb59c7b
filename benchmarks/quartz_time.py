"""Next-fire calls per second, beside croniter and cronsim in the same process, and parses per second.

    python -m benchmarks.quartz_time [--seconds 0.3] [--rounds 5]

Each call asks for the fire after the one before, 500 in a row from 2026-01-01, again and again. The three libraries
take turns, round by round, and the fastest round of each counts: what else the machine does then falls on all alike.
"""

import argparse
import random
from collections.abc import Callable
from datetime import datetime
from time import perf_counter
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

from scheduler.quartz import QuartzExpression
from scheduler.quartz.clock import following
from scheduler.quartz.days import read_day_of_month, read_day_of_week
from scheduler.quartz.expression import _parse
from scheduler.quartz.fields import read_mask, read_years

CHAIN = 500
# Quartz text, croniter text (seconds last), cronsim text; None where the library has no such thing.
EXPRESSIONS: list[tuple[str, str | None, str | None]] = [
    ("0 0/5 * * * ?", "*/5 * * * *", "*/5 * * * *"),
    ("0 0 9 ? * MON-FRI", "0 9 * * MON-FRI", "0 9 * * MON-FRI"),
    ("0 0 9 ? * MON#1", "0 9 * * MON#1", "0 9 * * MON#1"),
    ("0 0 17 LW * ?", None, "0 17 LW * *"),
    ("41 5 * * * ? *", "5 * * * * 41", "5 * * * *"),  # cronsim has no seconds
]
ZONES = ("UTC", "America/New_York")
START = datetime(2026, 1, 1)  # noqa: DTZ001 - the zone is added


def ours(text: str, zone: ZoneInfo) -> Callable[[], None]:
    """A chain of `next_after`."""
    expression = QuartzExpression.parse(text)
    start = START.replace(tzinfo=zone)

    def run() -> None:
        instant: datetime | None = start
        for _ in range(CHAIN):
            assert instant is not None
            instant = expression.next_after(instant, zone)

    return run


def ours_in_seconds(text: str, zone: ZoneInfo) -> Callable[[], None]:
    """A chain of `next_after_epoch`."""
    expression = QuartzExpression.parse(text)
    start = int(START.replace(tzinfo=zone).timestamp())

    def run() -> None:
        instant: int | None = start
        for _ in range(CHAIN):
            assert instant is not None
            instant = expression.next_after_epoch(instant, zone)

    return run


def theirs_croniter(text: str, zone: ZoneInfo) -> Callable[[], None]:
    """A chain of croniter's `get_next`."""
    iterator = croniter(text, START.replace(tzinfo=zone), ret_type=datetime)

    def run() -> None:
        iterator.set_current(START.replace(tzinfo=zone))
        for _ in range(CHAIN):
            iterator.get_next()

    return run


def theirs_cronsim(text: str, zone: ZoneInfo) -> Callable[[], None]:
    """A chain of cronsim's `next`."""

    def run() -> None:
        iterator = CronSim(text, START.replace(tzinfo=zone))
        for _ in range(CHAIN):
            next(iterator)

    return run


def rates(runs: list[Callable[[], None] | None], *, seconds: float, rounds: int) -> list[float | None]:
    """Calls per second of each, its best round."""
    best: list[float | None] = [None if run is None else 0.0 for run in runs]
    for _ in range(rounds):
        for place, run in enumerate(runs):
            if run is None:
                continue
            calls, begin = 0, perf_counter()
            while (passed := perf_counter() - begin) < seconds:
                run()
                calls += CHAIN
            best[place] = max(best[place] or 0.0, calls / passed)
    return best


def parse_rates(seconds: float) -> tuple[float, float, float]:
    """Parses per second: one text again and again, texts never seen with fields often seen, and all remembered lost."""
    begin, count = perf_counter(), 0
    while (passed := perf_counter() - begin) < seconds:
        for _ in range(1000):
            QuartzExpression.parse("0 0/15 8-18 ? * MON-FRI")
        count += 1000
    repeated = count / passed
    chance = random.Random(1)  # noqa: S311 - no secret

    def numbers(low: int, high: int) -> str:
        return ",".join(str(chance.randint(low, high)) for _ in range(3))

    texts = [
        f"{numbers(0, 59)} {numbers(0, 59)} {numbers(0, 23)} {numbers(1, 31)} {numbers(1, 12)} ?" for _ in range(9000)
    ]
    caches = (_parse, following, read_mask, read_years, read_day_of_month, read_day_of_week)
    for cache in caches:
        cache.cache_clear()
    begin = perf_counter()
    for text in texts:
        QuartzExpression.parse(text)
    unseen = len(texts) / (perf_counter() - begin)
    cleared, spent = texts[:2000], 0.0
    for text in cleared:
        for cache in caches:
            cache.cache_clear()
        begin = perf_counter()
        QuartzExpression.parse(text)
        spent += perf_counter() - begin
    return repeated, unseen, len(cleared) / spent


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=0.3, help="how long each round of each library takes")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("| expression | zone | next_after | next_after_epoch | croniter | cronsim | / croniter | / cronsim |")
    print("|---|---|---|---|---|---|---|---|")
    for text, croniter_text, cronsim_text in EXPRESSIONS:
        for name in ZONES:
            zone = ZoneInfo(name)
            runs = [
                ours(text, zone),
                ours_in_seconds(text, zone),
                theirs_croniter(croniter_text, zone) if croniter_text else None,
                theirs_cronsim(cronsim_text, zone) if cronsim_text else None,
            ]
            found = rates(runs, seconds=options.seconds, rounds=options.rounds)
            cells = ["-" if rate is None else f"{rate / 1000:.1f}k" for rate in found]
            ratios = ["-" if rate is None else f"{(found[0] or 0) / rate:.1f}" for rate in found[2:]]
            print(f"| `{text}` | {name} | {' | '.join(cells + ratios)} |", flush=True)
    repeated, unseen, cleared = parse_rates(options.seconds * options.rounds)
    print(f"\nparses per second: repeated text {repeated / 1000:.0f}k, unseen text {unseen / 1000:.1f}k, "
          f"unseen with every cache emptied before it {cleared / 1000:.1f}k")  # fmt: skip


if __name__ == "__main__":
    main()
