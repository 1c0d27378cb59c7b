"""The misfire rules: every instant that has passed ends in exactly one part of the plan."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.misfire import Misfire, Plan, plan

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def every(step: timedelta, *, last: datetime | None = None) -> dict[str, Any]:
    """A schedule that fires at START and every ``step`` before and after it, up to ``last``."""

    def next_after(instant: datetime) -> datetime | None:
        fire = START + ((instant - START) // step + 1) * step
        return None if last is not None and fire > last else fire

    def previous_before(instant: datetime) -> datetime | None:
        fire = START + (-((START - instant) // step) - 1) * step
        return fire if last is None else min(fire, last)

    return {"next_after": next_after, "previous_before": previous_before}


def minutes(*numbers: int) -> tuple[datetime, ...]:
    return tuple(START + number * MINUTE for number in numbers)


def test_an_instant_within_the_grace_runs() -> None:
    assert plan("skip", due=START, now=START + MINUTE, grace=MINUTE, **every(timedelta(hours=1))) == (
        Plan(START + timedelta(hours=1), on_time=(START,))
    )


def test_an_instant_just_beyond_the_grace_is_a_misfire() -> None:
    now = START + MINUTE + timedelta(microseconds=1)
    assert plan("skip", due=START, now=now, grace=MINUTE, **every(timedelta(hours=1))) == (
        Plan(START + timedelta(hours=1), missed=(START,))
    )


def test_fire_once_runs_the_newest_late_instant_and_coalesces_the_others() -> None:
    now = START + 10 * MINUTE
    assert plan("fire_once", due=START, now=now, grace=timedelta(0), **every(3 * MINUTE)) == Plan(
        START + 12 * MINUTE, late=minutes(9), coalesced=minutes(0, 3, 6)
    )


def test_fire_once_lets_an_instant_in_time_stand_for_the_late_ones() -> None:
    now = START + 10 * MINUTE
    assert plan("fire_once", due=START, now=now, grace=2 * MINUTE, **every(3 * MINUTE)) == Plan(
        START + 12 * MINUTE, on_time=minutes(9), coalesced=minutes(0, 3, 6)
    )


def test_fire_once_runs_the_one_instant_of_a_job_that_came_due_long_ago() -> None:
    once = every(MINUTE, last=START)
    assert plan("fire_once", due=START, now=START + timedelta(days=400), grace=MINUTE, **once) == Plan(
        None, late=(START,)
    )


def test_skip_misses_what_is_late_and_runs_what_is_in_time() -> None:
    now = START + 10 * MINUTE
    assert plan("skip", due=START, now=now, grace=2 * MINUTE, **every(3 * MINUTE)) == Plan(
        START + 12 * MINUTE, on_time=minutes(9), missed=minutes(0, 3, 6)
    )


def test_fire_all_runs_every_late_instant() -> None:
    now = START + 10 * MINUTE
    assert plan("fire_all", due=START, now=now, grace=2 * MINUTE, **every(3 * MINUTE)) == Plan(
        START + 12 * MINUTE, on_time=minutes(9), late=minutes(0, 3, 6)
    )


def test_fire_all_is_bounded_and_misses_the_oldest() -> None:
    now = START + 10 * MINUTE
    assert plan("fire_all", due=START, now=now, grace=MINUTE, **every(MINUTE), fire_all_limit=3) == Plan(
        START + 11 * MINUTE, on_time=minutes(9, 10), late=minutes(6, 7, 8), missed=minutes(0, 1, 2, 3, 4, 5)
    )


def test_a_very_long_outage_leaves_one_span_for_its_oldest_instants() -> None:
    now = START + 10 * MINUTE
    assert plan("skip", due=START, now=now, grace=timedelta(0), **every(MINUTE), limit=4) == Plan(
        START + 11 * MINUTE, on_time=minutes(10), missed=minutes(7, 8, 9), span=(START, START + 6 * MINUTE)
    )


@given(
    policy=st.sampled_from([policy.value for policy in Misfire]),
    step=st.integers(1, 90),
    late=st.integers(0, 4000),
    grace=st.integers(0, 300),
    limit=st.integers(1, 12),
    fire_all_limit=st.integers(1, 5),
    ends=st.none() | st.integers(0, 4000),
)
def test_every_passed_instant_is_in_exactly_one_part(
    policy: str, step: int, late: int, grace: int, limit: int, fire_all_limit: int, ends: int | None
) -> None:
    second = timedelta(seconds=1)
    last = None if ends is None else START + (ends // step) * step * second
    schedule = every(step * second, last=last)
    now = START + late * second
    made = plan(
        policy,
        due=START,
        now=now,
        grace=grace * second,
        limit=limit,
        fire_all_limit=fire_all_limit,
        **schedule,
    )
    passed = []
    instant: datetime | None = START
    while instant is not None and instant <= now:
        passed.append(instant)
        instant = schedule["next_after"](instant)
    in_span = [] if made.span is None else [at for at in passed if made.span[0] <= at <= made.span[1]]
    recorded = [*in_span, *made.coalesced, *made.missed, *made.late, *made.on_time]
    assert sorted(recorded) == passed
    assert made.next_fire_at == instant
    assert made.span is None or made.span[0] in passed and made.span[1] in passed
    assert all(now - at <= grace * second for at in made.on_time)
    assert all(now - at > grace * second for at in (*made.late, *made.missed, *made.coalesced))
    assert len(made.late) <= {"fire_once": 1, "skip": 0, "fire_all": fire_all_limit}[policy]
    assert len(recorded) - len(in_span) <= limit
    if policy == "fire_once":
        assert made.on_time or made.late


@pytest.mark.parametrize("policy", [policy.value for policy in Misfire])
def test_a_year_of_every_second_costs_a_bounded_plan(policy: str) -> None:
    now = START + timedelta(days=365)
    made = plan(policy, due=START, now=now, grace=MINUTE, **every(timedelta(seconds=1)))
    recorded = len(made.on_time) + len(made.late) + len(made.missed) + len(made.coalesced)
    assert (recorded, made.span) == (1000, (START, now - timedelta(seconds=1000)))
