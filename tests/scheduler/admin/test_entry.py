"""django-celery-beat's own tables in the console: those of jobs act on their jobs, the user's own stay as they are."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import ClockedSchedule, IntervalSchedule, PeriodicTask

from scheduler.models import Job, JobState
from tests.scheduler.admin.conftest import Login
from tests.scheduler.admin.pages import act, errors, said, text, url
from tests.scheduler.factories import a_job

ENTRY = "django_celery_beat_periodictask"
CLOCKED = "django_celery_beat_clockedschedule"


def entry_of(job: Job) -> PeriodicTask:
    entry = JobState.objects.get(job=job).entry
    assert entry is not None
    return entry


def own_entry(**values: Any) -> PeriodicTask:
    """An entry that belongs to no job."""
    every = IntervalSchedule.objects.create(every=1, period="hours")
    return PeriodicTask.objects.create(**{"name": "mine", "task": "celery.ping", "interval": every, **values})


def typed(entry: PeriodicTask, **changes: Any) -> dict[str, Any]:
    """What the form of a job's entry sends back when only `changes` were typed."""
    values = {
        "queue": entry.queue or "",
        "priority": entry.priority,
        "expire_seconds": "",
        "headers": entry.headers,
        **({"enabled": "on"} if entry.enabled else {}),
    }
    return {**values, **changes}


def own_typed(**changes: Any) -> dict[str, Any]:
    """The form of an entry of the user's own."""
    every = IntervalSchedule.objects.get_or_create(every=1, period="hours")[0]
    return {
        "name": "mine",
        "regtask": "",
        "task": "celery.ping",
        "enabled": "on",
        "interval": every.pk,
        "args": "[]",
        "kwargs": "{}",
        "headers": "{}",
        **changes,
    }


def test_the_list_links_an_entry_to_its_job(boss: Client) -> None:
    job = a_job(name="<i>report</i>")
    page = text(boss.get(url(f"{ENTRY}_changelist")))
    assert f'<a href="{url("scheduler_job_change", job.pk)}">&lt;i&gt;report&lt;/i&gt;</a>' in page


def test_a_list_of_many_entries_takes_as_many_queries_as_one_of_one(boss: Client) -> None:
    a_job()
    boss.get(url(f"{ENTRY}_changelist"))
    with CaptureQueriesContext(connection) as one:
        boss.get(url(f"{ENTRY}_changelist"))
    for _ in range(20):
        a_job()
    with CaptureQueriesContext(connection) as many:
        boss.get(url(f"{ENTRY}_changelist"))
    assert len(many) == len(one)


@pytest.mark.parametrize(("query", "names"), [("owner=job", ["probe 7: theirs"]), ("owner=none", ["mine"])])
def test_entries_are_filtered_by_whose_they_are(boss: Client, query: str, names: list[str]) -> None:
    a_job(name="theirs", number=7)
    own_entry()
    found = boss.get(f"{url(f'{ENTRY}_changelist')}?{query}").context["cl"].result_list
    assert [entry.name for entry in found] == names


def test_the_page_of_a_jobs_entry_says_so_and_reads_no_other_instants(boss: Client) -> None:
    job = a_job(name="report")
    for _ in range(5):
        a_job()
    page = boss.get(url(f"{ENTRY}_change", entry_of(job).pk))
    assert "This belongs to the job" in text(page)
    assert set(page.context["adminform"].form.fields) == {"enabled", "queue", "priority", "expire_seconds", "headers"}


def test_disabling_the_entry_in_its_form_pauses_the_job(boss: Client) -> None:
    job = a_job()
    entry = entry_of(job)
    sent = typed(entry)
    del sent["enabled"]
    boss.post(url(f"{ENTRY}_change", entry.pk), sent)
    stored = Job.objects.with_state().get()
    assert (stored.active, stored.state.next_fire_at) == (False, None)
    assert not entry_of(job).enabled


def test_enabling_the_entry_in_its_form_resumes_the_job(boss: Client) -> None:
    job = a_job(active=False)
    entry = entry_of(job)
    boss.post(url(f"{ENTRY}_change", entry.pk), typed(entry, enabled="on"))
    stored = Job.objects.with_state().get()
    assert stored.active
    assert stored.state.next_fire_at is not None


def test_the_stock_actions_pause_and_resume_jobs(boss: Client) -> None:
    job = a_job()
    entry = entry_of(job)
    seen = []
    for action in ("disable_tasks", "enable_tasks", "toggle_tasks", "toggle_tasks"):
        act(boss, action, entry.pk, model=ENTRY)
        seen.append(Job.objects.get().active)
    assert seen == [False, True, False, True]


def test_the_stock_actions_tell_what_they_did(boss: Client) -> None:
    assert said(act(boss, "disable_tasks", own_entry().pk, model=ENTRY)) == ["1 task was successfully disabled"]


def test_queue_priority_expiry_and_headers_reach_the_job(boss: Client) -> None:
    job = a_job()
    entry = entry_of(job)
    sent = typed(entry, queue="slow", priority=7, expire_seconds=90, headers='{"tenant": "north"}')
    boss.post(url(f"{ENTRY}_change", entry.pk), sent)
    stored = Job.objects.get()
    assert (stored.queue, stored.priority, stored.expires_seconds, stored.headers) == (
        "slow",
        7,
        90,
        {"tenant": "north"},
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("queue", "q" * 65),
        ("queue", "two words"),
        ("priority", "10"),
        ("headers", "[1]"),
        ("headers", "{"),
        ("headers", '{"a": "\\u0000"}'),
        ("expire_seconds", "99999999999"),
    ],
)
def test_what_the_job_cannot_take_is_refused_on_its_field(boss: Client, name: str, value: str) -> None:
    job = a_job()
    entry = entry_of(job)
    answer = boss.post(url(f"{ENTRY}_change", entry.pk), typed(entry, **{name: value}))
    assert list(errors(answer)) == [name]
    assert Job.objects.get().version == job.version


def test_schedule_name_and_task_of_a_jobs_entry_cannot_be_changed(boss: Client) -> None:
    job = a_job()
    entry = entry_of(job)
    elsewhere = ClockedSchedule.objects.create(clocked_time=datetime(2090, 1, 1, tzinfo=UTC))
    sent = typed(entry, name="mine", task="celery.ping", clocked=elsewhere.pk, args="[9]", one_off="", priority=6)
    boss.post(url(f"{ENTRY}_change", entry.pk), sent)
    after = entry_of(job)
    assert (after.name, after.task, after.clocked_id, after.args, after.one_off) == (
        entry.name,
        entry.task,
        entry.clocked_id,
        entry.args,
        True,
    )
    assert after.priority == 6


def test_the_entry_of_a_job_cannot_be_deleted(boss: Client) -> None:
    entry = entry_of(a_job())
    assert boss.post(url(f"{ENTRY}_delete", entry.pk), {"post": "yes"}).status_code == 403
    page = text(act(boss, "delete_selected", entry.pk, model=ENTRY, post="yes"))
    assert "is the entry of a job: the scheduler keeps it." in page
    assert PeriodicTask.objects.filter(pk=entry.pk).exists()


def test_the_instant_of_a_jobs_entry_cannot_be_moved_or_deleted(boss: Client) -> None:
    entry = entry_of(a_job())
    assert entry.clocked is not None
    address = url(f"{CLOCKED}_change", entry.clocked_id)
    assert "This belongs to the job" in text(boss.get(address))
    moved = {"clocked_time_0": "2090-01-01", "clocked_time_1": "00:00:00"}
    assert boss.post(address, moved).status_code == 403
    assert boss.post(url(f"{CLOCKED}_delete", entry.clocked_id), {"post": "yes"}).status_code == 403
    page = text(act(boss, "delete_selected", entry.clocked_id, model=CLOCKED, post="yes"))
    assert "is the entry of a job: the scheduler keeps it." in page
    assert ClockedSchedule.objects.get().clocked_time == entry.clocked.clocked_time


def test_an_entry_of_ones_own_is_made_edited_and_deleted_as_in_the_stock_admin(boss: Client) -> None:
    boss.post(url(f"{ENTRY}_add"), own_typed())
    entry = PeriodicTask.objects.get()
    boss.post(url(f"{ENTRY}_change", entry.pk), own_typed(name="renamed", queue="two words"))
    entry.refresh_from_db()
    assert (entry.name, entry.queue) == ("renamed", "two words")
    boss.post(url(f"{ENTRY}_delete", entry.pk), {"post": "yes"})
    assert not PeriodicTask.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"task": "scheduler.run_job"}, "task"), ({"headers": "nonsense"}, "headers"), ({"args": "["}, "args")],
)  # fmt: skip
def test_an_entry_of_ones_own_that_cannot_work_is_refused(boss: Client, changes: dict[str, str], field: str) -> None:
    answer = boss.post(url(f"{ENTRY}_add"), own_typed(**changes))
    assert list(errors(answer)) == [field]


def test_an_entry_of_ones_own_cannot_share_the_instant_of_a_job(boss: Client) -> None:
    entry = entry_of(a_job())
    answer = boss.post(url(f"{ENTRY}_add"), own_typed(interval="", clocked=entry.clocked_id, one_off="on"))
    assert errors(answer)["clocked"] == ["This instant is a job's next fire and moves with it. Add one of your own."]


def test_who_may_edit_entries_but_not_pause_jobs_cannot_pause_through_them(login: Login) -> None:
    client = login("django_celery_beat.view_periodictask", "django_celery_beat.change_periodictask")
    job = a_job()
    entry, mine = entry_of(job), own_entry()
    answer = act(client, "disable_tasks", entry.pk, mine.pk, model=ENTRY)
    assert said(answer) == [
        "The entries of jobs were left out: you may not do this to jobs.",
        "1 task was successfully disabled",
    ]
    client.post(url(f"{ENTRY}_change", entry.pk), {"queue": "other", "priority": "9", "headers": "{}"})
    stored = Job.objects.get()
    assert (stored.active, stored.version) == (True, job.version)
    mine.refresh_from_db()
    assert not mine.enabled


def test_who_may_only_look_at_entries_is_offered_no_action(login: Login) -> None:
    client = login("django_celery_beat.view_periodictask")
    entry = entry_of(a_job())
    assert client.get(url(f"{ENTRY}_changelist")).context["action_form"] is None
    act(client, "disable_tasks", entry.pk, model=ENTRY)
    assert Job.objects.get().active


@pytest.mark.parametrize("model", ["crontabschedule", "intervalschedule", "solarschedule", "clockedschedule"])
def test_the_stock_schedules_have_their_pages(boss: Client, model: str) -> None:
    a_job()
    assert boss.get(url(f"django_celery_beat_{model}_changelist")).status_code == 200
    assert boss.get(url(f"django_celery_beat_{model}_add")).status_code == 200
