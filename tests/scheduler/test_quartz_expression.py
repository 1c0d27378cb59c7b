"""QuartzExpression as a value, and the texts it refuses."""

import copy
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from scheduler.quartz import MAX_LENGTH, InvalidQuartzExpression, QuartzExpression

UTC_ZONE = ZoneInfo("UTC")
NEW_YORK = ZoneInfo("America/New_York")


def test_case_and_spacing_make_no_difference() -> None:
    spaced = QuartzExpression.parse(" 0  0\t9 ? * mon-Fri ")
    assert spaced == QuartzExpression.parse("0 0 9 ? * MON-FRI")
    assert hash(spaced) == hash(QuartzExpression.parse("0 0 9 ? * MON-FRI"))
    assert str(spaced) == "0 0 9 ? * MON-FRI"
    assert repr(spaced) == "QuartzExpression(text='0 0 9 ? * MON-FRI')"


def test_parsing_the_same_text_twice_gives_the_same_object() -> None:
    assert QuartzExpression.parse("0 0 9 ? * MON-FRI") is QuartzExpression.parse("0 0 9 ? * MON-FRI")


def test_an_expression_cannot_be_changed() -> None:
    expression = QuartzExpression.parse("0 0 9 * * ?")
    with pytest.raises(AttributeError):
        expression.text = "0 0 10 * * ?"  # type: ignore[misc]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])  # noqa: S301 - ours
def test_an_expression_can_be_copied_and_pickled(duplicate: object) -> None:
    expression = QuartzExpression.parse("0 0 9 15W * ?")
    assert callable(duplicate)
    twin = duplicate(expression)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert twin == expression
    assert twin.next_after(start, NEW_YORK) == expression.next_after(start, NEW_YORK)


def test_a_refusal_can_be_pickled() -> None:
    with pytest.raises(InvalidQuartzExpression) as refusal:
        QuartzExpression.parse("0 0 25 * * ?")
    twin = pickle.loads(pickle.dumps(refusal.value))  # noqa: S301 - bytes of this test's own making
    assert (type(twin), str(twin), twin.field) == (InvalidQuartzExpression, str(refusal.value), "hour")


REFUSED = [
    ("60 0 0 * * ?", "second", "60"),
    ("0 5x * * * ?", "minute", "5X"),
    ("0 */60 * * * ?", "minute", "*/60"),
    ("0 1-5x * * * ?", "minute", "1-5X"),
    ("0 5, * * * ?", "minute", ""),
    ("0 0 24 * * ?", "hour", "24"),
    ("0 0 L * * ?", "hour", "L"),
    ("0 0 0/24 * * ?", "hour", "0/24"),
    ("0 0 0 0 * ?", "day of month", "0"),
    ("0 0 0 32W * ?", "day of month", "32W"),
    ("0 0 0 L-31 * ?", "day of month", "L-31"),
    ("0 0 0 1-15W * ?", "day of month", "1-15W"),
    ("0 0 0 1,? * ?", "day of month", "?"),
    ("0 0 0 1 13 ?", "month", "13"),
    ("0 0 0 1 JANUARY ?", "month", "JANUARY"),
    ("0 0 0 1 1-FEB ?", "month", "1-FEB"),
    ("0 0 0 ? * 0", "day of week", "0"),
    ("0 0 0 ? * MON-5", "day of week", "MON-5"),
    ("0 0 0 ? * MON#6", "day of week", "MON#6"),
    ("0 0 0 ? * MON#1,FRI#3", "day of week", "MON#1"),
    ("0 0 0 ? * 2L,6L", "day of week", "2L"),
    ("0 0 0 ? * 1/8", "day of week", "1/8"),
    ("0 0 0 1 1 ? 25", "year", "25"),
    ("0 0 0 1 1 ? 2030-2020", "year", "2030-2020"),
    ("0 0 0 1 1 ? JAN", "year", "JAN"),
    ("0 0 0 * * *", "expression", "0 0 0 * * *"),
    ("0 0 0 ? * ?", "expression", "0 0 0 ? * ?"),
    ("0 0 0 * *", "expression", "0 0 0 * *"),
    ("", "expression", ""),
    ("0 0 0 * * ? * *", "expression", "0 0 0 * * ? * *"),
    ("0 0 0 * * ?\n", "expression", "0 0 0 * * ?\n"),
    ("0 0 0 * * ?\x00", "expression", "0 0 0 * * ?\x00"),
    ("0 0 0 1 ma\u0131 ?", "expression", "0 0 0 1 ma\u0131 ?"),
    ("\u0661 0 0 * * ?", "expression", "\u0661 0 0 * * ?"),
]


@pytest.mark.parametrize(("text", "field", "part"), REFUSED)
def test_a_refusal_names_the_field_the_part_and_what_is_allowed(text: str, field: str, part: str) -> None:
    with pytest.raises(InvalidQuartzExpression) as refusal:
        QuartzExpression.parse(text)
    assert (refusal.value.field, refusal.value.text) == (field, part)
    assert str(refusal.value) == f"{field}: {part!r} {refusal.value.problem}; allowed: {refusal.value.allowed}."


def test_a_refusal_reads_as_one_sentence() -> None:
    with pytest.raises(InvalidQuartzExpression) as refusal:
        QuartzExpression.parse("0 0 8-25 * * ?")
    assert str(refusal.value) == (
        "hour: '8-25' is out of range 0-23; "
        "allowed: 0-23, * , lists (1,2), ranges (8-18, 22-2), steps up to 23 (*/2, 8-18/3)."
    )


def test_a_long_text_is_refused_and_shortened_in_the_refusal() -> None:
    with pytest.raises(InvalidQuartzExpression) as refusal:
        QuartzExpression.parse("1," * 500_000)
    assert refusal.value.problem == "is 1000000 characters long"
    assert refusal.value.allowed == f"at most {MAX_LENGTH} characters"
    assert len(refusal.value.text) == 60


def test_every_value_of_every_field_can_be_written_out() -> None:
    sixty, hours = ",".join(map(str, range(60))), ",".join(map(str, range(24)))
    days, months = ",".join(map(str, range(1, 32))), "JAN,FEB,MAR,APR,MAY,JUN,JUL,AUG,SEP,OCT,NOV,DEC"
    written = QuartzExpression.parse(f"{sixty} {sixty} {hours} {days} {months} ? 2026,2027,2028")
    start = datetime(2026, 5, 5, 5, 5, 5, tzinfo=UTC)
    assert written.next_after(start, UTC_ZONE) == datetime(2026, 5, 5, 5, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "0 0 0 30 2 ?",
        "0 0 0 31W 2,4,6,9,11 ?",
        "0 0 0 L-30 2,4,6,9,11 ?",
        "0 0 0 ? 2 SUN#5 2026,2027,2029",
        "0 0 0 1 1 ? 2025",
        "0 0 0 1 1 ? 1950",
        "0 0 2 ? 3 SUN#2",
    ],
)
def test_a_text_that_never_fires_is_read_and_says_so(text: str) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert QuartzExpression.parse(text).next_after(now, NEW_YORK) is None
    assert QuartzExpression.parse(text).never_fires(now, NEW_YORK)
    assert list(QuartzExpression.parse(text).between(now, datetime(9000, 1, 1, tzinfo=UTC), NEW_YORK)) == []


def test_a_naive_instant_is_refused() -> None:
    expression = QuartzExpression.parse("0 0 9 * * ?")
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - what is tested
    with pytest.raises(ValueError, match="aware"):
        expression.next_after(naive, NEW_YORK)
    with pytest.raises(ValueError, match="aware"):
        expression.previous_before(naive, NEW_YORK)
    with pytest.raises(ValueError, match="aware"):
        list(expression.between(naive, naive, NEW_YORK))


def test_the_ends_of_time_are_answered() -> None:
    expression = QuartzExpression.parse("0 0 9 * * ?")
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert expression.next_after(first, UTC_ZONE) == datetime(1970, 1, 1, 9, tzinfo=UTC)
    assert expression.previous_before(first, UTC_ZONE) is None
    assert expression.next_after(last, UTC_ZONE) is None
    assert expression.previous_before(last, UTC_ZONE) == datetime(2149, 12, 31, 9, tzinfo=UTC)


def test_a_fraction_of_a_second_counts() -> None:
    expression = QuartzExpression.parse("* * * * * ?")
    instant = datetime(2026, 1, 1, 0, 0, 5, 500_000, tzinfo=UTC)
    assert expression.next_after(instant, UTC_ZONE) == datetime(2026, 1, 1, 0, 0, 6, tzinfo=UTC)
    assert expression.previous_before(instant, UTC_ZONE) == datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)


def test_a_time_in_the_gap_is_lost_for_that_day() -> None:
    fires = QuartzExpression.parse("0 30 2 * * ?").between(
        datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 3, 10, tzinfo=UTC), NEW_YORK
    )
    assert [fire.isoformat() for fire in fires] == ["2026-03-07T02:30:00-05:00", "2026-03-09T02:30:00-04:00"]


def test_a_time_shown_twice_fires_the_second_time() -> None:
    fires = QuartzExpression.parse("0 0/30 1-2 * * ?").between(
        datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC), NEW_YORK
    )
    assert [fire.isoformat() for fire in fires] == [
        "2026-11-01T01:00:00-05:00",
        "2026-11-01T01:30:00-05:00",
        "2026-11-01T02:00:00-05:00",
        "2026-11-01T02:30:00-05:00",
    ]


def test_the_standard_library_is_enough() -> None:
    root = Path(__file__).parents[2]
    # -S leaves installed packages out.
    code = f"import sys; sys.path.insert(0, {str(root)!r}); import scheduler.quartz"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
