"""Instants as they travel."""

from datetime import UTC, datetime

from zementis import instants

START = datetime(2026, 11, 22, 13, 28, 23, 78_900, tzinfo=UTC)
END = datetime(2026, 11, 22, 13, 28, 23, 605_100, tzinfo=UTC)


def test_a_duration_is_the_difference_of_the_instants_that_are_shown() -> None:
    assert (instants.shortest(START), instants.shortest(END)) == (
        "2026-11-22T13:28:23.078Z",
        "2026-11-22T13:28:23.605Z",
    )
    assert instants.milliseconds_between(START, END) == 527
