"""What is due on closed days and what is not."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scheduler.calendars import dates
from scheduler.calendars.days import CalendarDays, Closed
from scheduler.calendars.fires import DueFires
from scheduler.schedule import Schedule, zone_of

HOURLY = "0 30 * * * ?"
TICK = timedelta(microseconds=1)


def due_fires(expression: str, zone: str, text: str, due: datetime, now: datetime) -> tuple[DueFires, Schedule, Closed]:
    schedule = Schedule(expression, zone)
    closed = Closed(zone, lambda: [CalendarDays("ours", zone_of(zone), dates=dates.read(text))])
    return DueFires(schedule, closed, due=due, now=now), schedule, closed


def at(day: int, hour: int, minute: int = 30, month: int = 5) -> datetime:
    return datetime(2027, month, day, hour, minute, tzinfo=UTC)


def open_ones(fires: DueFires, now: datetime) -> list[datetime]:
    found, fire = [], fires.first_open()
    while fire is not None and fire <= now:
        found.append(fire)
        fire = fires.next_after(fire)
    return found


@given(
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "America/Havana"]),
    begin=st.integers(0, 334 * 24 * 60).map(
        lambda minutes: datetime(2027, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    hours=st.integers(0, 90),
    closed_days=st.sets(st.integers(0, 5)),
    expression=st.sampled_from([HOURLY, "0 0 0/3 * * ?", "0 15,45 2 * * ?"]),
)
def test_every_due_instant_is_either_open_or_closed_by_its_own_day(
    zone: str, begin: datetime, hours: int, closed_days: set[int], expression: str
) -> None:
    first = Schedule(expression, zone).next_after(begin)
    assert first is not None
    now = first + timedelta(hours=hours)
    text = "\n".join((first.date() + timedelta(days=offset)).isoformat() for offset in closed_days)
    fires, schedule, closed = due_fires(expression, zone, text, first, now)
    instants, instant = [], schedule.next_after(first - TICK)
    while instant is not None and instant <= now:
        instants.append(instant)
        instant = schedule.next_after(instant)
    expected = [one for one in instants if closed.closure_at(one) is not None]
    assert (fires.closed(), open_ones(fires, now)) == (
        [(one, None) for one in expected],
        [one for one in instants if one not in expected],
    )
    backwards: list[datetime] = []
    earlier = fires.previous_before(now + TICK)
    while earlier is not None and earlier >= first:
        backwards.insert(0, earlier)
        earlier = fires.previous_before(earlier)
    assert backwards == open_ones(fires, now)


def test_the_closed_day_of_a_clock_change_has_its_23_or_25_fires() -> None:
    counts = []
    for day in (date(2027, 3, 28), date(2027, 10, 31)):
        begin = datetime(day.year, day.month, day.day, tzinfo=zone_of("Europe/Berlin"))
        due = Schedule(HOURLY, "Europe/Berlin").next_after(begin.astimezone(UTC) - TICK)
        assert due is not None
        fires, _, _ = due_fires(HOURLY, "Europe/Berlin", day.isoformat(), due, due + timedelta(hours=30))
        counts.append(len(fires.closed()))
    # Quartz passes over the hour that is missing and fires once in the one shown twice.
    assert counts == [23, 24]


def test_many_closed_instants_are_told_day_by_day() -> None:
    first, now = at(1, 0, 0), at(4, 12, 0)
    fires, _, _ = due_fires("0 * * * * ?", "UTC", "2027-05-01..2027-05-02\n2027-05-04", first, now)
    assert fires.closed() == [(at(1, 0, 0), at(1, 23, 59)), (at(2, 0, 0), at(2, 23, 59)), (at(4, 0, 0), at(4, 12, 0))]


def test_an_outage_of_years_ends_in_a_bounded_number_of_rows() -> None:
    first, now = datetime(2025, 1, 1, tzinfo=UTC), at(1, 0, 0)
    fires, _, _ = due_fires("0 * * * * ?", "UTC", "01-01..12-31", first, now)
    found = fires.closed()
    assert (len(found), found[0][0], found[-1]) == (401, first, (at(1, 0, 0), None))
    assert fires.first_open() is None


def test_a_single_instant_on_a_closed_day_is_closed() -> None:
    due = at(1, 3)
    closed = Closed("UTC", lambda: [CalendarDays("ours", zone_of("UTC"), dates=dates.read("05-01"))])
    fires = DueFires(Schedule(run_at=due), closed, due=due, now=due + timedelta(hours=30))
    assert (fires.closed(), fires.first_open()) == ([(due, None)], None)
