"""What holds for every text, zone and instant."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given, reject, settings

from scheduler.quartz import QuartzExpression
from tests.scheduler.quartz_strategies import Case, cases

thorough = settings(max_examples=200)


def chain(expression: QuartzExpression, start: datetime, zone: ZoneInfo, count: int) -> list[datetime]:
    """The next fires, at most `count`, each asked for from the one before."""
    fires: list[datetime] = []
    instant: datetime | None = start
    while instant is not None and len(fires) < count:
        instant = expression.next_after(instant, zone)
        fires += [instant] if instant is not None else []
    return fires


@thorough
@given(case=cases())
def test_fires_are_those_of_a_calendar_moved_field_by_field(case: Case) -> None:
    expression = QuartzExpression.parse(case.text)
    instant = case.instant
    for _ in range(4):
        expected = case.reference.next_after(instant, case.zone)
        fire = expression.next_after(instant, case.zone)
        if expected is None:
            assert fire is None or fire - instant > timedelta(days=740)
            return
        assert fire == expected
        assert fire.fold == expected.astimezone(UTC).astimezone(case.zone).fold
        instant = fire


@thorough
@given(case=cases())
def test_a_fire_is_strictly_later_and_matches_every_field_on_the_wall(case: Case) -> None:
    instant = case.instant
    fire = QuartzExpression.parse(case.text).next_after(instant, case.zone)
    if fire is None:
        reject()
    assert fire.tzinfo is case.zone
    assert fire.astimezone(UTC) > instant.astimezone(UTC)
    assert fire.astimezone(UTC).astimezone(case.zone).replace(tzinfo=None, fold=0) == fire.replace(tzinfo=None, fold=0)
    assert case.reference.matches(fire.replace(tzinfo=None))


@thorough
@given(case=cases())
def test_the_fire_before_the_next_fire_is_the_fire_one_started_from(case: Case) -> None:
    expression = QuartzExpression.parse(case.text)
    # The first fire found may itself lie in the shadow of where the search began; those after it do not.
    fires = chain(expression, case.instant - timedelta(days=4), case.zone, 6)
    for fire, following in zip(fires[1:], fires[2:], strict=False):
        assert expression.previous_before(following, case.zone) == fire


@thorough
@given(case=cases())
def test_the_fire_before_an_instant_is_the_last_one_of_the_chain_before_it(case: Case) -> None:
    expression = QuartzExpression.parse(case.text)
    instant = case.instant
    previous = expression.previous_before(instant, case.zone)
    if previous is None:
        reject()
    assert previous.astimezone(UTC) < instant.astimezone(UTC)
    following = expression.next_after(previous, case.zone)
    assert following is None or following.astimezone(UTC) >= instant.astimezone(UTC)


@thorough
@given(case=cases())
def test_between_is_next_chained(case: Case) -> None:
    expression = QuartzExpression.parse(case.text)
    start = case.instant
    fires = chain(expression, start, case.zone, 5)
    assume(fires)
    assert list(expression.between(start, fires[-1], case.zone)) == fires
    just_before = fires[-1].astimezone(UTC) - timedelta(microseconds=1)
    assert list(expression.between(start, just_before, case.zone)) == fires[:-1]
    assert list(islice(expression.between(start, datetime(9999, 1, 1, tzinfo=UTC), case.zone), 5)) == fires


@thorough
@given(case=cases())
def test_instants_may_come_in_any_zone_and_as_seconds(case: Case) -> None:
    expression = QuartzExpression.parse(case.text)
    instant = case.instant
    fire = expression.next_after(instant, case.zone)
    assert expression.next_after(instant.astimezone(UTC), case.zone) == fire
    assert expression.next_after(instant.astimezone(ZoneInfo("Asia/Kathmandu")), case.zone) == fire
    seconds = expression.next_after_epoch(int(instant.timestamp() // 1), case.zone)
    assert seconds == (None if fire is None else int(fire.timestamp()))


@pytest.mark.parametrize("name", sorted(available_timezones()))
def test_a_daily_fire_in_each_zone_is_once_a_day_wherever_the_day_has_that_time(name: str) -> None:
    zone = ZoneInfo(name)
    expression = QuartzExpression.parse("0 15 12 * * ?")
    for year in (1970, 1981, 1994, 2011, 2026, 2038, 2099):
        start, end = datetime(year, 1, 1, tzinfo=zone), datetime(year + 1, 1, 1, tzinfo=zone)
        noons = [datetime(year, 1, 1, 12, 15, tzinfo=zone) + timedelta(days=day) for day in range(366)]
        shown = [noon for noon in noons if noon.year == year]
        existing = [noon for noon in shown if noon.astimezone(UTC).astimezone(zone) == noon]
        fires = list(expression.between(start, end, zone))
        # A gap that begins at 23:00 loses the day after it, as in Quartz.
        lost = [noon for noon in existing if noon not in fires]
        assert [fire for fire in fires if fire not in existing] == []
        assert all(gap_at_23(noon, zone) for noon in lost)
        assert len(lost) <= 1


def gap_at_23(noon: datetime, zone: ZoneInfo) -> bool:
    """Whether the zone skips the time from 23:30 on the day before."""
    eve = (noon.replace(tzinfo=None) - timedelta(days=1)).replace(hour=23, minute=30)
    return eve.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != eve
