"""History: rows as the reference prints them, the strategies, one run in full, run now."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler import executions, jobs
from scheduler.job_types import Outcome
from scheduler.models import Execution, Job, Status
from tests.voltmx.wire import SUCCESS, Wire, failure, sample
from voltmx import listing
from voltmx.serializers import shown_run

HISTORY = "/admin/api/jobs/history/2"
DONE = Outcome(Status.SUCCEEDED, (), {"method": "POST"}, {"status": 200})
FAILED = Outcome(Status.FAILED, ("opstatus 8009: no",), {"method": "POST"}, {"status": 200})


def ran(wire: Wire, outcome: Outcome) -> Execution:
    """Ask for a run over the wire and end it as a worker would."""
    answer = wire.send("POST", "/admin/api/jobs/job/run/2")
    assert (answer.status_code, answer.json()) == (200, SUCCESS)
    execution = Execution.objects.get(status=Status.QUEUED)
    [started] = executions.start([execution.pk], worker="worker")
    assert executions.finish(started, outcome)
    return Execution.objects.get(pk=execution.pk)


def settle(run: Execution, *, start: datetime, seconds: float) -> None:
    """Put the instants of an ended run where they can be compared."""
    Execution.objects.filter(pk=run.pk).update(started_at=start, ended_at=start + timedelta(seconds=seconds))


def test_history_shows_the_members_of_the_reference_newest_first(wire: Wire) -> None:
    wire.create(sample(jobFrequency="41 5 * * * ? *", historyStrategy="MINIMAL"))
    settle(ran(wire, FAILED), start=datetime(2018, 12, 24, 9, 35, 41, tzinfo=UTC), seconds=2)
    settle(ran(wire, FAILED), start=datetime(2018, 12, 24, 10, 35, 41, tzinfo=UTC), seconds=0)
    expected = [
        {
            "jobRunId": 2,
            "jobStartTime": "2018-12-24 10:35:41",
            "jobEndTime": "2018-12-24 10:35:41",
            "jobDuration": 0,
            "executionFrequency": "41 5 * * * ? *",
            "executionStatus": "Fail",
            "completeHistory": False,
        },
        {
            "jobRunId": 1,
            "jobStartTime": "2018-12-24 09:35:41",
            "jobEndTime": "2018-12-24 09:35:43",
            "jobDuration": 2000,
            "executionFrequency": "41 5 * * * ? *",
            "executionStatus": "Fail",
            "completeHistory": False,
        },
    ]
    for path in (HISTORY, HISTORY + "/"):
        rows = wire.get(path)
        assert rows == expected
        assert [list(row) for row in rows] == [list(row) for row in expected]


def test_the_list_says_of_each_run_what_the_run_says_itself(wire: Wire, settings: Any) -> None:
    settings.VOLTMX_TIME_ZONE = "Europe/Amsterdam"
    wire.create(sample(jobFrequency="41 5 * * * ? *", historyStrategy="MINIMAL"))
    start = datetime(2026, 10, 25, 0, 59, 59, 999_500, tzinfo=UTC)
    settle(ran(wire, DONE), start=start, seconds=1.0005)
    settle(ran(wire, Outcome(Status.WARNED, ("perhaps",))), start=start, seconds=3600.9999)
    settle(ran(wire, FAILED), start=start, seconds=0.0009)
    before_it_began = jobs.run_now(Job.objects.get(), by="admin")
    assert executions.cancel(before_it_began, by="admin")
    Execution.objects.filter(number=1).update(frequency=None)
    Execution.objects.filter(number=2).update(frequency='\\ "ü" \u2028 😀')
    rows = wire.get(HISTORY)
    assert [row["jobRunId"] for row in rows] == [4, 3, 2, 1]
    assert rows == [shown_run(run) for run in Execution.objects.order_by("-number")]
    assert [row["jobDuration"] for row in rows] == [0, 0, 3600999, 1000]


def test_a_long_history_comes_in_pieces_without_a_gap(wire: Wire) -> None:
    wire.create(sample(historyStrategy="MINIMAL"))
    for _ in range(5):
        ran(wire, DONE)
    job = Job.objects.get()
    texts = list(listing.runs(job.pk, batch=2))
    assert ([row["jobRunId"] for row in json.loads("".join(texts))], len(texts)) == ([5, 4, 3, 2, 1], 4)
    assert list(listing.runs(0)) == ["[]"]


@pytest.mark.parametrize(
    ("strategy", "rows"),
    [
        ("OFF", []),
        ("MINIMAL", [("Fail", False), ("Success", False)]),
        ("ERROR", [("Fail", True), ("Success", False)]),
        ("FULL", [("Fail", True), ("Success", True)]),
    ],
)
def test_each_strategy_keeps_what_it_promises(wire: Wire, strategy: str, rows: list[tuple[str, bool]]) -> None:
    wire.create(sample(historyStrategy=strategy))
    ran(wire, DONE)
    ran(wire, FAILED)
    assert [(row["executionStatus"], row["completeHistory"]) for row in wire.get(HISTORY)] == rows


@pytest.mark.parametrize("strategy", ["OFF", "MINIMAL"])
def test_the_list_tells_the_last_run_whatever_the_strategy(wire: Wire, strategy: str) -> None:
    wire.create(sample(historyStrategy=strategy))
    ran(wire, DONE)
    ran(wire, FAILED)
    job = wire.get("/admin/api/jobs/job")[0]
    counts = (job["jobHistoryTotal"], job["jobHistorySuccessCount"], job["jobHistoryFailCount"])
    assert (job["jobLastRunStatus"], counts) == ("Fail", (0, 0, 0) if strategy == "OFF" else (2, 1, 1))


def test_a_run_with_complete_history_shows_request_and_response(wire: Wire) -> None:
    wire.create(sample(historyStrategy="FULL"))
    settle(ran(wire, FAILED), start=datetime(2026, 11, 22, 9, 0, 0, tzinfo=UTC), seconds=1.5)
    assert wire.get(f"{HISTORY}/1") == {
        "jobRunId": 1,
        "jobStartTime": "2026-11-22 09:00:00",
        "jobEndTime": "2026-11-22 09:00:01",
        "jobDuration": 1500,
        "executionFrequency": "19 0 * * * ? *",
        "executionStatus": "Fail",
        "completeHistory": True,
        "messages": ["opstatus 8009: no"],
        "attempts": [],
        "truncated": False,
        "request": {"method": "POST"},
        "response": {"status": 200},
    }


def test_a_run_without_complete_history_shows_neither(wire: Wire) -> None:
    wire.create(sample(historyStrategy="MINIMAL"))
    ran(wire, FAILED)
    run = wire.get(f"{HISTORY}/1/")
    assert (run["completeHistory"], run["request"], run["response"]) == (False, None, None)


@pytest.mark.parametrize("run", ["2", "0", "x", "-1", "9" * 30])
def test_a_run_that_is_not_there_answers_404(wire: Wire, run: str) -> None:
    wire.create(sample(historyStrategy="FULL"))
    ran(wire, DONE)
    assert failure(wire.send("GET", f"{HISTORY}/{run}")) == (404, None)


def test_runs_that_are_open_are_no_history(wire: Wire) -> None:
    wire.create(sample(historyStrategy="FULL"))
    wire.send("POST", "/admin/api/jobs/job/run/2/")
    assert wire.get(HISTORY) == []
    assert failure(wire.send("GET", f"{HISTORY}/1")) == (404, None)


def test_a_run_is_told_who_asked_for_it(wire: Wire) -> None:
    wire.create(sample())
    wire.send("POST", "/admin/api/jobs/job/run/2", b"ignored=1", content_type="application/x-www-form-urlencoded")
    assert Execution.objects.get().requested_by == "user.id@example.com"


def test_the_frequency_of_a_run_is_the_one_it_fired_under(wire: Wire) -> None:
    wire.create(sample(historyStrategy="MINIMAL", jobFrequency="* 0/10 * * * ? *"))
    ran(wire, DONE)
    wire.send("PUT", "/admin/api/jobs/job", {"jobId": 2, "jobFrequency": "0 0 9 * * ? *"})
    ran(wire, DONE)
    assert [row["executionFrequency"] for row in wire.get(HISTORY)] == ["0 0 9 * * ? *", "* 0/10 * * * ? *"]


def test_a_run_cancelled_before_it_began_is_a_failure_of_no_length(wire: Wire) -> None:
    wire.create(sample(historyStrategy="MINIMAL"))
    wire.send("POST", "/admin/api/jobs/job/run/2")
    executions.cancel(Execution.objects.get(), by="ops")
    [row] = wire.get(HISTORY)
    assert (row["executionStatus"], row["jobDuration"]) == ("Fail", 0)
    assert row["jobStartTime"] == row["jobEndTime"] is not None


def test_earlier_attempts_are_listed(wire: Wire) -> None:
    wire.create(sample(historyStrategy="FULL"))
    jobs.update(Job.objects.get(), {"max_retries": 1, "retry_delay_seconds": 0}, by="admin")
    wire.send("POST", "/admin/api/jobs/job/run/2")
    execution = Execution.objects.get()
    [first] = executions.start([execution.pk], worker="one")
    again = Outcome(Status.FAILED, ("refused",), None, None, retryable=True)
    executions.finish(first, again)
    # In a test's one transaction the clock stands still, and the retry lies just ahead of it.
    Execution.objects.update(ready_at=execution.created_at - timedelta(minutes=1))
    [second] = executions.start([execution.pk], worker="two")
    executions.finish(second, DONE)
    run = wire.get(f"{HISTORY}/1")
    attempts: list[dict[str, Any]] = run["attempts"]
    assert (run["executionStatus"], [(item["attempt"], item["message"]) for item in attempts]) == (
        "Success",
        [(1, "refused")],
    )
    assert all(len(item[name]) == 19 for item in attempts for name in ("startTime", "endTime"))
