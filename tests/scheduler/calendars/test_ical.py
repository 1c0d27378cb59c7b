"""iCal files: their events up to the horizon, and what is refused."""

from datetime import UTC, date, datetime

import pytest

from scheduler.calendars import ical
from scheduler.exceptions import InvalidCalendar
from tests.scheduler.calendars.factories import event, ics

TODAY = date(2026, 11, 22)


def read(*events: str, head: str = "") -> ical.Events:
    return ical.read(ics(*events, head=head), today=TODAY)


def days(*events: str) -> list[str]:
    return [day.isoformat() for day in sorted(read(*events).days)]


def spans(*events: str, head: str = "") -> list[tuple[str, str]]:
    found = sorted(read(*events, head=head).spans)
    return [tuple(datetime.fromtimestamp(end, UTC).isoformat()[:16] for end in span[:2]) for span in found]  # type: ignore[misc]


def test_an_event_of_a_day_closes_it_and_keeps_its_name() -> None:
    found = read(event(";VALUE=DATE:20270501", name="Labour\\, day"))
    assert (found.days, found.spans, found.until) == ({date(2027, 5, 1): "Labour, day"}, [], date(2036, 12, 31))


def test_an_event_of_days_closes_all_but_its_end() -> None:
    assert days(event(";VALUE=DATE:20270501", "DTEND;VALUE=DATE:20270503")) == ["2027-05-01", "2027-05-02"]


def test_an_event_at_a_time_is_a_span_of_instants() -> None:
    assert spans(event(":20270501T220000Z", "DTEND:20270502T040000Z"), event(":20270601T220000Z", "DURATION:PT2H")) == [
        ("2027-05-01T22:00", "2027-05-02T04:00"),
        ("2027-06-01T22:00", "2027-06-02T00:00"),
    ]


def test_an_event_in_a_zone_follows_its_clock_over_a_change() -> None:
    weekly = event(";TZID=Europe/Berlin:20270321T120000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=2")
    assert spans(weekly) == [("2027-03-21T11:00", "2027-03-21T12:00"), ("2027-03-28T10:00", "2027-03-28T11:00")]


def test_a_zone_of_the_files_own_is_read() -> None:
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Office\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0300\r\n"
        "TZOFFSETTO:+0300\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    assert spans(event(";TZID=Office:20270501T000000", "DURATION:PT1H"), head=zone) == [
        ("2027-04-30T21:00", "2027-04-30T22:00")
    ]


def test_an_event_at_a_time_of_no_zone_closes_days_wherever_the_job_is() -> None:
    assert days(event(":20270501T220000", "DTEND:20270502T000000")) == ["2027-05-01"]
    assert days(event(":20270501T220000", "DTEND:20270502T000001")) == ["2027-05-01", "2027-05-02"]


def test_a_yearly_event_is_worked_out_up_to_the_horizon_without_its_exceptions() -> None:
    found = days(event(";VALUE=DATE:20001225", "RRULE:FREQ=YEARLY", "EXDATE;VALUE=DATE:20281225"))
    assert found == [f"{year}-12-25" for year in range(2025, 2037) if year != 2028]


def test_a_yearly_29_february_is_in_leap_years_alone() -> None:
    assert days(event(";VALUE=DATE:20000229", "RRULE:FREQ=YEARLY")) == ["2028-02-29", "2032-02-29", "2036-02-29"]


def test_one_of_a_series_that_was_moved_or_cancelled_is() -> None:
    series = event(";VALUE=DATE:20270501", "RRULE:FREQ=DAILY;COUNT=3")
    moved = "UID:0\r\nRECURRENCE-ID;VALUE=DATE:20270502\r\nDTSTART;VALUE=DATE:20270510\r\nSUMMARY:moved"
    cancelled = "UID:0\r\nRECURRENCE-ID;VALUE=DATE:20270503\r\nDTSTART;VALUE=DATE:20270503\r\nSTATUS:CANCELLED"
    text = ics(series, moved, cancelled).replace("UID:1\r\n", "").replace("UID:2\r\n", "")
    found = ical.read(text, today=TODAY)
    assert sorted(found.days.items()) == [(date(2027, 5, 1), "closed"), (date(2027, 5, 10), "moved")]


def test_events_come_back_from_json_as_they_went() -> None:
    found = read(event(";VALUE=DATE:20270501"), event(":20270501T220000Z", "DURATION:PT1H"))
    assert (ical.Events.of(found.as_json()), ical.Events.of({}).days) == (found, {})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hello", "is no iCal file"),
        ("BEGIN:VCALENDAR\r\nhello", "cannot be read"),
        (ics("SUMMARY:when?"), "has an event without a start"),
        (ics(event(":20270501T000000Z", "RRULE:FREQ=SECONDLY")), "repeats an event within a day"),
        (ics(event(":20270501T000000Z", "RRULE:FREQ=SEC\r\n ONDLY")), "repeats an event within a day"),
        (ics(event(":20270501T000000Z", "RRULE:FREQ=DAILY;BYMINUTE=0,1,2")), "repeats an event within a day"),
        (ics(event(";VALUE=DATE:20270501", "RRULE:FREQ=DAILY;INTERVAL=0")), "has a rule of repetition that is not"),
        (ics(event(";VALUE=DATE:20270501", "RRULE:FREQ=DAILY;BYMONTHDAY=31")), "has a rule of repetition that is not"),
        (ics(event(";VALUE=DATE:15000501", "RRULE:FREQ=DAILY")), "has a repeated event that begins before 1970"),
        (ics(event(";VALUE=DATE:20270501", *["RRULE:FREQ=YEARLY"] * 6)), "has an event with more than 5 rules"),
        (ics(*[event(";VALUE=DATE:20270501")] * 2001), "has more than 2000 events"),
        (ics(event(";VALUE=DATE:20270501", "DTEND;VALUE=DATE:20290501")), "has an event of more than 366 days"),
        (ics(event(";VALUE=DATE:20270501", name="x" * (1 << 20))), "has more than 1024 KiB"),
        (ics(event(";VALUE=DATE:99999999")), "cannot be read"),
    ],
)
def test_what_cannot_be_worked_out_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidCalendar) as refusal:
        ical.read(text, today=TODAY)
    assert (refusal.value.field, refusal.value.problem[: len(problem) + 9]) == ("ical", f"the file {problem}")


def test_a_file_that_closes_too_many_days_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ical, "MOST_DAYS", 10)
    assert len(days(event(";VALUE=DATE:20270501", "RRULE:FREQ=DAILY;COUNT=10"))) == 10
    with pytest.raises(InvalidCalendar) as refusal:
        read(event(";VALUE=DATE:20270501", "RRULE:FREQ=DAILY;COUNT=11"))
    assert refusal.value.problem == "the file closes more than 10 days up to 2036-12-31"


def test_a_file_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ical, "MOST_SECONDS", -1.0)
    with pytest.raises(InvalidCalendar, match="takes too long to work out"):
        read(event(";VALUE=DATE:20270501"))
