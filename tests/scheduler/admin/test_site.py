"""The console as a whole: navigation, processes, changes, who gets in."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import admin
from django.test import Client

from scheduler import processes
from scheduler.models import JobChange, Process
from tests.browser.pages import PAGES
from tests.scheduler.admin.conftest import Login
from tests.scheduler.admin.pages import text, url
from tests.scheduler.factories import a_job


def test_nobody_gets_in_without_logging_in(client: Client, db: None) -> None:
    job = a_job()
    for page in (url("index"), url("scheduler_job_changelist"), url("scheduler_job_change", job.pk)):
        assert client.get(page).headers["Location"].startswith(url("login"))
    answer = client.post(url("scheduler_job_run", job.pk))
    assert answer.headers["Location"].startswith(url("login"))


def test_the_side_bar_shows_what_a_user_may_see(viewer: Client) -> None:
    groups = viewer.get(url("index")).context["sidebar_navigation"]
    titles = [[item["title"] for item in group["items"]] for group in groups]
    assert titles == [["Dashboard", "Jobs", "Executions", "Processes", "Job changes", "APIs"]]


def test_processes_tell_who_is_alive_and_on_which_queues(boss: Client) -> None:
    processes.renew("worker@a:1:1", Process.Kind.WORKER, queues=["services", "slow"], slots=8)
    processes.renew("beat@a:2:1", Process.Kind.BEAT)
    Process.objects.filter(kind="beat").update(beat_at=datetime.now(UTC) - timedelta(minutes=5))
    page = text(boss.get(url("scheduler_process_changelist")))
    assert "services, slow" in page
    assert "silent for 5 min" in page
    assert boss.get(url("scheduler_process_change", "worker@a:1:1")).status_code == 200


@pytest.mark.parametrize("model", ["process", "jobchange"])
def test_what_the_core_writes_cannot_be_added(boss: Client, model: str) -> None:
    assert boss.get(url(f"scheduler_{model}_add")).status_code == 403


def test_changes_are_listed_with_who_made_them_and_cannot_be_edited(boss: Client) -> None:
    job = a_job()
    change = JobChange.objects.get()
    page = boss.get(f"{url('scheduler_jobchange_changelist')}?job={job.pk}")
    assert "tester" in text(page)
    assert boss.get(url("scheduler_jobchange_change", change.pk)).status_code == 200
    assert boss.post(url("scheduler_jobchange_change", change.pk), {"by": "x"}).status_code == 403


@pytest.mark.parametrize("query", ["job=999", "job=x", "verb__exact=deleted", "at_from_0=2190-01-01"])
def test_changes_are_filtered(boss: Client, query: str) -> None:
    a_job()
    assert list(boss.get(f"{url('scheduler_jobchange_changelist')}?{query}").context["cl"].result_list) == []


def test_users_and_groups_have_their_pages(boss: Client, login: Login) -> None:
    for page in ("auth_user_changelist", "auth_user_add", "auth_group_changelist", "auth_group_add"):
        assert boss.get(url(page)).status_code == 200
    assert login().get(url("auth_user_changelist")).status_code == 403


def test_the_page_loads_nothing_from_another_host(boss: Client) -> None:
    job = a_job()
    for page in (url("index"), url("scheduler_job_changelist"), url("scheduler_job_change", job.pk)):
        shown = text(boss.get(page))
        assert 'src="http' not in shown
        assert 'href="http' not in shown
        assert 'src="//' not in shown


def test_the_browser_looks_at_the_list_of_every_table() -> None:
    lists = {f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry}
    assert sorted(lists - set(PAGES.values())) == []
