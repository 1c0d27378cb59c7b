"""Runs in the console: list, page, cancel, run again."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scheduler import endings, jobs
from scheduler.admin import execution_list
from scheduler.job_types import Outcome
from scheduler.models import Execution, Job, Status
from scheduler.window import Window, first_id_since, window
from tests.scheduler.admin.pages import act, said, text, url
from tests.scheduler.factories import a_job, started

LIST = "scheduler_execution_changelist"
PAGE = "scheduler_execution_change"


def ended(job: Job, status: Status = Status.SUCCEEDED, **outcome: object) -> Execution:
    """A run of `job` that ended."""
    run = started(job)
    assert endings.finish(run, Outcome(status, **outcome))  # type: ignore[arg-type]
    return Execution.objects.get(pk=run.execution_id)


def skipped(job: Job, *, at: datetime) -> Execution:
    return Execution.objects.create(
        job=job, scheduled_for=at, status=Status.SKIPPED, reason="overlap", queue="services", ended_at=at
    )


def test_the_list_shows_the_newest_first(boss: Client) -> None:
    job = a_job()
    first, second = ended(job), ended(job, Status.FAILED, messages=("<b>no route</b>",))
    page = boss.get(url(LIST))
    assert [execution.pk for execution in page.context["cl"].result_list] == [second.pk, first.pk]
    assert "&lt;b&gt;no route&lt;/b&gt;" in text(page)


def test_a_list_of_many_runs_takes_as_many_queries_as_one_of_one(boss: Client) -> None:
    ended(a_job())
    boss.get(url(LIST))
    with CaptureQueriesContext(connection) as one:
        boss.get(url(LIST))
    for _ in range(20):
        ended(a_job())
    with CaptureQueriesContext(connection) as many:
        boss.get(url(LIST))
    assert len(many) == len(one)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["failed", "open", "skipped", "succeeded"]),
        ("status=4", ["failed"]),
        ("status=open", ["open"]),
        ("status=5", ["skipped"]),
        ("kind=probe", ["failed", "open", "skipped", "succeeded"]),
        ("kind=voltmx", []),
        ("job=other", []),
        ("job=999999", []),
        ("status=4&kind=probe&scheduled_for_from_0=2020-01-01", ["failed"]),
        ("scheduled_for_to_0=2020-01-01", []),
        ("scheduled_for_from_0=2190-01-01", []),
        ("scheduled_for_from_0=nonsense&scheduled_for_to_0=2020-13-45", ["failed", "open", "skipped", "succeeded"]),
    ],
)
def test_filters(boss: Client, query: str, found: list[str]) -> None:
    ended(a_job(name="failed"), Status.FAILED)
    ended(a_job(name="succeeded"))
    jobs.run_now(a_job(name="open"), by="tester")
    skipped(a_job(name="skipped"), at=datetime.now(UTC))
    shown = boss.get(f"{url(LIST)}?{query}").context["cl"].result_list
    assert sorted(execution.job.name for execution in shown) == found


def test_the_runs_of_one_job_come_by_number_and_its_skipped_instants_by_due(boss: Client) -> None:
    job = a_job()
    ended(a_job())
    first, second = ended(job), ended(job)
    now = datetime.now(UTC)
    newer, older = skipped(job, at=now), skipped(job, at=now - timedelta(hours=1))
    runs = boss.get(url(LIST), {"job": str(job.pk)}).context["cl"].result_list
    assert [execution.pk for execution in runs] == [second.pk, first.pk]
    instants = boss.get(url(LIST), {"job": str(job.pk), "status": "5"}).context["cl"].result_list
    assert [execution.pk for execution in instants] == [newer.pk, older.pk]


def test_a_filter_without_an_index_looks_through_a_window_and_says_so(
    boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = a_job()
    old = ended(job, Status.FAILED)
    for _ in range(3):
        ended(job)
    narrow = lambda **asked: window(**asked, widest=2)  # noqa: E731
    monkeypatch.setattr(execution_list, "window", narrow)
    page = boss.get(url(LIST), {"status": "4"})
    assert list(page.context["cl"].result_list) == []
    assert "Looked through 200,000 runs" in text(page)
    by_job = boss.get(url(LIST), {"status": "4", "job": str(job.pk)}).context["cl"].result_list
    assert [execution.pk for execution in by_job] == [old.pk]


def test_the_first_run_since_an_instant_is_found_by_its_id(db: None) -> None:
    job = a_job(overlap="allow")
    runs = [jobs.run_now(job, by="tester").pk for _ in range(5)]
    beginning = datetime(2026, 1, 1, tzinfo=UTC)
    for hours, pk in enumerate(runs):
        Execution.objects.filter(pk=pk).update(created_at=beginning + timedelta(hours=hours))
    Execution.objects.filter(pk=runs[3]).delete()
    since = [first_id_since(beginning + timedelta(hours=hours, minutes=30)) for hours in (-1, 0, 1, 2, 4)]
    assert since[:3] == [runs[0], runs[1], runs[2]]
    assert runs[2] < since[3] <= runs[4]
    assert since[4] == runs[4] + 1
    assert window(since=beginning, until=beginning + timedelta(hours=1)) == Window(runs[0], runs[2], False)


def test_there_is_a_window_where_there_is_no_run(db: None) -> None:
    Execution.objects.all().delete()
    assert window(since=datetime(2026, 1, 1, tzinfo=UTC)) == Window(0, 1, False)


def test_the_page_shows_instants_messages_request_and_response(boss: Client) -> None:
    execution = ended(
        a_job(history_strategy="FULL"),
        Status.FAILED,
        messages=("HTTP 500 <oops>",),
        request={"url": "http://example.test/?a=1&b=2"},
        response={"body": "<script>alert(1)</script>"},
    )
    page = text(boss.get(url(PAGE, execution.pk)))
    assert "HTTP 500 &lt;oops&gt;" in page
    assert "http://example.test/?a=1&amp;b=2" in page
    assert "<script>alert(1)</script>" not in page
    for word in ("Due", "Claimed", "Ready", "Started", "Ended", "worker-1"):
        assert word in page


def test_the_page_says_where_nothing_was_kept(boss: Client) -> None:
    execution = ended(a_job(history_strategy="MINIMAL"))
    assert "kept no request and response" in text(boss.get(url(PAGE, execution.pk)))


def test_the_page_of_a_skipped_instant_says_why(boss: Client) -> None:
    execution = skipped(a_job(), at=datetime.now(UTC))
    page = text(boss.get(url(PAGE, execution.pk)))
    assert "An earlier run of the job was not finished" in page


def test_messages_cut_off_at_the_limit_are_shown_as_one(boss: Client, settings: object) -> None:
    execution = ended(a_job())
    Execution.objects.filter(pk=execution.pk).update(messages='["cut off he')
    assert "[&quot;cut off he" in text(boss.get(url(PAGE, execution.pk)))


def test_the_arguments_of_a_run_are_masked(boss: Client) -> None:
    execution = jobs.run_now(a_job(), by="tester", arguments={"secret": "hunter2"})
    page = text(boss.get(url(PAGE, execution.pk)))
    assert "hunter2" not in page
    assert "Of this run alone." in page


def test_an_open_run_refreshes_itself_until_it_has_ended(boss: Client) -> None:
    run = started(a_job())
    Execution.objects.filter(pk=run.execution_id).update(progress_done=3, progress_total=4)
    assert f'data-refresh="{url("scheduler_execution_live", run.execution_id)}"' in text(
        boss.get(url(PAGE, run.execution_id))
    )
    live = boss.get(url("scheduler_execution_live", run.execution_id))
    assert "75 %" in text(live)
    assert "X-Refresh" not in live.headers
    endings.finish(run, Outcome(Status.SUCCEEDED))
    assert boss.get(url("scheduler_execution_live", run.execution_id)).headers["X-Refresh"] == "done"


def test_a_queued_run_is_cancelled(boss: Client) -> None:
    execution = jobs.run_now(a_job(), by="tester")
    answer = boss.post(url("scheduler_execution_cancel", execution.pk))
    assert said(answer) == ["The run was cancelled before it started."]
    execution.refresh_from_db()
    assert (execution.status, execution.messages) == (Status.CANCELLED, ["cancelled by boss"])


def test_a_running_run_is_told_to_stop(boss: Client) -> None:
    run = started(a_job())
    answer = boss.post(url("scheduler_execution_cancel", run.execution_id))
    assert said(answer) == ["The run was told to stop; it ends within seconds."]
    assert Execution.objects.get().cancel_requested


def test_cancelling_what_has_ended_says_so(boss: Client) -> None:
    execution = ended(a_job())
    assert said(boss.post(url("scheduler_execution_cancel", execution.pk))) == ["The run had ended already."]


def test_several_runs_are_cancelled_from_the_list(boss: Client) -> None:
    job = a_job(overlap="allow")
    over, first, second = ended(job), jobs.run_now(job, by="tester"), jobs.run_now(job, by="tester")
    answer = act(boss, "cancel", over.pk, first.pk, second.pk, model="scheduler_execution")
    assert said(answer) == ["Cancelled 2 of 3; the others had ended already."]


def test_run_again_uses_the_arguments_of_that_run(boss: Client) -> None:
    job = a_job(overlap="allow")
    old = jobs.run_now(job, by="tester", arguments={"status": 3, "secret": "hunter2"})
    answer = boss.post(url("scheduler_execution_again", old.pk))
    new = Execution.objects.newest_first()[0]
    assert answer.headers["Location"] == url(PAGE, new.pk)
    assert (new.arguments, new.requested_by) == ({"status": 3, "secret": "hunter2"}, "boss")


def test_run_again_with_edited_arguments_keeps_what_stayed_masked(boss: Client) -> None:
    job = a_job(overlap="allow", arguments={"secret": "hunter2", "city": "Ulm"})
    old = jobs.run_now(job, by="tester")
    boss.post(url("scheduler_execution_again", old.pk), {"arguments": '{"secret": "********", "city": "Bonn"}'})
    assert Execution.objects.newest_first()[0].arguments == {"secret": "hunter2", "city": "Bonn"}
    assert Job.objects.get().arguments == {"secret": "hunter2", "city": "Ulm"}


def test_run_again_with_the_jobs_own_arguments_stays_with_the_jobs(boss: Client) -> None:
    job = a_job(overlap="allow", arguments={"city": "Ulm"})
    old = jobs.run_now(job, by="tester")
    boss.post(url("scheduler_execution_again", old.pk), {"arguments": '{"city": "Ulm"}'})
    assert Execution.objects.newest_first()[0].arguments is None


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("{", "This is no JSON"),
        ("[]", "Give a JSON object"),
        ('{"refuse": "no such city"}', "arguments: no such city"),
        ('{"a": "' + "x" * 1_000_000 + '"}', "too long"),
    ],
)
def test_arguments_that_cannot_run_are_refused_and_kept_for_editing(boss: Client, typed: str, why: str) -> None:
    old = jobs.run_now(a_job(overlap="allow"), by="tester")
    answer = boss.post(url("scheduler_execution_again", old.pk), {"arguments": typed})
    assert answer.status_code == 422
    assert why in said(answer)[0]
    assert answer.context["edited"] == typed[:1_000_000]
    assert Execution.objects.count() == 1


def test_run_again_beside_an_open_run_says_that_it_was_skipped(boss: Client) -> None:
    old = jobs.run_now(a_job(), by="tester")
    answer = boss.post(url("scheduler_execution_again", old.pk))
    assert said(answer) == ["Skipped: an earlier run was not finished."]


@pytest.mark.parametrize("verb", ["cancel", "again"])
def test_somebody_who_may_only_look_is_refused(viewer: Client, verb: str) -> None:
    execution = jobs.run_now(a_job(), by="tester")
    assert viewer.get(url(PAGE, execution.pk)).status_code == 200
    assert viewer.post(url(f"scheduler_execution_{verb}", execution.pk)).status_code == 403
    assert Execution.objects.get().status == Status.QUEUED


@pytest.mark.parametrize("verb", ["cancel", "again"])
def test_what_acts_takes_no_get(boss: Client, verb: str) -> None:
    execution = jobs.run_now(a_job(), by="tester")
    assert boss.get(url(f"scheduler_execution_{verb}", execution.pk)).status_code == 405


def test_nobody_edits_adds_or_deletes_a_run(boss: Client) -> None:
    execution = ended(a_job())
    assert boss.post(url(PAGE, execution.pk), {"status": 0}).status_code == 403
    assert boss.get(url("scheduler_execution_add")).status_code == 403
    assert boss.post(url("scheduler_execution_delete", execution.pk), {"post": "yes"}).status_code == 403


def test_an_unknown_run_is_not_found(boss: Client) -> None:
    assert boss.get(url("scheduler_execution_live", 999)).status_code == 404
    assert boss.post(url("scheduler_execution_cancel", 999)).status_code == 404
