"""What each verb of a job leaves behind: job, next fire and beat entry agree, and the change is on record."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import ClockedSchedule, PeriodicTask

from scheduler import clock, jobs, retention
from scheduler.exceptions import (
    InvalidJob,
    InvalidSchedule,
    JobNotFound,
    NameTaken,
    NeverFires,
    NumberTaken,
    UnknownJobType,
)
from scheduler.models import Execution, Job, JobChange, JobState, Reason, Removal, Status, Trigger
from scheduler.schedule import Schedule
from tests.scheduler.factories import MINUTELY, YEARLY, a_definition, a_job, due, state

pytestmark = pytest.mark.django_db


def entry_of(job: Job) -> dict[str, Any]:
    """What the job's beat entry says."""
    entry = PeriodicTask.objects.select_related("clocked").get(job_state__job=job)
    return {
        "name": entry.name,
        "task": entry.task,
        "args": entry.args,
        "at": entry.clocked.clocked_time,
        "one_off": entry.one_off,
        "enabled": entry.enabled,
        "queue": entry.queue,
        "priority": entry.priority,
        "expires": entry.expire_seconds,
        "headers": entry.headers,
    }


def next_year() -> datetime:
    return datetime(clock.now().year + 1, 1, 1, tzinfo=UTC)


def changes_of(job_pk: int) -> list[tuple[str, str, dict[str, Any]]]:
    rows = JobChange.objects.filter(job_id=job_pk).order_by("pk")
    return [(row.verb, row.by, row.changes) for row in rows]


def test_a_new_job_has_its_next_fire_and_an_entry_that_says_the_same() -> None:
    job = a_job(name="nightly", number=7, queue="slow", priority=3, expires_seconds=60, headers={"x": "y"})
    assert state(job).next_fire_at == next_year()
    assert entry_of(job) == {
        "name": "probe 7: nightly",
        "task": "scheduler.run_job",
        "args": json.dumps([job.pk]),
        "at": next_year(),
        "one_off": True,
        "enabled": True,
        "queue": "slow",
        "priority": 3,
        "expires": 60,
        "headers": '{"x": "y"}',
    }


def test_a_new_paused_job_has_no_next_fire_and_a_disabled_entry() -> None:
    job = a_job(active=False)
    assert (state(job).next_fire_at, entry_of(job)["enabled"]) == (None, False)


def test_a_job_of_one_instant_fires_then() -> None:
    at = clock.now() + timedelta(days=3)
    job = a_job(schedule=Schedule(run_at=at))
    assert (state(job).next_fire_at, entry_of(job)["at"]) == (at, at)


def test_a_start_date_defers_the_first_fire() -> None:
    starts = next_year() + timedelta(days=1)
    job = a_job(schedule=Schedule(expression=YEARLY, starts_at=starts))
    assert state(job).next_fire_at == datetime(starts.year + 1, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(run_at=datetime(2020, 1, 1, tzinfo=UTC)),
        Schedule(expression="0 0 0 1 1 ? 2020"),
        Schedule(expression=MINUTELY, ends_at=datetime(2020, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_schedule_without_an_instant_ahead_is_refused(schedule: Schedule) -> None:
    with pytest.raises(NeverFires):
        a_job(schedule=schedule)
    assert (Job.objects.count(), PeriodicTask.objects.count(), JobChange.objects.count()) == (0, 0, 0)


@pytest.mark.parametrize(
    ("schedule", "field"),
    [
        (Schedule(), "expression"),
        (Schedule(expression=YEARLY, run_at=datetime(2099, 1, 1, tzinfo=UTC)), "expression"),
        (Schedule(expression="nonsense"), "expression"),
        (Schedule(expression="0 * * * * \x00"), "expression"),
        (Schedule(expression=YEARLY, zone="Mars/Olympus"), "zone"),
        (Schedule(expression=YEARLY, zone="../../etc/passwd"), "zone"),
        (Schedule(expression=YEARLY, zone="UTC\x00"), "zone"),
        (Schedule(run_at=datetime(2099, 1, 1)), "run_at"),  # noqa: DTZ001 - that is what is refused
        (
            Schedule(
                expression=YEARLY,
                starts_at=datetime(2099, 1, 2, tzinfo=UTC),
                ends_at=datetime(2099, 1, 1, tzinfo=UTC),
            ),
            "ends_at",
        ),
        (Schedule(expression=YEARLY, text="x" * 1025), "schedule_text"),
        (Schedule(expression=YEARLY, text="\x00"), "schedule_text"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_refused(schedule: Schedule, field: str) -> None:
    with pytest.raises(InvalidSchedule) as refusal:
        a_job(schedule=schedule)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "nul \x00"}, "name"),
        ({"name": "half \ud800"}, "name"),
        ({"description": "nul \x00"}, "description"),
        ({"description": "half \udfff"}, "description"),
        ({"description": "x" * 10_001}, "description"),
        ({"retention_days": 0}, "retention_days"),
        ({"retention_days": 3651}, "retention_days"),
        ({"history_strategy": "SOME"}, "history_strategy"),
        ({"misfire": "maybe"}, "misfire"),
        ({"overlap": "maybe"}, "overlap"),
        ({"priority": -1}, "priority"),
        ({"priority": 10}, "priority"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": 2**31}, "timeout_seconds"),
        ({"misfire_grace_seconds": -1}, "misfire_grace_seconds"),
        ({"misfire_grace_seconds": 2**31}, "misfire_grace_seconds"),
        ({"max_retries": -1}, "max_retries"),
        ({"max_retries": 2**15}, "max_retries"),
        ({"retry_delay_seconds": -1}, "retry_delay_seconds"),
        ({"retry_max_delay_seconds": 2**31}, "retry_max_delay_seconds"),
        ({"expires_seconds": 0}, "expires_seconds"),
        ({"expires_seconds": 2**31}, "expires_seconds"),
        ({"queue": "x" * 65}, "queue"),
        ({"queue": "nul\x00"}, "queue"),
        ({"queue": "two words"}, "queue"),
        ({"concurrency_key": "x" * 256}, "concurrency_key"),
        ({"concurrency_key": "nul\x00"}, "concurrency_key"),
        ({"headers": {"x": "nul\x00"}}, "headers"),
        ({"headers": ["x"]}, "headers"),
        ({"headers": {"x": "ß" * 1024}}, "headers"),
        ({"arguments": {"deep": ["nul\x00"]}}, "arguments"),
        ({"arguments": {"half \ud800": 1}}, "arguments"),
        ({"arguments": {"no json": float("nan")}}, "arguments"),
        ({"arguments": {"no json": object()}}, "arguments"),
        ({"arguments": {"refuse": "not like this"}}, "arguments"),
    ],
)
def test_a_definition_that_cannot_be_stored_is_refused_by_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidJob) as refusal:
        a_job(**changes)
    assert refusal.value.field == field
    job = a_job()
    with pytest.raises(InvalidJob) as refusal:
        jobs.update(job, changes, by="tester")
    assert refusal.value.field == field


@pytest.mark.parametrize("number", [0, -1, 2**63])
def test_a_number_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(InvalidJob) as refusal:
        a_job(number=number)
    assert refusal.value.field == "number"


def test_a_kind_that_nobody_registered_is_refused() -> None:
    with pytest.raises(UnknownJobType):
        jobs.create("unheard-of", a_definition(), by="tester")


def test_a_taken_number_is_refused_and_leaves_nothing() -> None:
    a_job(number=4)
    with pytest.raises(NumberTaken):
        a_job(number=4)
    assert (Job.objects.count(), PeriodicTask.objects.count(), ClockedSchedule.objects.count()) == (1, 1, 1)


def test_numbers_are_given_in_turn_past_those_that_are_taken() -> None:
    a_job(number=2)
    assert [a_job().number, a_job().number, a_job().number] == [1, 3, 4]


def test_the_number_of_a_deleted_job_is_given_to_no_other_also_where_the_job_had_asked_for_it() -> None:
    for job in (a_job(), a_job(number=2)):
        jobs.delete(job, by="tester")
    assert a_job().number == 3


def test_thousands_of_taken_numbers_are_passed_over_at_once() -> None:
    first = a_job(number=1)
    columns = {field.attname: getattr(first, field.attname) for field in Job._meta.concrete_fields}
    del columns["id"]
    kept, gone = [*range(2, 1001), 2001, 2**63 - 1], range(1001, 2001)
    Job.objects.bulk_create(Job(**{**columns, "number": number}) for number in kept)
    deleted = JobChange.Verb.DELETED
    JobChange.objects.bulk_create(
        JobChange(job_id=10**9 + number, kind="probe", number=number, by="tester", verb=deleted) for number in gone
    )
    with CaptureQueriesContext(connection) as queries:
        numbers = [a_job().number, a_job().number]
    assert (numbers, len(queries) < 60) == ([2002, 2003], True)


def test_a_name_may_be_shared_where_the_kind_does_not_mind() -> None:
    assert (a_job(name="same").name, a_job(name="same").name) == ("same", "same")


def test_a_taken_name_is_refused_where_names_are_unique(unique_names: None) -> None:
    a_job(name="same")
    other = a_job(name="other")
    with pytest.raises(NameTaken):
        a_job(name="same")
    with pytest.raises(NameTaken):
        jobs.update(other, {"name": "same"}, by="tester")
    assert sorted(Job.objects.values_list("name", flat=True)) == ["other", "same"]


@pytest.fixture
def unique_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe's names are unique for this test."""
    from tests.probe.job_type import ProbeJob

    monkeypatch.setattr(ProbeJob, "unique_names", True)


def test_the_entry_of_a_job_with_a_very_long_name_still_has_its_number() -> None:
    job = a_job(name="n" * 255, number=12)
    assert entry_of(job)["name"] == ("probe 12: " + "n" * 255)[:200]


def test_an_edit_of_the_schedule_moves_the_next_fire_and_the_entry() -> None:
    job = a_job(expression=YEARLY)
    stored = jobs.update(job, {"schedule": Schedule(expression="0 0 0 1 6 ?")}, by="editor")
    now = clock.now()
    june = datetime(now.year + (now >= datetime(now.year, 6, 1, tzinfo=UTC)), 6, 1, tzinfo=UTC)
    assert (state(job).next_fire_at, entry_of(job)["at"], stored.version) == (june, june, 2)


def test_an_edit_of_anything_else_keeps_the_next_fire() -> None:
    job = a_job()
    at = due(job, seconds_ago=-3600)
    jobs.update(job, {"description": "new words", "priority": 1, "queue": "slow"}, by="editor")
    entry = entry_of(job)
    assert (state(job).next_fire_at, entry["priority"], entry["queue"]) == (at, 1, "slow")


def test_an_edit_names_what_changed_and_by_whom() -> None:
    job = a_job(name="old", expression=YEARLY, arguments={"secret": "one", "a": 1})
    jobs.update(job, {"name": "new", "arguments": {"secret": "two", "a": 2}}, by="editor")
    masked = {"secret": "********"}
    assert changes_of(job.pk)[1:] == [
        (
            "updated",
            "editor",
            {"name": ["old", "new"], "arguments": [{**masked, "a": 1}, {**masked, "a": 2}]},
        )
    ]


def test_the_first_and_the_last_change_on_record_hold_the_schedule() -> None:
    job = a_job(expression=YEARLY)
    jobs.delete(job, by="remover")
    schedule = {
        "expression": YEARLY,
        "zone": "UTC",
        "run_at": None,
        "starts_at": None,
        "ends_at": None,
        "text": None,
    }
    assert changes_of(job.pk) == [
        ("created", "tester", {"schedule": [None, schedule], "active": [None, True]}),
        ("deleted", "remover", {"schedule": [schedule, None], "active": [True, None]}),
    ]


def test_a_refused_edit_changes_nothing() -> None:
    job = a_job()
    before = Job.objects.filter(pk=job.pk).values().get(), JobState.objects.filter(pk=job.pk).values().get()
    with pytest.raises(NeverFires):
        jobs.update(job, {"name": "x", "schedule": Schedule(expression="0 0 0 1 1 ? 2020")}, by="editor")
    after = Job.objects.filter(pk=job.pk).values().get(), JobState.objects.filter(pk=job.pk).values().get()
    assert after == before


def test_pausing_clears_the_next_fire_and_disables_the_entry() -> None:
    job = a_job()
    stored = jobs.deactivate(job, by="pauser")
    assert (stored.active, state(job).next_fire_at, entry_of(job)["enabled"]) == (False, None, False)
    assert changes_of(job.pk)[-1] == ("deactivated", "pauser", {"active": [True, False]})


def test_resuming_fires_from_now_on() -> None:
    job = jobs.deactivate(a_job(), by="pauser")
    stored = jobs.activate(job, by="resumer")
    assert (stored.active, state(job).next_fire_at, entry_of(job)["enabled"]) == (True, next_year(), True)
    assert changes_of(job.pk)[-1] == ("activated", "resumer", {"active": [False, True]})


def test_what_was_due_before_an_edit_of_the_schedule_runs() -> None:
    job = a_job(expression=MINUTELY)
    at = due(job, seconds_ago=5)
    jobs.update(job, {"schedule": Schedule(expression=YEARLY)}, by="editor")
    assert list(Execution.objects.of(job).values_list("scheduled_for", "status", "frequency")) == [
        (at, Status.QUEUED, MINUTELY)
    ]
    assert state(job).next_fire_at == next_year()


def test_what_was_due_before_a_pause_runs() -> None:
    job = a_job(expression=MINUTELY)
    at = due(job, seconds_ago=5)
    jobs.deactivate(job, by="pauser")
    assert list(Execution.objects.of(job).values_list("scheduled_for", "status")) == [(at, Status.QUEUED)]
    assert state(job).next_fire_at is None


def test_what_was_due_before_an_edit_of_a_policy_falls_under_the_old_one() -> None:
    job = a_job(misfire="skip", expression=YEARLY)
    at = due(job, seconds_ago=3600)
    jobs.update(job, {"misfire": "fire_once"}, by="editor")
    assert list(Execution.objects.of(job).values_list("scheduled_for", "status", "reason")) == [
        (at, Status.SKIPPED, Reason.MISSED)
    ]


def test_deleting_leaves_nothing_but_the_change() -> None:
    job = a_job()
    jobs.run_now(job, by="tester")
    jobs.delete(job, by="remover")
    left = [model.objects.count() for model in (Job, JobState, PeriodicTask, ClockedSchedule)]
    assert (left, changes_of(job.pk)[-1][:2]) == ([0, 0, 0, 0], ("deleted", "remover"))
    retention.clean()
    assert (Execution.objects.count(), Removal.objects.count()) == (0, 0)


def test_deleting_spares_a_clocked_schedule_that_an_entry_of_somebody_else_uses() -> None:
    job = a_job()
    clocked = PeriodicTask.objects.get(job_state__job=job).clocked
    other = PeriodicTask.objects.create(name="mine", task="x", clocked=clocked, one_off=True)
    jobs.delete(job, by="remover")
    assert list(PeriodicTask.objects.values_list("pk", "clocked_id")) == [(other.pk, clocked.pk)]


@pytest.mark.parametrize(
    "verb",
    [
        lambda job: jobs.update(job, {"name": "x"}, by="t"),
        lambda job: jobs.activate(job, by="t"),
        lambda job: jobs.deactivate(job, by="t"),
        lambda job: jobs.delete(job, by="t"),
        lambda job: jobs.run_now(job, by="t"),
    ],
)
def test_no_verb_finds_a_job_that_is_gone(verb: Any) -> None:
    job = a_job()
    jobs.delete(Job.objects.get(pk=job.pk), by="tester")
    with pytest.raises(JobNotFound):
        verb(job)


@pytest.mark.parametrize("number", [0, -5, 2**63, 10**30, 999])
def test_a_number_that_no_job_has_is_not_found(number: int) -> None:
    with pytest.raises(JobNotFound):
        jobs.get("probe", number)


def test_a_run_now_is_a_run_with_its_own_number_and_arguments() -> None:
    job = a_job(arguments={"a": 1})
    execution = jobs.run_now(job, by="somebody", arguments={"a": 2})
    assert (
        execution.number,
        execution.status,
        execution.trigger,
        execution.requested_by,
        execution.arguments,
        execution.queue,
        execution.frequency,
    ) == (1, Status.QUEUED, Trigger.MANUAL, "somebody", {"a": 2}, "services", YEARLY)
    assert (state(job).open_runs, state(job).last_number) == (1, 1)


@pytest.mark.parametrize("arguments", [{"refuse": "no"}, {"nul": "\x00"}, {"no json": float("inf")}])
def test_a_run_now_with_arguments_that_cannot_be_stored_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidJob) as refusal:
        jobs.run_now(a_job(), by="somebody", arguments=arguments)
    assert (refusal.value.field, Execution.objects.count()) == ("arguments", 0)


def test_a_run_now_of_a_paused_job_runs() -> None:
    assert jobs.run_now(a_job(active=False), by="somebody").status == Status.QUEUED


def test_a_shorter_retention_acts_on_what_has_ended_already() -> None:
    job = a_job(retention_days=30, misfire="skip")
    due(job, seconds_ago=3600)
    jobs.deactivate(job, by="t")
    jobs.update(job, {"retention_days": 2}, by="t")
    retention.clean()
    execution = Execution.objects.get(job=job)
    assert execution.expires_at is not None
    assert execution.ended_at is not None
    assert execution.expires_at - execution.ended_at == timedelta(days=2)
