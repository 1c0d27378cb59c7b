"""When the database's silence means that nobody's lease could be renewed."""

import pytest

from scheduler import executions
from scheduler.answers import Answers
from scheduler.models import Execution, Status
from tests.scheduler.factories import a_job, started


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def came_at(answers: Answers, hand: Hand, *instants: float) -> list[float]:
    seconds = []
    for instant in instants:
        hand.at = 100.0 + instant
        seconds.append(answers.came())
    return seconds


def test_answers_that_keep_coming_add_up() -> None:
    hand = Hand()
    assert came_at(Answers(longest_gap=3, now=hand), hand, 1, 2, 5, 6.5) == [1, 2, 5, 6.5]


def test_an_answer_that_came_late_begins_anew() -> None:
    hand = Hand()
    assert came_at(Answers(longest_gap=3, now=hand), hand, 1, 2, 5.5, 6.5) == [1, 2, 0, 1]


def test_an_error_begins_anew() -> None:
    hand = Hand()
    answers = Answers(longest_gap=3, now=hand)
    assert came_at(answers, hand, 1, 2) == [1, 2]
    answers.failed()
    assert came_at(answers, hand, 3, 4) == [1, 2]


@pytest.mark.django_db
def test_who_is_not_sure_rescues_nobody() -> None:
    run = started(a_job(max_retries=1))
    Execution.objects.update(lease_until="2020-01-01T00:00:00Z")
    assert executions.rescue(sure=lambda: False) == 0
    assert Execution.objects.get(pk=run.execution_id).status == Status.RUNNING
    assert executions.rescue(sure=lambda: True) == 1
    assert Execution.objects.get(pk=run.execution_id).status == Status.QUEUED
