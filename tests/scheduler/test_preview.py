"""Previews of schedules."""

from datetime import UTC, datetime
from typing import Any

import pytest

from scheduler.preview import MAX_COUNT, PreviewedFire, SchedulePreview, preview, upcoming
from scheduler.schedule import Schedule

SATURDAY_BEFORE_SPRING = datetime(2026, 3, 7, tzinfo=UTC)
SATURDAY_BEFORE_WINTER = datetime(2026, 10, 31, tzinfo=UTC)


def lines(seen: SchedulePreview) -> list[tuple[str | None, str, str | None]]:
    """The fires as text."""
    return [(fire.utc.isoformat() if fire.utc else None, fire.local.isoformat(), fire.note) for fire in seen.fires]


def test_the_next_fires_are_listed_with_both_clocks() -> None:
    seen = preview("0 0 9 ? * MON-FRI", "Europe/Berlin", 2, now=SATURDAY_BEFORE_SPRING)
    assert (seen.valid, seen.reason, seen.description) == (True, "", "At 09:00, on Monday through Friday")
    assert lines(seen) == [
        ("2026-03-09T08:00:00+00:00", "2026-03-09T09:00:00+01:00", None),
        ("2026-03-10T08:00:00+00:00", "2026-03-10T09:00:00+01:00", None),
    ]


def test_a_time_in_the_gap_is_marked_lost_and_does_not_count() -> None:
    assert lines(preview("0 30 2 * * ?", "America/New_York", 2, now=SATURDAY_BEFORE_SPRING)) == [
        ("2026-03-07T07:30:00+00:00", "2026-03-07T02:30:00-05:00", None),
        (None, "2026-03-08T02:30:00", "lost"),
        ("2026-03-09T06:30:00+00:00", "2026-03-09T02:30:00-04:00", None),
    ]


def test_a_time_shown_twice_is_marked() -> None:
    assert lines(preview("0 30 1 * * ?", "America/New_York", 2, now=SATURDAY_BEFORE_WINTER)) == [
        ("2026-10-31T05:30:00+00:00", "2026-10-31T01:30:00-04:00", None),
        ("2026-11-01T06:30:00+00:00", "2026-11-01T01:30:00-05:00", "second_pass"),
    ]


def test_times_passed_over_after_a_gap_are_marked_lost() -> None:
    seen = preview("0 0 12 * * ?", "America/Nuuk", 2, now=datetime(2027, 3, 27, tzinfo=UTC))
    assert lines(seen) == [
        ("2027-03-27T14:00:00+00:00", "2027-03-27T12:00:00-02:00", None),
        ("2027-03-28T13:00:00+00:00", "2027-03-28T12:00:00-01:00", None),
    ]
    seen = preview("0 0 23 * * ?", "America/Nuuk", 2, now=datetime(2027, 3, 27, tzinfo=UTC))
    assert lines(seen) == [
        ("2027-03-27T01:00:00+00:00", "2027-03-26T23:00:00-02:00", None),
        (None, "2027-03-27T23:00:00", "lost"),
        (None, "2027-03-28T23:00:00", "lost"),
        ("2027-03-30T00:00:00+00:00", "2027-03-29T23:00:00-01:00", None),
    ]


def test_a_second_by_second_text_lists_no_more_lost_times_than_were_asked_for() -> None:
    seen = preview("* * 2 * * ?", "America/New_York", 3, now=datetime(2026, 3, 8, 6, tzinfo=UTC))
    assert [fire.note for fire in seen.fires] == ["lost"] * 3 + [None] * 3


def test_a_text_that_never_fires_is_valid_with_a_reason() -> None:
    seen = preview("0 0 0 30 2 ?", "UTC", 5, now=SATURDAY_BEFORE_SPRING)
    reason = "it never fires after 2026-03-07 00:00:00 UTC"
    assert seen == SchedulePreview(True, reason, "At 00:00, on day 30 of the month, in February", ())
    assert seen.never_fires


def test_a_text_lost_in_the_gap_each_year_never_fires() -> None:
    seen = preview("0 0 2 ? 3 SUN#2", "America/New_York", 1, now=SATURDAY_BEFORE_WINTER)
    assert seen.fires == (PreviewedFire(None, datetime(2027, 3, 14, 2), seen.fires[0].note),)  # noqa: DTZ001
    assert seen.never_fires


def test_a_text_that_cannot_be_read_is_told_why() -> None:
    seen = preview("0 0 25 * * ?", "UTC", 5, now=SATURDAY_BEFORE_SPRING)
    assert (seen.valid, seen.description, seen.fires) == (False, "", ())
    assert seen.reason.startswith("hour: '25' is out of range 0-23; allowed: ")


@pytest.mark.parametrize("count", [0, -1, MAX_COUNT + 1])
def test_a_count_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="count must be between 1 and 100"):
        preview("* * * * *", "UTC", count, now=SATURDAY_BEFORE_SPRING)


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "America", "x" * 1000, "a\x00b"]
)
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone"):
        preview("* * * * *", name, 1, now=SATURDAY_BEFORE_SPRING)


@pytest.mark.parametrize(
    ("zone", "bounds", "there"),
    [
        ("Asia/Tokyo", {"ends_at": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)}, 1),
        ("Asia/Tokyo", {"starts_at": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)}, 0),
        ("America/New_York", {"ends_at": datetime(1, 1, 1, tzinfo=UTC)}, 0),
    ],
)
def test_bounds_at_the_edge_of_time_are_bounds_in_any_zone(zone: str, bounds: dict[str, Any], there: int) -> None:
    schedule = Schedule("0 0 12 * * ?", zone, **bounds)
    assert len(list(upcoming(schedule, 1, after=SATURDAY_BEFORE_SPRING))) == there
