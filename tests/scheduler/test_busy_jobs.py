"""Somebody sits on one job or one run, in the admin or in a shell: the others' ends and leases are none the worse."""

from datetime import timedelta

import pytest

from scheduler import executions, jobs, limits, runner
from scheduler.connections import gave_way
from scheduler.endings import Busy, Ending
from scheduler.job_types import Outcome
from scheduler.models import Execution, Status
from tests.scheduler.factories import a_job, counted, counters, lapse, started
from tests.scheduler.holding import holding, holding_run
from tests.scheduler.scripted import Scripted, a_scripted_job, terminate_all_others
from tests.scheduler.threads import in_thread
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

SUCCESS = Outcome(Status.SUCCEEDED)


def row(execution_id: int) -> Execution:
    return Execution.objects.get(pk=execution_id)


def written(endings: list[Ending]) -> list[bool | None]:
    """What became of each end; None where somebody is in the way."""
    with pytest.raises(Busy) as raised:
        executions.finish_many(endings)
    assert gave_way(raised.value)
    return raised.value.written


def test_ends_of_other_jobs_are_written_while_somebody_holds_one() -> None:
    busy, free = a_job(), a_job()
    runs = [started(busy), started(free)]
    endings = [Ending(run, SUCCESS) for run in runs]
    with holding(busy):
        assert in_thread(lambda: written(endings)).result() == [None, True]
        assert [row(run.execution_id).status for run in runs] == [Status.RUNNING, Status.SUCCEEDED]
    assert executions.finish_many(endings[:1]) == [True]
    assert counters(busy) == counted(busy) == counters(free) == (0, 1, 1, 0, 0)


def test_ends_are_written_while_somebody_holds_the_row_of_another_run() -> None:
    job = a_job(overlap="allow")
    runs = [started(job) for _ in range(3)]
    endings = [Ending(run, SUCCESS) for run in runs]
    with holding_run(runs[1].execution_id):
        assert in_thread(lambda: written(endings)).result() == [True, None, True]
    assert executions.finish_many(endings[1:2]) == [True]
    assert counters(job) == counted(job) == (0, 3, 3, 0, 0)


def test_an_end_beside_one_of_a_busy_job_is_refused_where_its_own_job_was_deleted() -> None:
    busy, deleted = a_job(), a_job()
    runs = [started(busy), started(deleted)]
    jobs.delete(deleted, by="tester")
    endings = [Ending(run, SUCCESS) for run in runs]
    with holding(busy):
        assert in_thread(lambda: written(endings)).result() == [None, False]


def test_one_end_waits_for_whoever_holds_its_job() -> None:
    job = a_job()
    run = started(job)
    with holding(job):
        ending = in_thread(lambda: executions.finish(run, SUCCESS))
        ending.join(0.8)
        assert ending.is_alive()
    assert ending.result() is True
    assert counters(job) == (0, 1, 1, 0, 0)


def test_a_worker_goes_on_ending_runs_while_somebody_holds_a_job_of_it(scripted: Scripted) -> None:
    lanes = runner.lanes(2)
    scripted.work = lambda arguments, context: SUCCESS
    busy, free = a_scripted_job(), a_scripted_job(overlap="allow")
    stuck = jobs.run_now(busy, by="tester")
    with holding(busy):
        waiting = in_thread(lambda: lanes.run([stuck.pk]))
        wait_for(lambda: row(stuck.pk).status == Status.RUNNING, what="the run of the job that is held")
        for _ in range(3):
            in_thread(lambda: lanes.run([jobs.run_now(free, by="tester").pk])).result()
        assert counters(free) == (0, 3, 3, 0, 0)
        assert (row(stuck.pk).status, waiting.is_alive()) == (Status.RUNNING, True)
    waiting.result()
    assert (row(stuck.pk).status, counters(busy)) == (Status.SUCCEEDED, (0, 1, 1, 0, 0))
    terminate_all_others()


def test_leases_are_renewed_while_somebody_holds_the_row_of_one_run() -> None:
    job = a_job(overlap="allow")
    runs = [started(job) for _ in range(3)]
    for run in runs:
        lapse(run.execution_id)
    before = [row(run.execution_id).lease_until for run in runs]
    held = [(run.execution_id, run.token, None, None) for run in runs]
    with holding_run(runs[1].execution_id):
        renewed = in_thread(lambda: executions.renew(held)).result()
    assert renewed == [
        executions.Renewal(runs[0].execution_id, cancel_requested=False),
        executions.Renewal(runs[1].execution_id, cancel_requested=False, locked=True),
        executions.Renewal(runs[2].execution_id, cancel_requested=False),
    ]
    after = [row(run.execution_id).lease_until for run in runs]
    moved = [now - then > timedelta(seconds=5) for now, then in zip(after, before, strict=True) if now and then]
    assert moved == [True, False, True]


def test_a_run_that_was_taken_away_is_not_mistaken_for_one_that_somebody_holds() -> None:
    job = a_job(overlap="allow")
    lost, kept = started(job), started(job)
    with holding_run(lost.execution_id):
        renewed = executions.renew(
            [(lost.execution_id, lost.token + 1, None, None), (kept.execution_id, kept.token, None, None)]
        )
    assert renewed == [executions.Renewal(kept.execution_id, cancel_requested=False)]


def test_lost_runs_are_rescued_while_somebody_holds_the_row_of_another() -> None:
    job = a_job(overlap="allow")
    runs = [started(job) for _ in range(2)]
    for run in runs:
        lapse(run.execution_id)
    with holding_run(runs[0].execution_id):
        assert in_thread(executions.rescue).result() == 1
    assert [row(run.execution_id).status for run in runs] == [Status.RUNNING, Status.FAILED]
    assert executions.rescue() == 1


def test_runs_are_started_while_somebody_holds_the_job_of_one_that_expired() -> None:
    busy, free = a_job(expires_seconds=60), a_job()
    late, run = jobs.run_now(busy, by="tester"), jobs.run_now(free, by="tester")
    Execution.objects.filter(pk=late.pk).update(scheduled_for=late.scheduled_for - timedelta(seconds=61))
    with holding(busy):
        begun = in_thread(lambda: executions.start([late.pk, run.pk], worker="w")).result()
    assert isinstance(begun, list)
    assert [one.execution_id for one in begun] == [run.pk]
    assert row(late.pk).status == Status.QUEUED
    assert (executions.start([late.pk], worker="w"), row(late.pk).status) == ([], Status.SKIPPED)


def test_runs_are_started_while_somebody_holds_the_row_of_another() -> None:
    job = a_job(overlap="allow")
    held, free = jobs.run_now(job, by="tester"), jobs.run_now(job, by="tester")
    with holding_run(held.pk):
        begun = in_thread(lambda: executions.start([held.pk, free.pk], worker="w")).result()
    assert isinstance(begun, list)
    assert [run.execution_id for run in begun] == [free.pk]
    assert [run.execution_id for run in executions.start([held.pk, free.pk], worker="w")] == [held.pk]


def test_runs_under_a_limit_are_started_while_somebody_holds_the_row_of_another() -> None:
    limits.set_limit("slow", 5)
    job = a_job(overlap="allow", concurrency_key="slow")
    held, free = jobs.run_now(job, by="tester"), jobs.run_now(job, by="tester")
    with holding_run(held.pk):
        begun = in_thread(lambda: executions.start([held.pk, free.pk], worker="w")).result()
    assert isinstance(begun, list)
    assert [run.execution_id for run in begun] == [free.pk]
    assert [run.execution_id for run in executions.start([held.pk], worker="w")] == [held.pk]
