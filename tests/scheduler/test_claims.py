"""Claims: every due instant becomes one row, and job, entry and execution agree."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from unittest.mock import patch

import pytest
from django.db import connection
from django_celery_beat.models import PeriodicTask

from scheduler import claims, clock, executions, jobs, metrics
from scheduler.job_types import Outcome
from scheduler.models import Execution, Job, JobChange, JobState, Reason, Status, Trigger
from scheduler.schedule import Schedule
from tests.scheduler.factories import MINUTELY, YEARLY, a_job, counted, counters, due, started, state

pytestmark = pytest.mark.django_db

SECONDLY = "* * * * * ?"
T = TypeVar("T")


def claimed() -> claims.Claimed:
    return claims.claim(limit=100)


def rows(job: Job) -> list[tuple[Any, ...]]:
    """What became of the job's instants: instant, last instant of a span, status, reason, trigger, number."""
    return list(
        Execution.objects.of(job)
        .order_by("scheduled_for")
        .values_list("scheduled_for", "until", "status", "reason", "trigger", "number")
    )


def ran(instant: datetime, number: int, *, trigger: Trigger = Trigger.SCHEDULE) -> tuple[Any, ...]:
    return (instant, None, Status.QUEUED, None, trigger, number)


def skipped(
    instant: datetime, reason: Reason, *, until: datetime | None = None, trigger: Trigger = Trigger.SCHEDULE
) -> tuple[Any, ...]:
    return (instant, until, Status.SKIPPED, reason, trigger, None)


def counting(act: Callable[[], T]) -> tuple[T, dict[str, float]]:
    """What ``act`` returns, and what it counted of instants."""
    before = metrics._local.take()
    with patch("scheduler.metrics.transaction") as transaction:
        transaction.on_commit = lambda count: count()
        made = act()
    counted = metrics._local.take()
    metrics._local.put_back(before)
    of_instants = (metrics.DUE.name, metrics.CLAIMED.name, metrics.SKIPPED.name)
    return made, {name: series.value for (name, _, _), series in counted.items() if name in of_instants}


def test_a_due_job_gets_a_queued_run_a_next_fire_and_a_hint() -> None:
    job = a_job(expression=MINUTELY, queue="slow", priority=2, headers={"x": "y"})
    at = due(job)
    made = claimed()
    [execution] = Execution.objects.all()
    assert made.jobs == 1
    assert [(hint.execution_id, hint.queue, hint.priority, hint.headers) for hint in made.hints] == [
        (execution.pk, "slow", 2, '{"x": "y"}')
    ]
    assert rows(job) == [ran(at, 1)]
    assert (execution.frequency, execution.queue, execution.priority) == (MINUTELY, "slow", 2)
    assert (execution.ready_at, execution.publish_at) == (clock.now(), clock.now() + timedelta(seconds=3))
    following = (at + timedelta(minutes=1)).replace(second=0)
    assert (state(job).next_fire_at, state(job).open_runs, state(job).last_number) == (following, 1, 1)


def test_the_entry_of_a_job_says_when_it_ran_and_when_it_will() -> None:
    job = a_job(expression=MINUTELY)
    due(job)
    claimed()
    entry = PeriodicTask.objects.select_related("clocked").get(job_state__job=job)
    assert (entry.enabled, entry.last_run_at, entry.total_run_count, entry.clocked.clocked_time) == (
        True,
        clock.now(),
        1,
        state(job).next_fire_at,
    )


def test_what_is_not_due_is_left_alone() -> None:
    job = a_job(expression=YEARLY)
    made = claimed()
    assert (made.hints, made.jobs, made.left, rows(job)) == ((), 0, 0, [])


def test_a_claim_takes_the_longest_due_first_up_to_its_limit() -> None:
    late, later, latest = a_job(), a_job(), a_job()
    due(late, seconds_ago=1)
    due(latest, seconds_ago=3)
    due(later, seconds_ago=2)
    assert claims.claim(limit=2).jobs == 2
    assert (len(rows(latest)), len(rows(later)), len(rows(late))) == (1, 1, 0)


def test_an_instant_that_has_its_row_is_not_fired_again() -> None:
    job = a_job(expression=MINUTELY, overlap="allow")
    at = due(job)
    claimed()
    JobState.objects.filter(job=job).update(next_fire_at=at)
    assert claimed().hints == ()
    assert (rows(job), counters(job)) == ([ran(at, 1)], counted(job))


def test_an_instant_that_has_its_row_is_counted_and_decided_about_once() -> None:
    """As after the database's clock was set back and the job was edited."""
    job, other = a_job(overlap="replace"), a_job()
    at = due(job, seconds_ago=5)
    claimed()
    run = executions.start([Execution.objects.get().pk], worker="worker-1")[0]
    due(job, seconds_ago=5)
    due(other)
    made, counts = counting(claimed)
    assert (rows(job)[0][:3], len(rows(other)), len(made.hints)) == ((at, None, Status.RUNNING), 1, 1)
    assert (Execution.objects.get(pk=run.execution_id).cancel_requested, state(job).last_number) == (False, 1)
    assert (state(job).open_runs, PeriodicTask.objects.get(job_state__job=job).total_run_count) == (1, 1)
    assert counts == {metrics.DUE.name: 1.0, metrics.CLAIMED.name: 1.0}


def test_an_edit_s_own_claim_counts_what_has_its_row_no_more_than_a_beat_s() -> None:
    job = a_job(expression=MINUTELY)
    due(job, seconds_ago=5)
    claimed()
    due(job, seconds_ago=5)
    _, counts = counting(lambda: jobs.update(job, {"name": "another"}, by="tester"))
    assert (state(job).last_number, counts) == (1, {})


def test_a_job_of_one_instant_fires_once_and_its_entry_is_over() -> None:
    at = clock.now() + timedelta(hours=1)
    job = a_job(schedule=Schedule(run_at=at))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scheduler_job SET run_at = now() - interval '1 second'")
        cursor.execute("UPDATE scheduler_jobstate SET next_fire_at = now() - interval '1 second'")
    claimed()
    claimed()
    assert rows(job) == [ran(clock.now() - timedelta(seconds=1), 1)]
    assert (state(job).next_fire_at, PeriodicTask.objects.get(job_state__job=job).enabled) == (None, False)
    assert Job.objects.get(pk=job.pk).active


@pytest.mark.parametrize(
    ("misfire", "what"),
    [
        ("fire_once", lambda at: ran(at, 1, trigger=Trigger.MISFIRE)),
        ("fire_all", lambda at: ran(at, 1, trigger=Trigger.MISFIRE)),
        ("skip", lambda at: skipped(at, Reason.MISSED)),
    ],
)
def test_a_job_of_one_instant_long_past_is_settled_once_by_its_policy(misfire: str, what: Any) -> None:
    job = a_job(schedule=Schedule(run_at=clock.now() + timedelta(hours=1)), misfire=misfire)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scheduler_job SET run_at = now() - interval '400 days'")
        cursor.execute("UPDATE scheduler_jobstate SET next_fire_at = now() - interval '400 days'")
    claimed()
    claimed()
    assert rows(job) == [what(clock.now() - timedelta(days=400))]
    assert state(job).next_fire_at is None


def minutely_due(job: Job, minutes: int) -> list[datetime]:
    """Let ``job``, which fires each minute, be due since that many minutes; return its instants since then."""
    last = clock.now().replace(second=0, microsecond=0)
    instants = [last - timedelta(minutes=back) for back in range(minutes, -1, -1)]
    JobState.objects.filter(job=job).update(next_fire_at=instants[0])
    return instants


def test_fire_once_runs_once_after_an_outage_and_records_the_rest_as_coalesced() -> None:
    job = a_job(expression=MINUTELY, misfire="fire_once", misfire_grace_seconds=0)
    *late, newest = minutely_due(job, 5)
    claimed()
    assert rows(job) == [
        *(skipped(at, Reason.COALESCED) for at in late),
        ran(newest, 1, trigger=Trigger.MISFIRE),
    ]
    assert state(job).next_fire_at == newest + timedelta(minutes=1)


def test_skip_runs_nothing_late_and_records_it_as_missed() -> None:
    job = a_job(expression=MINUTELY, misfire="skip", misfire_grace_seconds=0)
    instants = minutely_due(job, 5)
    assert claimed().hints == ()
    assert rows(job) == [skipped(at, Reason.MISSED) for at in instants]


def test_fire_all_runs_everything_where_overlap_is_allowed() -> None:
    job = a_job(expression=MINUTELY, misfire="fire_all", misfire_grace_seconds=0, overlap="allow")
    instants = minutely_due(job, 3)
    assert len(claimed().hints) == 4
    assert rows(job) == [ran(at, number, trigger=Trigger.MISFIRE) for number, at in enumerate(instants, 1)]
    assert counters(job) == counted(job) == (4, 0, 0, 0, 0)


def test_fire_all_under_skip_runs_the_first_and_records_the_others() -> None:
    job = a_job(expression=MINUTELY, misfire="fire_all", misfire_grace_seconds=0, overlap="skip")
    first, *others = minutely_due(job, 2)
    claimed()
    assert rows(job) == [
        ran(first, 1, trigger=Trigger.MISFIRE),
        *(skipped(at, Reason.OVERLAP, trigger=Trigger.MISFIRE) for at in others),
    ]


def test_fire_all_under_queue_lets_one_wait() -> None:
    job = a_job(expression=MINUTELY, misfire="fire_all", misfire_grace_seconds=0, overlap="queue")
    first, second, *others = minutely_due(job, 3)
    assert len(claimed().hints) == 1
    assert rows(job) == [
        ran(first, 1, trigger=Trigger.MISFIRE),
        ran(second, 2, trigger=Trigger.MISFIRE),
        *(skipped(at, Reason.OVERLAP, trigger=Trigger.MISFIRE) for at in others),
    ]
    assert [row.ready_at is None for row in Execution.objects.filter(status=0).order_by("number")] == [False, True]


@pytest.mark.parametrize(
    ("misfire", "reason", "newest"),
    [
        ("fire_once", Reason.COALESCED, Status.QUEUED),
        ("skip", Reason.MISSED, Status.SKIPPED),
        ("fire_all", Reason.MISSED, Status.QUEUED),
    ],
)
def test_a_long_outage_of_a_job_of_every_second_ends_in_a_bounded_number_of_rows(
    misfire: str, reason: Reason, newest: Status
) -> None:
    job = a_job(expression=SECONDLY, misfire=misfire, misfire_grace_seconds=0, overlap="allow")
    first = clock.now().replace(microsecond=0) - timedelta(days=30)
    JobState.objects.filter(job=job).update(next_fire_at=first)
    claimed()
    found = rows(job)
    assert (len(found), found[0]) == (1001, skipped(first, reason, until=found[1][0] - timedelta(seconds=1)))
    instants = [row[0] for row in found[1:]]
    assert instants == [instants[0] + timedelta(seconds=place) for place in range(1000)]
    assert found[-2][2] in (newest, Status.SKIPPED)
    assert state(job).next_fire_at == instants[-1] + timedelta(seconds=1)
    assert counters(job) == counted(job)


def test_a_claim_after_a_long_outage_writes_a_bounded_number_of_rows_and_later_ones_the_rest() -> None:
    late = [a_job(expression=MINUTELY, misfire="skip") for _ in range(12)]
    JobState.objects.update(next_fire_at=clock.now() - timedelta(days=2))
    written: list[int] = []
    while claims.claim(limit=100).jobs:
        written.append(Execution.objects.count() - sum(written))
    assert (len(written), max(written) < claims.MOST_ROWS + 1002, sum(written)) == (3, True, 12 * 1001)
    assert not JobState.objects.filter(next_fire_at__lte=clock.now()).exists()
    assert {len(rows(job)) for job in late} == {1001}


def test_a_claim_that_takes_long_leaves_the_rest_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = a_job(), a_job()
    due(first, seconds_ago=2)
    at = due(second, seconds_ago=1)
    monkeypatch.setattr(claims, "MOST_SECONDS", 0.0)
    assert (claimed().jobs, len(rows(first)), rows(second), state(second).next_fire_at) == (2, 1, [], at)
    assert (claimed().jobs, rows(second)) == (1, [ran(at, 1)])


def test_a_fire_beside_an_open_run_is_skipped_and_says_why() -> None:
    job = a_job(expression=MINUTELY, overlap="skip")
    started(job)
    at = due(job)
    assert claimed().hints == ()
    assert skipped(at, Reason.OVERLAP) in rows(job)
    assert counters(job) == counted(job) == (1, 0, 0, 0, 0)


def test_a_fire_beside_an_open_run_runs_where_overlap_is_allowed() -> None:
    job = a_job(expression=MINUTELY, overlap="allow")
    started(job)
    at = due(job)
    assert len(claimed().hints) == 1
    assert ran(at, 2) in rows(job)


def test_a_fire_beside_an_open_run_waits_under_queue_and_a_second_one_is_skipped() -> None:
    job = a_job(expression=MINUTELY, overlap="queue")
    run = started(job)
    first = due(job, seconds_ago=2)
    assert claimed().hints == ()
    second = due(job, seconds_ago=1)
    claimed()
    assert ran(first, 2) in rows(job)
    assert skipped(second, Reason.OVERLAP) in rows(job)
    executions.finish(run, Outcome(Status.SUCCEEDED))
    assert Execution.objects.get(scheduled_for=first).ready_at is not None


def test_a_fire_beside_a_running_run_replaces_it() -> None:
    job = a_job(expression=MINUTELY, overlap="replace")
    run = started(job)
    at = due(job)
    assert claimed().hints == ()
    assert executions.renew([(run.execution_id, run.token, None, None)]) == [
        executions.Renewal(run.execution_id, cancel_requested=True)
    ]
    assert Execution.objects.get(scheduled_for=at).ready_at is None
    executions.finish(run, Outcome(Status.CANCELLED))
    assert Execution.objects.get(scheduled_for=at).ready_at is not None
    assert counters(job) == counted(job) == (1, 1, 0, 0, 1)


def test_a_fire_beside_a_queued_run_replaces_it_at_once() -> None:
    job = a_job(expression=MINUTELY, overlap="replace")
    queued = jobs.run_now(job, by="tester")
    at = due(job)
    claimed()
    queued.refresh_from_db()
    assert (queued.status, queued.messages) == (Status.CANCELLED, ["replaced by a newer run"])
    assert Execution.objects.get(scheduled_for=at).ready_at is not None
    assert counters(job) == counted(job) == (1, 1, 0, 0, 1)


def test_a_replacement_is_replaced_itself() -> None:
    job = a_job(expression=MINUTELY, overlap="replace")
    run = started(job)
    first = due(job, seconds_ago=2)
    claimed()
    second = due(job, seconds_ago=1)
    claimed()
    assert Execution.objects.get(scheduled_for=first).status == Status.CANCELLED
    executions.finish(run, Outcome(Status.CANCELLED))
    waiting = Execution.objects.get(scheduled_for=second)
    assert (waiting.status, waiting.ready_at is not None) == (Status.QUEUED, True)
    assert counters(job) == counted(job)


def test_a_job_ends_with_its_end_date() -> None:
    now = clock.now().replace(microsecond=0)
    ends = now + timedelta(hours=1)
    job = a_job(schedule=Schedule(expression=MINUTELY, ends_at=ends))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scheduler_job SET ends_at = now()")
    due(job)
    claimed()
    assert (state(job).next_fire_at, PeriodicTask.objects.get(job_state__job=job).enabled) == (None, False)
    assert JobChange.objects.filter(job_id=job.pk).count() == 1


def test_off_leaves_no_visible_row_of_what_did_not_run() -> None:
    job = a_job(expression=MINUTELY, misfire="skip", history_strategy="OFF")
    due(job, seconds_ago=3600)
    claimed()
    assert set(Execution.objects.filter(status=Status.SKIPPED).values_list("visible", flat=True)) == {False}


def test_a_job_that_cannot_be_worked_out_is_paused_and_holds_up_no_other() -> None:
    broken, sound = a_job(expression=MINUTELY), a_job(expression=MINUTELY)
    lost = due(broken, seconds_ago=2)
    at = due(sound)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scheduler_job SET zone = 'Nowhere/Land' WHERE id = %s", [broken.pk])
    assert len(claimed().hints) == 1
    assert (rows(broken), rows(sound)) == ([skipped(lost, Reason.MISSED, until=clock.now())], [ran(at, 1)])
    [message] = Execution.objects.get(job=broken).messages
    assert message.startswith("the clock could not work out its fires and paused the job: InvalidSchedule: ")
    assert (Job.objects.get(pk=broken.pk).active, state(broken).next_fire_at) == (False, None)
    assert PeriodicTask.objects.get(job_state__job=broken).enabled is False
    change = JobChange.objects.filter(job_id=broken.pk).latest("pk")
    assert (change.verb, change.by, change.changes["active"]) == ("deactivated", "clock", [True, False])
    assert "Nowhere/Land" in change.changes["problem"][1]


def test_a_resumed_job_that_cannot_be_worked_out_has_nothing_due() -> None:
    job = a_job(expression=MINUTELY)
    due(job)
    JobState.objects.update(recompute=True)
    Job.objects.update(zone="Nowhere/Land")
    claimed()
    assert (rows(job), Job.objects.get().active, state(job).recompute) == ([], False, False)


def test_a_job_whose_kind_is_gone_still_gets_its_rows() -> None:
    from scheduler import job_types
    from tests.probe.job_type import ProbeJob

    job = a_job(expression=MINUTELY)
    at = due(job)
    job_types.unregister("probe")
    try:
        assert [hint.queue for hint in claimed().hints] == ["services"]
    finally:
        job_types.register(ProbeJob())
    assert rows(job) == [ran(at, 1)]


def test_of_two_instants_the_older_one_has_the_smaller_id_however_the_rows_are_joined() -> None:
    job = a_job(expression=SECONDLY, overlap="allow", misfire="fire_all")
    due(job, seconds_ago=20)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_nestloop = off")
        cursor.execute("SET LOCAL enable_mergejoin = off")
        claimed()
    found = list(Execution.objects.of(job).order_by("pk").values_list("scheduled_for", flat=True))
    assert (len(found) > 10, found) == (True, sorted(found))
