"""Lanes: threads of a worker that share starts and ends."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from django.db import OperationalError

from scheduler import lanes as module
from scheduler.lanes import Lanes
from tests.waiting import PATIENCE as DEADLINE
from tests.waiting import wait_for


@dataclass
class FakeRun:
    """As much of a run as the lanes look at."""

    execution_id: int
    given_up: bool = False


def lanes_of(
    slots: int,
    *,
    work: Callable[[FakeRun], None] = lambda run: None,
    start: Callable[[Sequence[int]], list[FakeRun]] | None = None,
    hand_on: Callable[[list[int], list[FakeRun]], None] = lambda ids, runs: None,
) -> Lanes:
    """Lanes whose runs do ``work`` and are over at once."""

    def in_lane(run: FakeRun, over: Callable[[], None], replace: Callable[[], None]) -> None:
        work(run)
        over()

    start = start or (lambda ids: [FakeRun(one) for one in ids])
    return Lanes(slots, start=start, work=in_lane, hand_on=hand_on)  # type: ignore[arg-type]


def run_in_thread(lanes: Lanes, ids: Sequence[int]) -> threading.Thread:
    thread = threading.Thread(target=lanes.run, args=(ids,), daemon=True)
    thread.start()
    return thread


def assert_over(*threads: threading.Thread) -> None:
    for thread in threads:
        thread.join(timeout=DEADLINE)
    assert [thread.is_alive() for thread in threads] == [False] * len(threads)


def test_every_execution_of_a_message_is_worked_on_once() -> None:
    done: list[int] = []
    assert_over(run_in_thread(lanes_of(4, work=lambda run: done.append(run.execution_id)), range(100)))
    assert sorted(done) == list(range(100))


def test_a_message_ends_when_none_of_its_executions_is_ours() -> None:
    assert_over(run_in_thread(lanes_of(2, start=lambda ids: []), [1, 2, 3]))


def test_an_empty_message_ends_at_once() -> None:
    assert_over(run_in_thread(lanes_of(2), []))


@pytest.mark.usefixtures("ahead")
def test_the_same_execution_in_two_messages_ends_both() -> None:
    gate = threading.Event()
    entered = threading.Event()

    def work(run: FakeRun) -> None:
        entered.set()
        assert gate.wait(DEADLINE)

    taken: set[int] = set()

    def start(ids: Sequence[int]) -> list[FakeRun]:
        ours = [one for one in ids if one not in taken]
        taken.update(ours)
        return [FakeRun(one) for one in ours]

    lanes = lanes_of(1, work=work, start=start)
    first = run_in_thread(lanes, [1])
    assert entered.wait(DEADLINE)
    # Both wait behind the one lane, and are then taken in one chunk.
    others = [run_in_thread(lanes, [2, 3]), run_in_thread(lanes, [2, 3])]
    wait_for(lambda: len(lanes._pending) == 4, every=0.001, what="both messages")
    gate.set()
    assert_over(first, *others)


def test_lanes_work_beside_each_other() -> None:
    together = threading.Barrier(3)
    assert_over(run_in_thread(lanes_of(3, work=lambda run: (together.wait(DEADLINE), None)[1]), [1, 2, 3]))


def test_work_that_raises_costs_no_lane() -> None:
    done: list[int] = []

    def work(run: FakeRun) -> None:
        if run.execution_id % 2:
            raise ZeroDivisionError
        done.append(run.execution_id)

    lanes = lanes_of(2, work=work)
    assert_over(run_in_thread(lanes, range(10)), run_in_thread(lanes, range(10, 20)))
    assert sorted(done) == list(range(0, 20, 2))


def test_what_was_not_begun_is_given_back_when_drained() -> None:
    gate, entered = threading.Event(), threading.Event()

    def work(run: FakeRun) -> None:
        entered.set()
        assert gate.wait(DEADLINE)

    lanes = lanes_of(1, work=work)
    first = run_in_thread(lanes, [1])
    assert entered.wait(DEADLINE)
    waiting = run_in_thread(lanes, [2, 3])
    wait_for(lambda: len(lanes._pending) == 2)
    drained = lanes.drain()
    assert_over(waiting)
    gate.set()
    assert_over(first)
    assert drained == [2, 3]


def test_a_message_that_comes_after_that_is_given_back_too() -> None:
    done: list[int] = []
    lanes = lanes_of(2, work=lambda run: done.append(run.execution_id))
    assert lanes.run([1]) == []
    lanes.drain()
    assert lanes.run([2, 3]) == [2, 3]
    assert done == [1]


@pytest.mark.parametrize("slots", [1, 8])
def test_many_messages_at_once_all_end(slots: int) -> None:
    lanes = lanes_of(slots)
    assert_over(*(run_in_thread(lanes, range(n, n + 7)) for n in range(0, 200, 7)))


class Handed:
    """What lanes handed on: ids that nobody started, and runs that nobody began."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[int], list[int]]] = []
        self.came = threading.Event()

    def __call__(self, ids: list[int], runs: list[FakeRun]) -> None:
        self.calls.append((ids, [run.execution_id for run in runs]))
        self.came.set()


def test_what_no_lane_begins_in_time_is_handed_on(hold_over: threading.Event) -> None:
    gate, handed = threading.Event(), Handed()
    both, done = threading.Barrier(3), list[int]()

    def work(run: FakeRun) -> None:
        both.wait(DEADLINE)
        assert gate.wait(DEADLINE)
        done.append(run.execution_id)

    lanes = lanes_of(2, work=work, hand_on=handed)
    thread = run_in_thread(lanes, [1, 2, 3, 4])
    both.wait(DEADLINE)
    hold_over.set()
    assert handed.came.wait(DEADLINE)
    assert (handed.calls, thread.is_alive()) == ([([3, 4], [])], True)
    gate.set()
    assert_over(thread)
    assert sorted(done) == [1, 2]


@pytest.mark.usefixtures("ahead")
def test_what_was_started_ahead_and_not_begun_in_time_is_handed_on(hold_over: threading.Event) -> None:
    gate, entered, handed = threading.Event(), threading.Event(), Handed()
    done: list[int] = []

    def work(run: FakeRun) -> None:
        entered.set()
        assert gate.wait(DEADLINE)
        done.append(run.execution_id)

    lanes = lanes_of(1, work=work, hand_on=handed)
    thread = run_in_thread(lanes, range(100))
    assert entered.wait(DEADLINE)
    hold_over.set()
    assert handed.came.wait(DEADLINE)
    gate.set()
    assert_over(thread)
    most = module.MOST_AT_ONCE
    assert (handed.calls, done) == ([(list(range(most, 100)), list(range(1, most)))], [0])


def test_a_handing_on_that_fails_costs_no_message(hold_over: threading.Event) -> None:
    gate, entered, failed = threading.Event(), threading.Event(), threading.Event()

    def work(run: FakeRun) -> None:
        entered.set()
        assert gate.wait(DEADLINE)

    def hand_on(ids: list[int], runs: list[FakeRun]) -> None:
        failed.set()
        raise ZeroDivisionError

    lanes = lanes_of(1, work=work, hand_on=hand_on)
    thread = run_in_thread(lanes, [1, 2])
    assert entered.wait(DEADLINE)
    hold_over.set()
    assert failed.wait(DEADLINE)
    gate.set()
    assert_over(thread)


def test_a_higher_priority_is_begun_before_what_came_earlier() -> None:
    gate, entered, done = threading.Event(), threading.Event(), []

    def work(run: FakeRun) -> None:
        entered.set()
        assert gate.wait(DEADLINE)
        done.append(run.execution_id)

    lanes = lanes_of(1, work=work)
    threads = [run_in_thread(lanes, [1])]
    assert entered.wait(DEADLINE)
    for ids, priority in (((2, 3), 5), ((4,), 9), ((5,), 0)):
        before = len(lanes._pending)
        threads.append(threading.Thread(target=lanes.run, args=(ids,), kwargs={"priority": priority}, daemon=True))
        threads[-1].start()
        wait_for(lambda: len(lanes._pending) > before, every=0.001, what="ids that wait")  # noqa: B023 - called at once
    gate.set()
    assert_over(*threads)
    assert done == [1, 5, 2, 3, 4]


@pytest.mark.usefixtures("ahead")
def test_what_could_not_be_handed_on_is_worked_on_or_handed_on_later(hold_over: threading.Event) -> None:
    gate, entered, again = threading.Event(), threading.Event(), threading.Event()
    done: list[int] = []
    calls: list[tuple[list[int], list[int]]] = []

    def work(run: FakeRun) -> None:
        entered.set()
        assert gate.wait(DEADLINE)
        done.append(run.execution_id)

    def hand_on(ids: list[int], runs: list[FakeRun]) -> None:
        calls.append((ids, [run.execution_id for run in runs]))
        if len(calls) < 3:
            raise OperationalError
        again.set()

    lanes = lanes_of(1, work=work, hand_on=hand_on)
    thread = run_in_thread(lanes, range(100))
    assert entered.wait(DEADLINE)
    hold_over.set()
    assert again.wait(DEADLINE)
    gate.set()
    assert_over(thread)
    most = module.MOST_AT_ONCE
    assert (calls, done) == ([(list(range(most, 100)), list(range(1, most)))] * 3, [0])


def test_a_lane_begins_what_could_not_be_handed_on(hold_over: threading.Event) -> None:
    gate, entered, failed = threading.Event(), threading.Event(), threading.Event()
    done: list[int] = []

    def work(run: FakeRun) -> None:
        entered.set()
        assert gate.wait(DEADLINE)
        done.append(run.execution_id)

    def hand_on(ids: list[int], runs: list[FakeRun]) -> None:
        failed.set()
        raise OperationalError

    lanes = lanes_of(1, work=work, hand_on=hand_on)
    thread = run_in_thread(lanes, [1, 2, 3])
    assert entered.wait(DEADLINE)
    hold_over.set()
    assert failed.wait(DEADLINE)
    gate.set()
    assert_over(thread)
    assert done == [1, 2, 3]


def test_a_lane_is_added_where_the_idle_one_has_a_started_run_to_take() -> None:
    together = threading.Barrier(3)

    def work(run: FakeRun) -> None:
        if run.execution_id >= 1000:
            together.wait(DEADLINE)

    lanes = lanes_of(2, work=work)
    assert_over(run_in_thread(lanes, [1]))
    wait_for(lambda: lanes._idle == 1, every=0.001, what="an idle lane")
    lanes._started.append((FakeRun(1000), module.Errand([1000])))  # type: ignore[arg-type]
    thread = run_in_thread(lanes, [1001])
    together.wait(DEADLINE)
    assert_over(thread)
