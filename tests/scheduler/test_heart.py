"""The heart of a worker process: attempts of one run are told apart, and none dies of what another meets."""

from datetime import timedelta

import pytest

from scheduler import clock, executions, jobs, runner
from scheduler.models import Execution
from scheduler.run import Run, Stop
from tests.scheduler.scripted import Scripted, a_scripted_job
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def two_attempts() -> tuple[Run, Run]:
    """The same run as this process started it twice: its first attempt lost its lease meanwhile."""
    execution = jobs.run_now(a_scripted_job(max_retries=1), by="tester")
    [first] = executions.start([execution.pk], worker="w")
    Execution.objects.filter(pk=execution.pk).update(lease_until=clock.now() - timedelta(seconds=1))
    assert executions.rescue() == 1
    [second] = executions.start([execution.pk], worker="w")
    return Run(first), Run(second)


def test_the_end_of_an_old_attempt_lets_go_of_itself_only(scripted: Scripted) -> None:
    first, second = two_attempts()
    runner.heart.hold(first)
    runner.heart.hold(second)
    runner.heart.drop(first)
    held = runner.heart.held
    runner.heart.drop(second)
    assert (held, runner.heart.held) == ([second], [])


@pytest.mark.parametrize("later_first", [False, True])
def test_an_old_attempt_is_told_that_it_is_lost_and_the_new_one_goes_on(scripted: Scripted, later_first: bool) -> None:
    first, second = two_attempts()
    before = second.last_renewed
    for run in (second, first) if later_first else (first, second):
        runner.heart.hold(run)
    wait_for(lambda: first.stop_reason is not None, what="the old attempt told to stop")
    wait_for(lambda: second.last_renewed > before, what="a renewal of the new attempt")
    wait_for(lambda: first not in runner.heart.held, what="the old attempt abandoned")
    held = runner.heart.held
    runner.heart.drop(second)
    assert (first.stop_reason, second.stop_reason, held) == (Stop.LOST, None, [second])
