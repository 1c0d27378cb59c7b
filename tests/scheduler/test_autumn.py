"""The repeated hour of autumn: nothing that is due in its second pass is lost, whenever the clock looks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import clock
from scheduler.calendars import dates
from scheduler.calendars.days import CalendarDays, Closed
from scheduler.due import Batch, DueJob, to_datetime, to_microseconds
from scheduler.models import JobChange
from scheduler.schedule import Schedule, zone_of
from scheduler.why import Answer, why
from tests.chaos import checker
from tests.scheduler.factories import MINUTELY, a_job

BERLIN = "Europe/Berlin"
SECONDLY = "* * * * * ?"
# In Berlin 03:00 becomes 02:00 then.
CHANGE = datetime(2027, 10, 31, 1, tzinfo=UTC)
LAST_CHANGE = datetime(2026, 10, 25, 1, tzinfo=UTC)
# Of clocks put back and forward, by an hour and by half an hour, at night and at midnight.
CHANGES = [
    (BERLIN, CHANGE),
    (BERLIN, datetime(2027, 3, 28, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2027, 11, 7, 6, tzinfo=UTC)),
    ("America/Havana", datetime(2027, 11, 7, 5, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2027, 10, 28, 21, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2027, 4, 3, 15, tzinfo=UTC)),
]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def a_due_job(expression: str, *, due: datetime, closed: Closed | None) -> DueJob:
    return DueJob(
        job_pk=1,
        next_fire=to_microseconds(due),
        recompute=False,
        last_number=0,
        open_runs=0,
        entry_id=None,
        expression=expression,
        zone=BERLIN,
        run_at=None,
        starts_at=None,
        ends_at=None,
        misfire="fire_all",
        grace_seconds=0,
        overlap="allow",
        closed=closed,
    )


def with_days(text: str) -> Closed:
    return Closed(BERLIN, lambda: [CalendarDays("ours", zone_of(BERLIN), dates=dates.read(text))])


def next_fire(job: DueJob, *, now: datetime) -> datetime:
    """The job's next fire after a claim at ``now``."""
    batch = Batch()
    batch.add(job, to_microseconds(now))
    [(_, following, _)] = batch.states
    assert following is not None
    return to_datetime(following)


@pytest.mark.parametrize("days", [None, "2027-01-01", "2027-10-31"])
def test_a_claim_within_the_first_pass_leaves_all_of_the_second_due(days: str | None) -> None:
    job = a_due_job(MINUTELY, due=CHANGE - HOUR - 2 * MINUTE, closed=None if days is None else with_days(days))
    assert next_fire(job, now=CHANGE - HOUR + timedelta(minutes=30, seconds=10)) == CHANGE


@pytest.mark.parametrize("days", [None, "2027-01-01"])
def test_so_does_one_after_a_very_long_outage(days: str | None) -> None:
    job = a_due_job(SECONDLY, due=CHANGE - 2 * HOUR, closed=None if days is None else with_days(days))
    assert next_fire(job, now=CHANGE - 29 * MINUTE) == CHANGE


@given(
    expression=st.sampled_from(["0 0/5 * * * ?", "0 0/15 * * * ?", "0 30 2 * * ?", "0 0 3 * * ?", "0 10 1,2 * * ?"]),
    change=st.sampled_from(CHANGES),
    seconds=st.integers(-4 * 3600, 4 * 3600),
)
def test_what_follows_an_instant_is_what_the_chain_of_fires_comes_to(
    expression: str, change: tuple[str, datetime], seconds: int
) -> None:
    zone, at = change
    schedule, now = Schedule(expression, zone), at + timedelta(seconds=seconds)
    # From before the change until a fire that follows for certain.
    chain = list(takewhile(lambda fire: fire <= at + 2 * DAY, fires(schedule, at - DAY / 4)))
    assert schedule.following(now) == next(fire for fire in chain if fire > now)
    assert schedule.fires_at(now) is (now in chain)
    assert all(schedule.fires_at(fire) for fire in chain[:9])


@pytest.mark.parametrize("expression", [MINUTELY, "0 0 2 31 10 ? 2027"])
def test_a_schedule_that_starts_with_the_second_pass_has_all_of_it(expression: str) -> None:
    schedule = Schedule(expression, BERLIN, starts_at=CHANGE)
    assert schedule.next_after(CHANGE - DAY) == CHANGE
    described = {"expression": expression, "zone": BERLIN, "starts_at": CHANGE.isoformat()}
    assert checker.fires(described, CHANGE - DAY, CHANGE + 2 * MINUTE)[0] == CHANGE


def test_the_change_itself_is_due_where_nothing_became_of_it(db: None) -> None:
    job = a_job(expression=MINUTELY, zone=BERLIN, retention_days=3650)
    JobChange.objects.filter(job_id=job.pk).update(at=LAST_CHANGE - DAY)
    assert clock.now() > LAST_CHANGE
    answers = [why(job, instant).answer for instant in (LAST_CHANGE - HOUR, LAST_CHANGE, LAST_CHANGE + MINUTE)]
    assert answers == [Answer.NOT_DUE, Answer.UNKNOWN, Answer.UNKNOWN]


def test_who_resumes_within_the_first_pass_has_what_is_later_on_the_wall(db: None) -> None:
    job = a_job(expression=MINUTELY, zone=BERLIN, retention_days=3650)
    JobChange.objects.filter(job_id=job.pk).update(at=LAST_CHANGE - HOUR / 2)
    answers = [why(job, LAST_CHANGE + minutes * MINUTE).answer for minutes in (0, 30, 31)]
    assert answers == [Answer.NOT_DUE, Answer.NOT_DUE, Answer.UNKNOWN]


def fires(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    fire = schedule.next_after(after)
    while fire is not None:
        yield fire
        fire = schedule.next_after(fire)
