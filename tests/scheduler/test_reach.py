"""Where old snapshots keep what is over in the index, beats look back no further than they must, and miss nothing."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from unittest.mock import patch

import pytest
from django.db import connection

from scheduler import claims, reach
from scheduler.models import Execution
from scheduler.reach import (
    EVERYTHING_SECONDS,
    LONGEST_APART_SECONDS,
    LONGEST_UNKNOWN_SECONDS,
    MARGIN_SECONDS,
    MOST_HELD,
    SLOW_SECONDS,
    Reach,
)
from tests.scheduler.beats import a_beat, prepared
from tests.scheduler.factories import YEARLY, a_job, due, state
from tests.scheduler.holding import a_snapshot, holding
from tests.waiting import PATIENCE


def slow_reach() -> Reach:
    """A reach of which a look from the beginning was slow a moment ago, and saw everything."""
    found = Reach()
    look = found.look()
    found.looked(look, took=LONGEST_APART_SECONDS)
    found.saw_all(look)
    return found


def test_the_first_look_goes_back_to_the_beginning() -> None:
    assert Reach().seconds() == EVERYTHING_SECONDS


def test_looks_go_back_to_the_beginning_as_long_as_that_is_quick() -> None:
    found = Reach()
    look = found.look()
    found.looked(look, took=SLOW_SECONDS / 2)
    found.saw_all(look)
    assert (found.seconds(), found.held()) == (EVERYTHING_SECONDS, None)


def test_after_a_slow_look_the_next_ones_begin_where_the_last_began_that_saw_everything() -> None:
    found = slow_reach()
    assert MARGIN_SECONDS <= found.seconds() < LONGEST_APART_SECONDS + MARGIN_SECONDS


def test_a_look_that_is_slow_with_the_pause_after_it_is_slow() -> None:
    found = Reach()
    look = found.look()
    found.looked(look, took=SLOW_SECONDS * 0.6)
    found.saw_all(look)
    before = found.seconds()
    found.looked(look, took=LONGEST_APART_SECONDS)
    assert (before, found.seconds() < EVERYTHING_SECONDS) == (EVERYTHING_SECONDS, True)


def test_after_a_slow_look_that_left_something_the_next_ones_begin_at_the_beginning() -> None:
    found = Reach()
    found.looked(found.look(), took=LONGEST_APART_SECONDS)
    assert found.seconds() == EVERYTHING_SECONDS


@pytest.mark.parametrize(("saw_all", "apart"), [(True, LONGEST_APART_SECONDS), (False, LONGEST_UNKNOWN_SECONDS)])
def test_from_time_to_time_a_look_begins_at_the_beginning(saw_all: bool, apart: float) -> None:
    found = slow_reach()
    found.look_everywhere()
    look = found.look()
    look.began = time.monotonic() - apart
    found.looked(look, took=10.0)
    if saw_all:
        found.saw_all(look)
    assert found.seconds() == EVERYTHING_SECONDS


def test_a_change_of_a_job_lets_the_next_look_begin_at_the_beginning() -> None:
    found = slow_reach()
    found.look_everywhere()
    assert found.seconds() == EVERYTHING_SECONDS


@pytest.mark.parametrize(
    ("step", "took", "everything"),
    [(MARGIN_SECONDS, 0.1, True), (MARGIN_SECONDS, 3.0, False), (0.0, 0.1, False), (-300.0, 0.1, False)],
)
def test_a_step_of_the_database_s_clock_lets_the_next_look_begin_at_the_beginning(
    monkeypatch: pytest.MonkeyPatch, step: float, took: float, everything: bool
) -> None:
    found = slow_reach()
    monkeypatch.setattr("scheduler.reach.time.monotonic", lambda: 1000.0)
    found._whole_at, found._seen_at = 1005.0, 999.0
    found.told(5000.0, took=0.0)
    found.told(5000.0 + step, took=took)
    assert (found.seconds() == EVERYTHING_SECONDS) == everything


def test_a_look_that_began_before_a_change_does_not_stand_for_the_one_after_it() -> None:
    found = slow_reach()
    look = found.look()
    look.back = EVERYTHING_SECONDS
    found.look_everywhere()
    found.looked(look, took=LONGEST_APART_SECONDS)
    found.saw_all(look)
    assert found.seconds() == EVERYTHING_SECONDS


def test_what_two_claimers_know_of_others_is_kept_together() -> None:
    found = slow_reach()
    older, newer = found.look(), found.look()
    found.saw_all(newer, asked=(), held=(1, 2))
    found.saw_all(older, asked=(), held=(3,))
    together = found.look().held
    found.saw_all(found.look(), asked=(1, 3), held=(3,))
    assert (sorted(together), sorted(found.look().held)) == ([1, 2, 3], [2, 3])


def test_where_more_are_held_than_are_remembered_the_first_free_one_lets_a_look_begin_at_the_beginning() -> None:
    few, many = slow_reach(), slow_reach()
    for found, held in ((few, range(10)), (many, range(MOST_HELD + 1))):
        found.saw_all(found.look(), held=held)
        found.freed(found.look())
    assert (few.seconds() < EVERYTHING_SECONDS, many.seconds()) == (True, EVERYTHING_SECONDS)


@pytest.mark.django_db
def test_once_looks_are_quick_again_nothing_that_others_held_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "SLOW_SECONDS", PATIENCE)
    with prepared() as claimer:
        claimer.reach = slow_reach()
        claimer.reach.saw_all(claimer.reach.look(), held=(1, 2))
        claimer.reach.look_everywhere()
        claimer.claim()
        assert claimer.reach.look().held == ()


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
def test_beside_an_old_snapshot_what_another_beat_held_is_claimed_by_the_next_look_after_its_death() -> None:
    over, dead = a_job(expression=YEARLY), [a_job(expression=YEARLY) for _ in range(3)]
    with a_snapshot(), prepared() as claimer:
        for job in dead:
            due(job, seconds_ago=400)
        for seconds in range(300, 0, -1):
            due(over, seconds_ago=seconds)
        with ExitStack() as other_beat:
            for job in dead:
                other_beat.enter_context(holding(job))
            claimer.reach = slow_reach()
            claimer.reach.look_everywhere()
            # Slow, as it would be beside a thousand times as many.
            with patch.object(reach, "SLOW_SECONDS", 0.0):
                assert claimer.claim() == 1
            claimer.reach._whole_at = time.monotonic() + PATIENCE
            waiting = [entries_read(claimer.claim) for _ in range(3)]
            fired = Execution.objects.count()
        freed = entries_read(claimer.claim)
    assert (fired, Execution.objects.count()) == (1, 4)
    assert max(*waiting, freed) < 30, (waiting, freed)


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
