"""Which days are closed, in which zone."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from scheduler.calendars import countries, dates, ical
from scheduler.calendars.days import CalendarDays, Closed, Closure
from scheduler.exceptions import InvalidCalendar
from tests.scheduler.calendars.factories import event, ics

BERLIN = "Europe/Berlin"


def closed(zone: str = "UTC", **rules: object) -> Closed:
    return Closed(zone, lambda: [CalendarDays("ours", ZoneInfo(zone), **rules)])  # type: ignore[arg-type]


def what(days: Closed, day: date) -> str | None:
    closure = days.closure(day)
    return None if closure is None else closure.what


def test_holidays_of_a_country_are_closed_and_named_in_english() -> None:
    days = closed(country="DE")
    assert [what(days, date(2027, month, day)) for month, day in ((10, 3), (10, 4), (5, 1))] == [
        "German Unity Day",
        None,
        "Labor Day",
    ]


def test_a_subdivision_adds_its_own_holidays() -> None:
    corpus_christi = date(2027, 5, 27)
    assert [what(closed(country="DE", subdivision=part), corpus_christi) for part in ("", "BE", "BY")] == [
        None,
        None,
        "Corpus Christi",
    ]


def test_a_day_in_lieu_belongs_to_the_year_in_which_it_lies() -> None:
    assert what(closed(country="US"), date(2027, 12, 31)) == "New Year's Day (observed)"


@pytest.mark.parametrize(
    ("country", "subdivision", "field"), [("XX", "", "country"), ("DE", "XX", "subdivision"), ("", "BY", "subdivision")]
)
def test_what_is_no_country_or_none_of_its_parts_is_refused(country: str, subdivision: str, field: str) -> None:
    with pytest.raises(InvalidCalendar) as refusal:
        countries.check(country, subdivision)
    assert refusal.value.field == field


def test_every_country_on_offer_can_be_asked() -> None:
    for country in list(countries.countries())[::10]:
        for part in ("", *countries.subdivisions(country)[:1]):
            countries.check(country, part)
            assert all(day.year == 2027 for day in countries.holidays_of(country, part, 2027))


def test_the_sources_of_a_calendar_close_days_together() -> None:
    events = ical.read(ics(event(";VALUE=DATE:20270504", name="Audit")), today=date(2027, 1, 1))
    days = closed(country="DE", weekdays=frozenset({5, 6}), dates=dates.read("2027-05-03 Bridge"), events=events)
    assert [(day.day, closure.what) for day, closure in days.coming(date(2027, 5, 1), days=8, limit=99)] == [
        (1, "Labor Day"),
        (2, "Sunday"),
        (3, "Bridge"),
        (4, "Audit"),
        (6, "Ascension Day"),
        (8, "Saturday"),
    ]


def test_an_instant_belongs_to_the_day_that_its_zones_clock_shows() -> None:
    at = datetime(2027, 5, 1, 22, 30, tzinfo=UTC)
    rules = {"dates": dates.read("2027-05-02")}
    found = [closed(zone, **rules).closure_at(at) for zone in ("UTC", BERLIN, "America/New_York")]
    assert found == [None, Closure("ours", ""), None]


def test_a_timed_event_closes_the_days_that_it_touches_in_the_jobs_zone() -> None:
    events = ical.read(ics(event(":20270501T220000Z", "DTEND:20270502T040000Z", name="Move")), today=date(2027, 1, 1))
    by_zone = {
        zone: [day.day for day, _ in closed(zone, events=events).coming(date(2027, 4, 30), days=4, limit=9)]
        for zone in ("UTC", BERLIN, "America/New_York", "Asia/Tokyo")
    }
    assert by_zone == {"UTC": [1, 2], BERLIN: [2], "America/New_York": [1], "Asia/Tokyo": [2]}


def test_an_event_that_ends_at_midnight_leaves_the_next_day_open() -> None:
    events = ical.read(ics(event(":20270501T200000Z", "DTEND:20270501T220000Z")), today=date(2027, 1, 1))
    assert [day.day for day, _ in closed(BERLIN, events=events).coming(date(2027, 5, 1), days=3, limit=9)] == [1]


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        (BERLIN, date(2027, 3, 28), "2027-03-27T23:00", 23),
        (BERLIN, date(2027, 10, 31), "2027-10-30T22:00", 25),
        # The clock skips midnight: the day begins at one.
        ("Africa/Cairo", date(2027, 4, 30), "2027-04-29T22:00", 23),
        # The clock shows the first hour of the day twice.
        ("America/Havana", date(2027, 11, 7), "2027-11-07T04:00", 25),
        # A day that this zone never had.
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00", 0),
        ("Australia/Lord_Howe", date(2027, 4, 4), "2027-04-03T13:00", 24.5),
    ],
)
def test_a_day_lasts_from_midnight_to_midnight_on_the_zones_clock(
    zone: str, day: date, begins: str, hours: float
) -> None:
    days = closed(zone)
    start, end = days.start_of(day), days.start_of(date.fromordinal(day.toordinal() + 1))
    assert (start.isoformat()[:16], (end - start).total_seconds() / 3600) == (begins, hours)
