"""The list of jobs and what can be done to several at once."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scheduler import clock, jobs
from scheduler.console.paginator import CappedPaginator
from scheduler.models import Execution, Job, JobChange, JobState, Status
from tests.scheduler.admin.conftest import Login
from tests.scheduler.admin.pages import act, said, text, url
from tests.scheduler.factories import MINUTELY, a_job, started

LIST = "scheduler_job_changelist"


def test_the_list_shows_a_job_with_its_schedule_in_english(boss: Client) -> None:
    a_job(name="Night report", expression="0 0 3 * * ?", zone="Europe/Berlin")
    page = text(boss.get(url(LIST)))
    assert "Night report" in page
    assert "At 03:00, every day (Europe/Berlin)" in page


def test_a_hostile_name_is_shown_as_text(boss: Client) -> None:
    a_job(name="<script>alert(1)</script>")
    page = text(boss.get(url(LIST)))
    assert "<script>alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def _queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def test_a_list_of_fifty_jobs_takes_as_many_queries_as_one_of_one(boss: Client) -> None:
    started(a_job())
    boss.get(url(LIST))
    one = _queries(boss, url(LIST))
    for _ in range(49):
        started(a_job())
    assert _queries(boss, url(LIST)) == one


def test_pages_end_at_the_cap_and_say_so(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CappedPaginator, "cap", 2)
    for _ in range(3):
        a_job()
    page = boss.get(url(LIST))
    assert page.context["cl"].result_count == 2
    assert "There are more" in text(page)


def test_the_list_counts_no_more_rows_than_the_cap(boss: Client) -> None:
    a_job()
    with CaptureQueriesContext(connection) as captured:
        boss.get(url(LIST))
    counts = [query["sql"] for query in captured if "COUNT(" in query["sql"] and "scheduler_job" in query["sql"]]
    assert counts
    assert all("LIMIT 10001" in sql for sql in counts)


@pytest.mark.parametrize(
    ("term", "found"), [("ledger", 1), ("LEDG close", 1), ("71", 1), ("nothing", 0), ("9" * 30, 0)]
)
def test_search_looks_at_name_and_id(boss: Client, term: str, found: int) -> None:
    a_job(name="Close the ledger", number=71)
    a_job(name="Other", number=5)
    assert boss.get(url(LIST), {"q": term}).context["cl"].result_count == found


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("state=paused", ["paused"]),
        ("state=active", ["active", "later", "open", "soon"]),
        ("state=over", ["over"]),
        ("state=open", ["open"]),
        ("state=soon", ["soon", "later"]),
        ("o=1", ["active", "later", "open", "over", "paused", "soon"]),
        ("last=4", ["active"]),
        ("last=never", ["later", "open", "over", "paused", "soon"]),
        ("kind=probe", ["active", "later", "open", "over", "paused", "soon"]),
        ("kind=voltmx", []),
        ("state=nonsense&last=nonsense", ["active", "later", "open", "over", "paused", "soon"]),
    ],
)
def test_filters(boss: Client, query: str, names: list[str]) -> None:
    active = a_job(name="active")
    JobState.objects.filter(job=active).update(last_status=Status.FAILED)
    a_job(name="paused", active=False)
    over = a_job(name="over")
    JobState.objects.filter(job=over).update(next_fire_at=None)
    jobs.run_now(a_job(name="open"), by="tester")
    for name, hours in (("later", 23), ("soon", 1)):
        JobState.objects.filter(job=a_job(name=name)).update(next_fire_at=clock.now() + timedelta(hours=hours))
    JobState.objects.filter(job=active).update(next_fire_at=clock.now() + timedelta(hours=25))
    found = [job.name for job in boss.get(f"{url(LIST)}?{query}").context["cl"].result_list]
    assert (found if query in ("state=soon", "o=1") else sorted(found)) == names


def test_run_now_asks_for_a_run_of_each_and_tells_what_was_skipped(boss: Client) -> None:
    free, busy = a_job(name="free"), a_job(name="busy")
    jobs.run_now(busy, by="tester")
    answer = act(boss, "run_now", free.pk, busy.pk)
    assert said(answer) == [
        f"Asked for a run: free (probe {free.number})",
        f"busy (probe {busy.number}): skipped: an earlier run was not finished",
    ]
    assert Execution.objects.of(free).get().requested_by == "boss"


def test_deactivate_and_activate_record_who_did_it(boss: Client) -> None:
    job = a_job()
    act(boss, "deactivate", job.pk)
    assert not Job.objects.get(pk=job.pk).active
    act(boss, "activate", job.pk)
    assert Job.objects.get(pk=job.pk).active
    changes = JobChange.objects.filter(job_id=job.pk).order_by("id").values_list("verb", "by")
    assert list(changes) == [("created", "tester"), ("deactivated", "boss"), ("activated", "boss")]


def test_deactivating_what_is_paused_says_so(boss: Client) -> None:
    job = a_job(name="still", active=False)
    assert said(act(boss, "deactivate", job.pk)) == [f"still (probe {job.number}): paused already"]


def test_deleting_asks_first_and_tells_how_many_runs_go_too(boss: Client) -> None:
    job = a_job(name="doomed")
    page = text(act(boss, "delete_selected", job.pk))
    assert "with 0 ended and 0 open runs" in page
    assert Job.objects.filter(pk=job.pk).exists()


def test_deleting_several_goes_through_the_core(boss: Client) -> None:
    doomed, kept = a_job(), a_job()
    act(boss, "delete_selected", doomed.pk, post="yes")
    assert list(Job.objects.values_list("pk", flat=True)) == [kept.pk]
    assert JobChange.objects.get(job_id=doomed.pk, verb="deleted").by == "boss"


def test_an_action_on_too_many_jobs_is_refused(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler.admin.job_actions.MOST", 1)
    first, second = a_job(), a_job()
    assert said(act(boss, "run_now", first.pk, second.pk)) == [
        "At most 1 jobs at once: narrow the selection by a filter."
    ]
    assert not Execution.objects.exists()


def test_somebody_who_may_only_look_is_offered_no_action(viewer: Client) -> None:
    job = a_job(expression=MINUTELY)
    page = viewer.get(url(LIST))
    assert page.status_code == 200
    assert page.context["action_form"] is None
    act(viewer, "run_now", job.pk)
    act(viewer, "deactivate", job.pk)
    act(viewer, "delete_selected", job.pk, post="yes")
    assert Job.objects.get().active
    assert not Execution.objects.exists()


@pytest.mark.parametrize(
    ("permission", "actions"),
    [
        ("scheduler.run_job", ["run_now"]),
        ("scheduler.pause_job", ["activate", "deactivate"]),
        ("scheduler.delete_job", ["delete_selected"]),
    ],
)
def test_each_action_needs_its_permission(login: Login, permission: str, actions: list[str]) -> None:
    client = login("scheduler.view_job", permission)
    a_job()
    choices = client.get(url(LIST)).context["action_form"].fields["action"].choices
    assert sorted(name for name, _ in choices if name) == actions


def test_without_permission_there_is_no_list(login: Login) -> None:
    assert login().get(url(LIST)).status_code == 403
