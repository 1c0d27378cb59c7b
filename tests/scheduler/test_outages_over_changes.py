"""Outages over a change of the clocks and a closed day: each instant has one record, as policy and calendar say."""

from datetime import UTC, date, datetime, timedelta

import pytest

from scheduler import claims
from scheduler.models import Execution, Reason, Status, Trigger
from scheduler.schedule import Schedule, zone_of
from scheduler.why import Answer, why
from tests.scheduler.calendars.factories import a_calendar
from tests.scheduler.database_clock import told_clock
from tests.scheduler.factories import a_job, state

pytestmark = pytest.mark.django_db

HALF_HOURLY = "0 0/30 * * * ?"
BERLIN = "Europe/Berlin"
MISFIRE, SCHEDULE = Trigger.MISFIRE, Trigger.SCHEDULE


@pytest.mark.parametrize("late", [20, 90])
@pytest.mark.parametrize("misfire", ["fire_once", "skip", "fire_all"])
@pytest.mark.parametrize(("began", "closed"), [("2031-10-25T12:10", "2031-10-26"), ("2031-03-29T12:10", "2031-03-29")])
def test_each_instant_has_one_record_as_policy_and_calendar_say(
    began: str, closed: str, misfire: str, late: int
) -> None:
    start = datetime.fromisoformat(began).replace(tzinfo=UTC)
    # So many seconds after an instant, the grace being 60.
    over = start + timedelta(days=1, hours=21, minutes=20, seconds=late)
    schedule = Schedule(expression=HALF_HOURLY, zone=BERLIN)
    with told_clock() as tell:
        tell(start)
        calendar = a_calendar(dates=closed)
        job = a_job(schedule=schedule, misfire=misfire, overlap="allow", calendars=[calendar.pk])
        tell(over)
        claims.claim(limit=10)
        fires, fire = [], schedule.next_after(start)
        while fire is not None and fire <= over:
            fires.append(fire)
            fire = schedule.next_after(fire)
        shut = [fire for fire in fires if str(schedule_day(fire)) == closed]
        found = {
            row.scheduled_for: (row.trigger, row.reason if row.status == Status.SKIPPED else "runs")
            for row in Execution.objects.of(job)
        }
        on_time = [fire for fire in fires if over - fire <= timedelta(seconds=60)]
        passed = [fire for fire in fires if fire not in shut and fire not in on_time]
        runs_late, becomes = (int(MISFIRE), "runs"), {"fire_once": Reason.COALESCED, "skip": Reason.MISSED}
        expected: dict[datetime, tuple[int, str | None]] = dict.fromkeys(shut, (int(SCHEDULE), Reason.CALENDAR.value))
        expected |= dict.fromkeys(on_time, (int(SCHEDULE), "runs"))
        expected |= dict.fromkeys(
            passed, runs_late if misfire == "fire_all" else (int(SCHEDULE), becomes[misfire].value)
        )
        if misfire == "fire_once" and not on_time:
            expected[passed[-1]] = runs_late
        assert (found, len(on_time)) == (expected, int(late < 60))
        assert (len(shut), state(job).next_fire_at) == (len(set(shut)), schedule.next_after(fires[-1]))
        assert {why(job, fire).answer for fire in shut[-2:]} == {Answer.SKIPPED}
        answers = {Answer.QUEUED, Answer.COALESCED} if misfire == "fire_once" else {Answer.QUEUED, Answer.MISSED}
        assert {why(job, fire).answer for fire in passed[-2:]} <= answers


def schedule_day(instant: datetime) -> date:
    return instant.astimezone(zone_of(BERLIN)).date()
