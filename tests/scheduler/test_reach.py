"""Where old snapshots keep what is over in the index, beats look back no further than they must, and miss nothing."""

import time
from collections.abc import Callable

import pytest
from django.db import connection

from scheduler import claims, reach
from scheduler.models import Execution
from scheduler.reach import EVERYTHING_SECONDS, LONGEST_APART_SECONDS, MARGIN_SECONDS, SLOW_SECONDS, Reach
from tests.scheduler.beats import a_beat, prepared
from tests.scheduler.factories import YEARLY, a_job, due, state
from tests.scheduler.holding import a_snapshot


def slow_reach() -> Reach:
    """A reach of which a look from the beginning was slow a moment ago, and saw everything."""
    found = Reach()
    now = time.monotonic()
    found.looked(EVERYTHING_SECONDS, began=now, took=LONGEST_APART_SECONDS)
    found.saw_all(now)
    return found


def test_the_first_look_goes_back_to_the_beginning() -> None:
    assert Reach().seconds() == EVERYTHING_SECONDS


def test_looks_go_back_to_the_beginning_as_long_as_that_is_quick() -> None:
    found = Reach()
    now = time.monotonic()
    found.looked(EVERYTHING_SECONDS, began=now, took=SLOW_SECONDS / 2)
    found.saw_all(now)
    assert found.seconds() == EVERYTHING_SECONDS


def test_after_a_slow_look_the_next_ones_begin_where_the_last_began_that_saw_everything() -> None:
    found = slow_reach()
    assert MARGIN_SECONDS <= found.seconds() < LONGEST_APART_SECONDS + MARGIN_SECONDS


def test_after_a_slow_look_that_left_something_the_next_ones_begin_at_the_beginning() -> None:
    found = Reach()
    found.looked(EVERYTHING_SECONDS, began=time.monotonic(), took=LONGEST_APART_SECONDS)
    assert found.seconds() == EVERYTHING_SECONDS


def test_from_time_to_time_a_look_begins_at_the_beginning() -> None:
    found = Reach()
    before = time.monotonic() - LONGEST_APART_SECONDS
    found.looked(EVERYTHING_SECONDS, began=before, took=10.0)
    found.saw_all(before)
    assert found.seconds() == EVERYTHING_SECONDS


def test_a_change_of_a_job_lets_the_next_look_begin_at_the_beginning() -> None:
    found = slow_reach()
    found.look_everywhere()
    assert found.seconds() == EVERYTHING_SECONDS


@pytest.mark.django_db
def test_a_look_that_does_not_go_back_far_leaves_what_is_older() -> None:
    old, young = a_job(expression=YEARLY), a_job(expression=YEARLY)
    due(old, seconds_ago=100)
    due(young, seconds_ago=5)
    claims.claim(limit=10, back=50.0)
    assert list(Execution.objects.values_list("job_id", flat=True)) == [young.pk]


@pytest.mark.django_db
def test_a_claim_that_was_cut_short_has_not_seen_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "MOST_ROWS", 1)
    monkeypatch.setattr(reach, "SLOW_SECONDS", 0.0)
    jobs = [a_job(expression=YEARLY) for _ in range(3)]
    for job in jobs:
        due(job, seconds_ago=100)
    with prepared() as claimer:
        assert claims.claim(limit=10).left == 2
        claimer.claim()
    assert claimer.reach.seconds() == EVERYTHING_SECONDS


def entries_read(look: Callable[[], object]) -> int:
    """How many entries of the index of what is due a look walks over."""

    def read() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")
            cursor.execute("SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'jobstate_due'")
            return int(cursor.fetchone()[0])

    before = read()
    look()
    return read() - before


@pytest.mark.django_db(transaction=True)
def test_beside_an_old_snapshot_a_look_that_knows_where_to_begin_does_not_walk_over_what_is_over() -> None:
    job = a_job(expression=YEARLY)
    with a_snapshot(), prepared():
        for seconds in range(300, 0, -1):
            due(job, seconds_ago=seconds)
        claims.claim(limit=10)
        everywhere = entries_read(lambda: claims.claim(limit=10))
        near = entries_read(lambda: claims.claim(limit=10, back=MARGIN_SECONDS))
    assert everywhere >= 300 > 30 > near, (everywhere, near)


@pytest.mark.django_db(transaction=True)
def test_what_is_older_than_the_reach_runs_once_a_job_is_changed_or_the_time_for_it_has_come() -> None:
    job, found = a_job(expression=YEARLY), slow_reach()
    with a_beat() as beat:
        beat._reach = beat._claimer.reach = found
        # As if a beat that died had held it.
        due(job, seconds_ago=100)
        assert beat._claimer.claim() == 0
        beat._reach.look_everywhere()
        assert beat._claimer.claim() == 1
    assert state(job).last_number == 1
