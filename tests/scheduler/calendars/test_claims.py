"""Claims around closed days: what is due on one is recorded and does not run."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from scheduler import claims, clock, jobs
from scheduler.calendars import store
from scheduler.exceptions import CalendarInUse, InvalidCalendar, InvalidJob
from scheduler.models import Calendar, Execution, Job, JobChange, JobState, Reason, Status, Trigger
from scheduler.schedule import Schedule, zone_of
from scheduler.why import Answer, why
from tests.scheduler.calendars.factories import a_calendar, edited
from tests.scheduler.factories import MINUTELY, a_job, counted, counters, due, state
from tests.scheduler.threads import in_thread, together

pytestmark = pytest.mark.django_db

ALWAYS = "01-01..12-31 Closed"


def rows(job: Job) -> list[tuple[Any, ...]]:
    found = Execution.objects.of(job).order_by("scheduled_for")
    return list(found.values_list("scheduled_for", "until", "status", "reason", "number"))


def closed(instant: datetime, until: datetime | None = None) -> tuple[Any, ...]:
    return (instant, until, Status.SKIPPED, Reason.CALENDAR, None)


def claim() -> claims.Claimed:
    return claims.claim(limit=100)


def test_a_fire_on_a_closed_day_is_recorded_and_the_job_goes_on() -> None:
    job = a_job(expression=MINUTELY, calendars=[a_calendar(dates=ALWAYS).pk])
    at = due(job)
    assert (claim().hints, rows(job), counters(job)) == ((), [closed(at)], counted(job))
    assert state(job).next_fire_at == at.replace(second=0) + timedelta(minutes=1)
    assert why(job, at).answer is Answer.SKIPPED


def test_a_fire_on_an_open_day_runs() -> None:
    elsewhere = (clock.now() + timedelta(days=40)).date().isoformat()
    job = a_job(expression=MINUTELY, calendars=[a_calendar(dates=elsewhere).pk])
    at = due(job)
    assert len(claim().hints) == 1
    assert rows(job) == [(at, None, Status.QUEUED, None, 1)]


def test_one_of_several_calendars_is_enough() -> None:
    job = a_job(expression=MINUTELY, calendars=[a_calendar().pk, a_calendar(dates=ALWAYS).pk])
    at = due(job)
    claim()
    assert rows(job) == [closed(at)]


def test_the_clock_of_the_jobs_zone_decides() -> None:
    # Twenty-five hours apart these clocks never show the same day.
    east, west = "Pacific/Kiritimati", "Pacific/Pago_Pago"
    calendar = a_calendar(dates=clock.now().astimezone(zone_of(east)).date().isoformat())
    eastern, western = (a_job(expression=MINUTELY, zone=zone, calendars=[calendar.pk]) for zone in (east, west))
    due(eastern)
    due(western)
    claim()
    assert [rows(job)[0][3] for job in (eastern, western)] == [Reason.CALENDAR, None]


def test_an_edit_of_a_calendar_is_in_force_for_what_was_not_claimed() -> None:
    calendar = a_calendar()
    job = a_job(overlap="allow", calendars=[calendar.pk])
    first = due(job, seconds_ago=3)
    claim()
    calendar = edited(calendar, dates=ALWAYS)
    second = due(job, seconds_ago=2)
    claim()
    edited(calendar, dates="")
    third = due(job, seconds_ago=1)
    claim()
    assert rows(job) == [
        (first, None, Status.QUEUED, None, 1),
        closed(second),
        (third, None, Status.QUEUED, None, 2),
    ]


def test_run_now_is_not_stopped() -> None:
    job = a_job(calendars=[a_calendar(dates=ALWAYS).pk])
    execution = jobs.run_now(job, by="tester")
    assert (execution.status, execution.trigger) == (Status.QUEUED, Trigger.MANUAL)


def test_a_job_of_one_instant_on_a_closed_day_never_runs() -> None:
    job = a_job(schedule=Schedule(run_at=clock.now() + timedelta(hours=1)), calendars=[a_calendar(dates=ALWAYS).pk])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scheduler_job SET run_at = now() - interval '1 second'")
        cursor.execute("UPDATE scheduler_jobstate SET next_fire_at = now() - interval '1 second'")
    claim()
    assert (rows(job), state(job).next_fire_at) == ([closed(clock.now() - timedelta(seconds=1))], None)


def late(job: Job, days: int) -> datetime:
    """Let ``job``, which fires at noon each day, be due since ``days`` days ago; return the newest noon."""
    noon = clock.now().replace(hour=12, minute=0, second=0, microsecond=0)
    newest = noon if noon <= clock.now() else noon - timedelta(days=1)
    JobState.objects.filter(job=job).update(next_fire_at=newest - timedelta(days=days))
    return newest


def days_before(newest: datetime, *days: int) -> str:
    return "\n".join((newest - timedelta(days=back)).date().isoformat() for back in days)


@pytest.mark.parametrize(
    ("misfire", "open_reasons"),
    [
        ("fire_once", [Reason.COALESCED, Reason.COALESCED, None]),
        ("skip", [Reason.MISSED, Reason.MISSED, Reason.MISSED]),
        ("fire_all", [None, None, None]),
    ],
)
def test_after_an_outage_the_misfire_policy_sees_open_days_alone(
    misfire: str, open_reasons: list[Reason | None]
) -> None:
    job = a_job(expression="0 0 12 * * ?", misfire=misfire, misfire_grace_seconds=0, overlap="allow")
    newest = late(job, 4)
    # Closed: the newest, at which the run that stands for all would be, and one between.
    jobs.update(job, {"calendars": [a_calendar(dates=days_before(newest, 0, 2)).pk]}, by="tester")
    # The edit settled what was due before it under the old definition.
    assert Reason.CALENDAR not in [row[3] for row in rows(job)]
    Execution.objects.all().delete()
    late(job, 4)
    claim()
    found = {row[0]: row[3] for row in rows(job)}
    open_days = [newest - timedelta(days=back) for back in (4, 3, 1)]
    shut_days = [newest - timedelta(days=back) for back in (2, 0)]
    assert found == {**dict(zip(open_days, open_reasons, strict=True)), **dict.fromkeys(shut_days, Reason.CALENDAR)}


def test_many_closed_instants_of_an_outage_are_a_row_a_day() -> None:
    job = a_job(expression=MINUTELY, misfire="skip", calendars=[a_calendar(dates=ALWAYS).pk])
    now = clock.now()
    last = now.replace(second=0, microsecond=0)
    first = (last - timedelta(days=2)).replace(hour=0, minute=0)
    JobState.objects.filter(job=job).update(next_fire_at=first)
    JobChange.objects.filter(job_id=job.pk).update(at=first - timedelta(days=1))
    claim()
    ends = [first + timedelta(days=1, minutes=-1), first + timedelta(days=2, minutes=-1), last]
    begins = [first, first + timedelta(days=1), first + timedelta(days=2)]
    assert rows(job)[:2] == [closed(*span) for span in list(zip(begins, ends, strict=True))[:2]]
    assert (why(job, first + timedelta(hours=5)).answer, state(job).next_fire_at) == (
        Answer.SKIPPED,
        last + timedelta(minutes=1),
    )


def test_a_calendar_that_cannot_be_read_pauses_its_job_and_no_other() -> None:
    calendar = a_calendar()
    broken, sound = a_job(expression=MINUTELY, calendars=[calendar.pk]), a_job(expression=MINUTELY)
    Calendar.objects.filter(pk=calendar.pk).update(dates="nonsense", version=7)
    lost = due(broken)
    due(sound)
    claim()
    assert (Job.objects.get(pk=broken.pk).active, len(rows(sound))) == (False, 1)
    assert rows(broken) == [(lost, clock.now(), Status.SKIPPED, Reason.MISSED, None)]
    problem = JobChange.objects.filter(job_id=broken.pk).latest("pk").changes["problem"][1]
    assert problem.startswith("InvalidCalendar: line 1: write a day as")


def a_due_job_with_an_unreadable_calendar() -> Job:
    calendar = a_calendar()
    job = a_job(expression=MINUTELY, calendars=[calendar.pk])
    Calendar.objects.filter(pk=calendar.pk).update(dates="nonsense", version=7)
    due(job)
    return job


def in_force(job: Job) -> tuple[bool, bool, bool]:
    """Whether the job is active, will fire, and has its beat entry enabled."""
    stored = Job.objects.with_state().get(pk=job.pk)
    assert stored.state.entry is not None
    return stored.active, stored.state.next_fire_at is not None, stored.state.entry.enabled


def changes_of(job: Job) -> list[tuple[str, list[str]]]:
    found = JobChange.objects.filter(job_id=job.pk).exclude(verb="created").order_by("at", "pk")
    return [(change.by, sorted(change.changes)) for change in found]


@pytest.mark.parametrize("named", [{"name": "Renamed"}, {"name": "Renamed", "active": True}])
def test_an_edit_does_not_revive_a_job_that_its_settling_paused(named: dict[str, Any]) -> None:
    job = a_due_job_with_an_unreadable_calendar()
    edited_job = jobs.update(job, named, by="tester")
    assert (edited_job.active, edited_job.name, in_force(job)) == (False, "Renamed", (False, False, False))
    assert changes_of(job) == [("clock", ["active", "problem"]), ("tester", ["name"])]
    assert [row[3] for row in rows(job)] == [Reason.MISSED]


def test_an_edit_that_takes_the_cause_away_lets_the_job_go_on() -> None:
    job = a_due_job_with_an_unreadable_calendar()
    assert jobs.update(job, {"calendars": []}, by="tester").active
    assert in_force(job) == (True, True, True)
    assert changes_of(job) == [("clock", ["active", "problem"]), ("tester", ["active", "calendars"])]
    following = state(job).next_fire_at
    assert following is not None
    assert why(job, following).answer is Answer.FUTURE


def test_pausing_a_job_that_its_settling_paused_leaves_it_paused() -> None:
    job = a_due_job_with_an_unreadable_calendar()
    jobs.deactivate(job, by="tester")
    assert in_force(job) == (False, False, False)


def test_jobs_without_a_calendar_cost_a_claim_no_query_more() -> None:
    plain, keeping = a_job(expression=MINUTELY), a_job(expression=MINUTELY, calendars=[a_calendar().pk])
    counts = []
    for place, job in enumerate((keeping, plain, keeping)):
        due(job, seconds_ago=place)
        with CaptureQueriesContext(connection) as queries:
            claim()
        counts.append(sum("scheduler_calendar" in query["sql"] for query in queries))
    # First the version and the rows, then the version alone.
    assert counts == [2, 0, 1]


def test_why_names_the_calendar_that_closes_a_day_now_and_ahead() -> None:
    calendar = a_calendar(name="Plant", dates=ALWAYS)
    job = a_job(expression=MINUTELY, calendars=[calendar.pk])
    at = due(job)
    claim()
    ahead = state(job).next_fire_at
    assert ahead is not None
    assert why(job, at).reason == "a day on which the job does not run: the day is closed by Plant: Closed"
    assert (why(job, ahead).answer, why(job, ahead).reason) == (
        Answer.FUTURE,
        "the job is due then, and will not run: the day is closed by Plant: Closed",
    )
    edited(calendar, dates="")
    assert why(job, at).reason == "a day on which the job does not run"


# -- Definitions -----------------------------------------------------------------------------------------------------


def test_a_job_goes_by_calendars_and_its_changes_name_them() -> None:
    first, second = a_calendar(name="A"), a_calendar(name="B")
    job = a_job(calendars=[second.pk, first.pk, first.pk])
    assert job.calendars == [first.pk, second.pk]
    job = jobs.update(job, {"calendars": [second.pk]}, by="tester")
    assert (job.calendars, JobChange.objects.latest("pk").changes) == (
        [second.pk],
        {"calendars": [["A", "B"], ["B"]]},
    )
    assert jobs.update(job, {"calendars": []}, by="tester").calendars is None


def test_a_calendar_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidJob) as refusal:
        a_job(calendars=[10**9])
    assert (refusal.value.field, refusal.value.problem) == ("calendars", "there is no calendar 1000000000")
    with pytest.raises(InvalidJob):
        jobs.update(a_job(), {"calendars": [10**9]}, by="tester")


def test_a_calendar_in_use_is_kept_until_no_job_goes_by_it() -> None:
    calendar = a_calendar()
    job = a_job(name="Nightly", calendars=[calendar.pk])
    with pytest.raises(CalendarInUse, match="jobs go by it: Nightly"):
        store.delete(calendar, by="tester")
    jobs.update(job, {"calendars": []}, by="tester")
    store.delete(calendar, by="tester")
    assert not Calendar.objects.exists()


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "taken"}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"weekdays": [7]}, "weekdays"),
        ({"weekdays": range(7)}, "weekdays"),
        ({"dates": "soon"}, "dates"),
        ({"country": "XX"}, "country"),
        ({"country": "DE", "subdivision": "XX"}, "subdivision"),
        ({"ical": "hello"}, "ical"),
    ],
)
def test_what_cannot_be_a_calendar_is_refused_by_its_field(rules: dict[str, Any], field: str) -> None:
    a_calendar(name="taken")
    with pytest.raises(InvalidCalendar) as refusal:
        a_calendar(**rules)
    assert (refusal.value.field, Calendar.objects.count()) == (field, 1)


def test_there_are_only_so_many_calendars_as_a_form_can_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST", 1)
    first = a_calendar()
    with pytest.raises(InvalidCalendar):
        a_calendar()
    assert edited(first, dates="05-01").version == 2


def test_a_thread_that_forgets_all_calendars_beside_a_claim_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class ForgottenBeside(dict[int, Calendar]):
        """What is remembered, and is gone as soon as one has asked whether it is there."""

        def __contains__(self, pk: object) -> bool:
            there = super().__contains__(pk)
            self.clear()
            return there

    calendar = a_calendar(dates=ALWAYS)
    calendar.refresh_from_db()
    monkeypatch.setattr(store, "_rows", ForgottenBeside({calendar.pk: calendar}))
    closed_days = store.closed([calendar.pk], "UTC")
    assert closed_days is not None
    assert closed_days.closure_at(clock.now()) is not None


def test_days_are_worked_out_before_a_claim_asks() -> None:
    calendar = a_calendar(country="DE", dates=ALWAYS)
    store.warm()
    job = a_job(expression=MINUTELY, calendars=[calendar.pk])
    due(job)
    with CaptureQueriesContext(connection) as queries:
        claim()
    assert sum("scheduler_calendar" in query["sql"] for query in queries) == 1


# -- Races -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_beats_at_once_record_each_closed_instant_once() -> None:
    calendar = a_calendar(dates=ALWAYS)
    keeping = [a_job(calendars=[calendar.pk]) for _ in range(12)]
    plain = [a_job() for _ in range(4)]
    instants = {job.pk: due(job) for job in (*keeping, *plain)}
    together(*[lambda: claims.claim(limit=3)] * 4)
    while claims.claim(limit=3).jobs:
        pass
    assert [rows(job) for job in keeping] == [[closed(instants[job.pk])] for job in keeping]
    assert [rows(job) for job in plain] == [[(instants[job.pk], None, Status.QUEUED, None, 1)] for job in plain]


@pytest.mark.django_db(transaction=True)
def test_a_calendar_given_to_a_job_is_not_deleted_beside_it() -> None:
    calendar, job = a_calendar(), a_job()
    with transaction.atomic():
        jobs.update(job, {"calendars": [calendar.pk]}, by="tester")
        deletion = in_thread(lambda: store.delete(calendar, by="other"))
    with pytest.raises(CalendarInUse):
        deletion.result()
    assert Calendar.objects.filter(pk=calendar.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_edits_at_once_come_to_different_versions() -> None:
    calendar = a_calendar()
    together(*[lambda text=text: edited(calendar, dates=text) for text in ("05-01", "05-02", "05-03")])
    assert Calendar.objects.get(pk=calendar.pk).version == 4
