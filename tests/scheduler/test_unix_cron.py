"""Five-field expressions."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scheduler.quartz import InvalidExpression, InvalidUnixExpression, QuartzExpression
from scheduler.schedule_text import parse_schedule
from scheduler.unix_cron import UnixExpression

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")


def field(low: int, high: int) -> st.SearchStrategy[str]:
    """A field of numbers."""
    number = st.integers(low, high)
    item = st.one_of(
        st.just("*"),
        number.map(str),
        st.tuples(number, number).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.integers(2, high).map(lambda step: f"*/{step}"),
        st.tuples(number, st.integers(2, high)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    )
    return st.lists(item, min_size=1, max_size=3).map(",".join)


texts = st.tuples(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)).map(" ".join)


@settings(max_examples=300)
@given(text=texts, seconds=st.integers(0, 4_000_000_000))
def test_fires_in_utc_are_those_of_croniter(text: str, seconds: int) -> None:
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    expression = UnixExpression.parse(text)
    fire = expression.next_after(instant, UTC_ZONE)
    assume(fire is not None)  # 31 February
    assert fire == croniter(text, instant, ret_type=datetime).get_next()
    before = expression.previous_before(instant, UTC_ZONE)
    assume(before is not None)  # before 1970
    assert before == croniter(text, instant, ret_type=datetime).get_prev()


@pytest.mark.parametrize("text", ["0 9 L * *", "0 9 * * 1#2", "0 9 * * L5", "0 9 1,15 * MON", "0 9 * NOV-FEB FRI-SUN"])
def test_days_beyond_numbers_are_those_of_croniter(text: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    theirs = croniter(text, start, ret_type=datetime)
    expected = [theirs.get_next() for _ in range(60)]
    assert list(UnixExpression.parse(text).between(start, expected[-1], UTC_ZONE)) == expected


def test_clock_changes_are_met_as_by_a_quartz_expression() -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    unix, quartz = UnixExpression.parse("30 2 * * *"), QuartzExpression.parse("0 30 2 * * ?")
    assert list(unix.between(start, end, BERLIN)) == list(quartz.between(start, end, BERLIN))


def test_the_number_of_fields_tells_the_dialect() -> None:
    assert type(parse_schedule("0 9 * * *")) is UnixExpression
    assert type(parse_schedule("0 0 9 * * ?")) is QuartzExpression
    assert type(parse_schedule("0 0 9 * * ? 2030")) is QuartzExpression


@pytest.mark.parametrize("text", ["", "@daily", "* * * *", "* * * * * * * *"])
def test_another_number_of_fields_is_refused(text: str) -> None:
    with pytest.raises(InvalidExpression) as refusal:
        parse_schedule(text)
    assert refusal.value.field == "expression"
    assert "6 to 7 (Quartz" in str(refusal.value)


REFUSED = [
    ("R * * * *", "minute", "R"),
    ("H * * * *", "minute", "H"),
    ("60 * * * *", "minute", "60"),
    ("*/0 * * * *", "minute", "*/0"),
    ("22-4/3 * * * *", "minute", "22-4/3"),
    ("0 24 * * *", "hour", "24"),
    ("0 0 15W * *", "day of month", "15W"),
    ("0 0 2-2 * *", "day of month", "2-2"),
    ("0 0 * 0 *", "month", "0"),
    ("0 0 * jan-3 *", "month", "JAN-3"),
    ("0 0 * * 8", "day of week", "8"),
    ("0 0 * * 1#6", "day of week", "1#6"),
    ("0 0 * * 1#1,3", "day of week", "1#1,3"),
    ("0 0 1 * 5#5", "day of week", "5#5"),
    ("0 0 * * L", "day of week", "L"),
]


@pytest.mark.parametrize(("text", "name", "part"), REFUSED)
def test_a_refusal_names_the_field_and_the_part(text: str, name: str, part: str) -> None:
    with pytest.raises(InvalidUnixExpression) as refusal:
        parse_schedule(text)
    assert (refusal.value.field, refusal.value.text) == (name, part)


def test_a_text_that_never_fires_says_so() -> None:
    assert UnixExpression.parse("0 0 30 2 *").never_fires(datetime(2026, 1, 1, tzinfo=UTC), BERLIN)
