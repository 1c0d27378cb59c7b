"""The database's time as beats keep it for entries of the user's own, on hosts whose clock is set."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine

from scheduler.stock import LONGEST_ROUND_TRIP_SECONDS, DatabaseTime
from tests.waiting import PATIENCE

INSTANT = datetime(2026, 11, 22, 9, tzinfo=UTC)


def told(answered_after: float = 0.0) -> DatabaseTime:
    """One that has just been told that it is nine."""
    database = DatabaseTime()
    now = time.monotonic()
    database.set(INSTANT, asked=now, answered=now + answered_after)
    return database


@pytest.mark.parametrize("step", [timedelta(minutes=5), timedelta(minutes=-5)])
def test_it_goes_on_evenly_where_the_host_s_clock_is_set(step: timedelta) -> None:
    database = told()
    with time_machine.travel(datetime.now(UTC) + step):
        shown = [database.of(datetime.now(zone)) for zone in (UTC, ZoneInfo("Asia/Tokyo"))]
        naive = database.of(datetime.now(UTC).replace(tzinfo=None))
    assert [instant.utcoffset() for instant in shown] == [timedelta(0), timedelta(hours=9)]
    for instant in (*shown, naive.replace(tzinfo=UTC)):
        assert timedelta(0) <= instant - INSTANT < timedelta(seconds=PATIENCE)


def test_an_answer_that_took_long_says_too_little() -> None:
    host = datetime.now(UTC)
    assert told(answered_after=LONGEST_ROUND_TRIP_SECONDS + 0.1).of(host) == host
