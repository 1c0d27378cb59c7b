"""No text and no instant takes long."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from time import thread_time
from zoneinfo import ZoneInfo

import pytest

from scheduler.quartz import FireTimes, InvalidExpression, zones
from scheduler.quartz.clock import following, preceding
from scheduler.quartz.days import read_day_of_month, read_day_of_week
from scheduler.quartz.fields import read_mask, read_years
from scheduler.schedule_text import describe_schedule, parse_schedule

LIMIT = 0.005  # seconds
SIXTY = ",".join(map(str, range(60)))
TEXTS = [
    "* * * * * ?",
    "0 0 0 29 2 ? 2097-2099",
    "0 0 0 ? 2 6#5",
    "0 0 0 31W 2 ?",
    "0 0 0 30 2 ?",
    "0 0 0 29 2 ? 1971",
    "0 0 2 ? 3 SUN#2",  # every one of them in New York's gap
    "* * 2 ? 3 SUN#2",
    "0 53 2 ? 3 1#2",
    "*/7 3-59/11 2 ? 3 SUN",
    "0 30 2 ? * SUN",
    f"{SIXTY} {SIXTY} {SIXTY[:61]} * * ?",
    f"{SIXTY} {SIXTY} * {SIXTY[2:82]} * ? {','.join(map(str, range(1970, 2080)))}",
    "0 0 0 1 1 ? " + ",".join(f"1970/{step}" for step in range(1, 120)),
    "0 0 0 " + ",".join(f"L-{day}W,{day + 1}W" for day in range(31)) + " * ?",
    "0 0 12 ? * " + ",".join(["MON-SUN"] * 120),
    "0-59," * 190 + "1 * * * * ?",
    "9" * 1000 + " 0 0 * * ?",
    "0 0 0 ? * 1#" + "9" * 1000,
    "1 " * 500,
    "," * 1024,
    "x" * 1_000_000,
    "1 " * 500_000,
    "* * * * *",
    "30 2 8-14 3 *",
    "0 0 29 2 *",
    "0 0 30 2 *",
    "0 0 31 2,4,6,9,11 *",
    "0 0 * * " + ",".join(["1#1", "2#5", "L3"] * 20),
    ",".join(f"*/{step}" for step in range(1, 60)) + " * * * *",
]


def fastest(call: Callable[[], object], rounds: int = 5) -> float:
    """The shortest of a few runs, in seconds of this thread's own, each from nothing remembered."""
    caches = (following, preceding, read_day_of_month, read_day_of_week, read_mask, read_years, zones.offsets_of)
    shortest = float("inf")
    for _ in range(rounds):
        for cache in caches:
            cache.cache_clear()
        begin = thread_time()
        call()
        shortest = min(shortest, thread_time() - begin)
    return shortest


def read(text: str) -> FireTimes | None:
    """The expression of a text, which then remembers nothing yet; None for a text that is refused."""
    try:
        return type(parse_schedule(text))(text)
    except InvalidExpression:
        return None


def description(text: str) -> str | None:
    """The description of a text; None for a text that is refused."""
    try:
        return describe_schedule(text)
    except InvalidExpression:
        return None


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:30])
def test_a_text_is_read_refused_and_described_within_the_limit(text: str) -> None:
    assert fastest(partial(read, text)) < LIMIT
    assert fastest(partial(description, text)) < LIMIT


@pytest.mark.parametrize("question", ["next_after", "previous_before"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"])
@pytest.mark.parametrize("text", [text for text in TEXTS if read(text)], ids=lambda text: text[:30])
def test_fires_are_answered_within_the_limit(text: str, zone: str, question: str) -> None:
    instants = [datetime(year, 3, 10, 7, tzinfo=UTC) for year in (1, 1970, 2007, 2026, 2099, 2149, 9999)]
    times = {instant: fastest(partial(ask, text, instant, ZoneInfo(zone), question)) for instant in instants}
    assert {instant: time for instant, time in times.items() if time >= LIMIT} == {}


def ask(text: str, instant: datetime, zone: ZoneInfo, question: str) -> datetime | None:
    """Read a text and ask it for the fire next to an instant."""
    expression = read(text)
    assert expression is not None
    answer: datetime | None = getattr(expression, question)(instant, zone)
    return answer
