"""Days as somebody types them."""

from datetime import date, timedelta

import pytest

from scheduler.calendars import dates
from scheduler.exceptions import InvalidCalendar


def named(text: str, first: date, days: int) -> dict[str, str]:
    """The days among ``days`` from ``first`` on that the text closes."""
    found = dates.read(text)
    around = [first + timedelta(days=offset) for offset in range(days)]
    return {day.isoformat(): name for day in around if (name := found.name(day)) is not None}


def test_single_days_ranges_and_days_of_every_year_have_names() -> None:
    text = "# ours\n2027-05-14 Outing\n\n2027-05-16..2027-05-17\n05-20 Foundation day\n"
    assert named(text, date(2027, 5, 1), 31) == {
        "2027-05-14": "Outing",
        "2027-05-16": "",
        "2027-05-17": "",
        "2027-05-20": "Foundation day",
    }
    assert named(text, date(2028, 5, 1), 31) == {"2028-05-20": "Foundation day"}


def test_a_range_of_every_year_goes_across_its_turn() -> None:
    assert named("12-30..01-02 Rest", date(2027, 12, 28), 8) == dict.fromkeys(
        ("2027-12-30", "2027-12-31", "2028-01-01", "2028-01-02"), "Rest"
    )


def test_29_february_of_every_year_is_in_leap_years_alone() -> None:
    assert [named("02-29", date(year, 2, 27), 4) for year in (2027, 2028, 2100)] == [{}, {"2028-02-29": ""}, {}]


def test_a_range_of_every_year_around_29_february_closes_it_where_there_is_one() -> None:
    assert list(named("02-28..03-01", date(2028, 2, 27), 5)) == ["2028-02-28", "2028-02-29", "2028-03-01"]
    assert list(named("02-28..03-01", date(2027, 2, 27), 5)) == ["2027-02-28", "2027-03-01"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("2027-02-29", "2027-02-29 is not a day"),
        ("02-30", "02-30 is not a day"),
        ("13-01", "13-01 is not a day"),
        ("2027-05-02..2027-05-01", "the range ends before it begins"),
        ("2027-01-01..2028-01-02", "a range has at most 366 days"),
        ("2027-05-01..05-02", "a range has a year at both ends or at none"),
        ("tomorrow", "write a day as 2027-05-14, one of every year as 12-24, a range as 2027-12-24..2027-12-31"),
        ("2027-05-01x", "write a day as 2027-05-14, one of every year as 12-24, a range as 2027-12-24..2027-12-31"),
        ("0000-05-01", "0000-05-01 is not a day"),
        ("2027-05-01 " + "x" * 200, "write a day as 2027-05-14, one of every year as 12-24, a range as"),
    ],
)
def test_what_is_no_day_is_refused_with_its_line(line: str, problem: str) -> None:
    with pytest.raises(InvalidCalendar) as refusal:
        dates.read(f"05-01\n{line}")
    assert (refusal.value.field, refusal.value.problem.startswith(f"line 2: {problem}")) == ("dates", True)


def test_more_lines_than_a_person_types_are_refused() -> None:
    with pytest.raises(InvalidCalendar):
        dates.read("05-01\n" * 1001)
