"""``manage.py jobs``: what it lists and shows, how it runs and switches jobs, and how it ends."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from scheduler import claims, executions, jobs
from scheduler.calendars import store as calendars
from scheduler.cli.following import follow
from scheduler.cli.problems import Refused
from scheduler.job_types import Outcome
from scheduler.management.commands.jobs import Command
from scheduler.models import Execution, Job, JobChange, Status
from tests.scheduler.cli.helpers import Ended, jobs_command
from tests.scheduler.factories import YEARLY, a_job, due, started

pytestmark = pytest.mark.django_db


def ended(job: Job, status: Status, *messages: str) -> None:
    assert executions.finish(started(job), Outcome(status, messages))


def test_jobs_are_listed_with_how_they_go() -> None:
    good, bad = a_job(name="good", number=1), a_job(name="bad [red]", number=2, zone="Asia/Tokyo", active=False)
    ended(good, Status.SUCCEEDED)
    ended(bad, Status.FAILED, "no")
    _, first, second = (re.split(r" {2,}", line.strip()) for line in jobs_command("list").out.splitlines())
    assert (first[:3], first[-2:]) == (["probe/1", "good", YEARLY], ["1", "0"])
    assert (second[:4], second[-2:]) == (["probe/2", "bad [red]", f"{YEARLY} Asia/Tokyo", "paused"], ["1", "1"])
    assert ("succeeded" in " ".join(first), "failed" in " ".join(second)) == (True, True)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], ["alpha", "beta", "gamma"]),
        (["--search", "AM"], ["gamma"]),
        (["--active"], ["alpha", "gamma"]),
        (["--paused"], ["beta"]),
        (["--failed"], ["gamma"]),
        (["--kind", "voltmx"], []),
        (["--limit", "2"], ["alpha", "beta"]),
        (["--limit", "0"], ["alpha", "beta", "gamma"]),
    ],
)
def test_a_list_can_be_narrowed(options: list[str], names: list[str]) -> None:
    a_job(name="alpha"), a_job(name="beta", active=False)
    ended(a_job(name="gamma"), Status.FAILED)
    assert [record["name"] for record in jobs_command("list", "--json", *options).json] == names


def test_a_cut_list_tells_how_many_more_there_are() -> None:
    for _ in range(3):
        a_job()
    assert jobs_command("list", "--limit", "1").out.splitlines()[-1] == "and 2 more; --limit 0 lists all"


def test_a_list_takes_the_same_queries_however_long_it_is(django_assert_num_queries: Any) -> None:
    for _ in range(20):
        a_job()
    with django_assert_num_queries(1):
        jobs_command("list")


def test_control_characters_do_not_reach_the_terminal() -> None:
    a_job(name="a\x1b[2Jb")
    assert "\x1b" not in jobs_command("list").out


def test_a_job_is_shown_with_its_definition_fires_and_runs() -> None:
    job = a_job(name="nightly", priority=3, arguments={"gate": "x"})
    ended(job, Status.WARNED, "slow")
    shown = jobs_command("show", "nightly")
    assert shown.code == 0
    for part in (f"probe/{job.number}", "priority: 3", "gate: x", "-01-01 00:00:00", "warned", "slow", "by tester"):
        assert part in shown.out
    told = jobs_command("show", f"probe/{job.number}", "--json").json
    assert (told["definition"]["arguments"], len(told["next_fires"])) == ({"gate": "x"}, 5)
    assert [run["messages"] for run in told["latest_runs"]] == [["slow"]]


def test_days_of_a_jobs_calendars_are_no_fires() -> None:
    closed = calendars.save(None, calendars.Rules(name="Weekend", weekdays=(5, 6)), by="tester")
    job = a_job(expression="0 0 12 * * ?", calendars=[closed.pk])
    fires = jobs_command("show", f"probe/{job.number}", "--json").json["next_fires"]
    days = [datetime.fromisoformat(fire).weekday() for fire in fires]
    assert (len(days), max(days) <= 4) == (5, True)


def test_a_list_says_which_next_fires_are_on_closed_days(django_assert_num_queries: Any) -> None:
    closed = calendars.save(None, calendars.Rules(name="New year", dates="01-01 Feast"), by="tester")
    a_job(name="kept in"), a_job(name="open", expression="0 0 0 2 1 ?", calendars=[closed.pk])
    for _ in range(5):
        a_job(name="kept out", calendars=[closed.pk])
    assert [record["closed_by"] for record in jobs_command("list", "--json").json] == [
        None,
        None,
        *["New year: Feast"] * 5,
    ]
    with django_assert_num_queries(2):
        lines = jobs_command("list").out.splitlines()
    assert [line.count("-01-01 00:00:00, closed by New year: Feast") for line in lines] == [0, 0, 0, 1, 1, 1, 1, 1]


def test_a_history_lists_the_newest_runs_first() -> None:
    job = a_job()
    ended(job, Status.SUCCEEDED)
    ended(job, Status.FAILED, "no such thing")
    jobs.run_now(job, by="tester")
    runs = jobs_command("history", f"probe/{job.number}", "--json").json
    assert [(run["number"], run["status"]) for run in runs] == [(3, "queued"), (2, "failed"), (1, "succeeded")]
    table = jobs_command("history", f"probe/{job.number}", "--limit", "2").out.splitlines()
    assert (len(table), "no such thing" in table[2]) == (3, True)


def test_a_history_shows_what_did_not_run_and_why_where_it_is_asked_to() -> None:
    job = a_job(misfire="skip")
    instant = due(job, seconds_ago=120)
    claims.claim(limit=1)
    ended(job, Status.SUCCEEDED)
    name = f"probe/{job.number}"
    assert [run["number"] for run in jobs_command("history", name, "--json").json] == [1]
    for limit in ("0", "50"):
        ran, missed = jobs_command("history", name, "--skipped", "--json", "--limit", limit).json
        assert (ran["number"], ran["reason"]) == (1, None)
        told = [missed[member] for member in ("number", "status", "reason", "scheduled_for", "until")]
        assert told == [None, "skipped", "missed", instant.isoformat(), None]
    line = jobs_command("history", name, "--skipped").out.splitlines()[-1]
    assert (line.split()[:2], line.rstrip().endswith("late by more than the grace")) == (["–", "skipped"], True)


def test_jobs_are_paused_and_resumed_by_name_and_number() -> None:
    one, two = a_job(name="one"), a_job(name="two")
    paused = jobs_command("pause", "one", f"probe/{two.number}", "--by", "ada")
    assert (paused.out.splitlines(), list(Job.objects.values_list("active", flat=True))) == (
        [f"probe/{one.number} one is paused", f"probe/{two.number} two is paused"],
        [False, False],
    )
    again = jobs_command("pause", "one")
    resumed = jobs_command("resume", "one")
    assert (again.out, resumed.out) == (
        f"probe/{one.number} one was paused already\n",
        f"probe/{one.number} one is active\n",
    )
    assert JobChange.objects.filter(job_id=two.pk).latest("id").by == "ada"


def test_the_author_is_the_user_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    job = a_job(name="one")
    jobs_command("pause", "one")
    assert JobChange.objects.filter(job_id=job.pk).latest("id").by == "grace"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("probe/99", "no probe job 99"),
        ("nightli", "there is no job 'nightli'; did you mean probe/1 'nightlies'?"),
        ("probe/dayly", "there is no probe job 'dayly'"),
        ("twin", "several jobs have the name 'twin': probe/2, probe/3"),
    ],
)
def test_who_names_no_job_is_told_what_there_is(text: str, problem: str) -> None:
    a_job(name="nightlies", number=1), a_job(name="twin", number=2), a_job(name="twin", number=3)
    assert jobs_command("show", text) == Ended(1, "", (problem,))


def test_a_run_is_asked_for_with_arguments_of_its_own(tmp_path: Path) -> None:
    job = a_job()
    file = tmp_path / "arguments.json"
    file.write_text('{"messages": ["from a file"]}')
    name = f"probe/{job.number}"
    run = jobs_command("run", name, "--by", "ada")
    assert (run.code, run.out) == (0, f"run 1 of {name} is queued\n")
    assert Execution.objects.get().requested_by == "ada"
    skipped = jobs_command("run", name, "--wait", "--arguments", f"@{file}")
    assert (skipped.code, skipped.out.startswith(f"a run of {name} is skipped: ")) == (1, True)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("{", "--arguments must be JSON"),
        ("[]", "--arguments must be a JSON object"),
        ('{"refuse": "not this"}', "not this"),
        ("@/nowhere", "/nowhere cannot be read: No such file or directory"),
    ],
)
def test_arguments_that_cannot_be_are_refused(given: str, problem: str) -> None:
    job = a_job()
    assert jobs_command("run", f"probe/{job.number}", "--arguments", given) == Ended(1, "", (problem,))
    assert Execution.objects.count() == 0


@pytest.mark.parametrize(
    ("status", "code"), [(Status.SUCCEEDED, 0), (Status.WARNED, 0), (Status.FAILED, 1), (Status.CANCELLED, 1)]
)
def test_waiting_ends_as_the_run_does(monkeypatch: pytest.MonkeyPatch, status: Status, code: int) -> None:
    job = a_job()

    def work(_: float) -> None:
        execution = Execution.objects.get()
        if status is Status.CANCELLED:
            executions.cancel(execution, by="tester")
            return
        [run] = executions.start([execution.pk], worker="worker")
        executions.finish(run, Outcome(status, ("that is all",)))

    monkeypatch.setattr("scheduler.cli.following.time.sleep", work)
    waited = jobs_command("run", f"probe/{job.number}", "--wait", "--json")
    assert (waited.code, waited.json["status"]) == (code, status.label)


def test_waiting_has_a_limit_and_the_run_goes_on() -> None:
    job = a_job()
    waited = jobs_command("run", f"probe/{job.number}", "--wait", "--timeout", "0")
    assert (waited.code, waited.problems) == (1, ("the run has not ended within 0 seconds; it goes on",))
    assert Execution.objects.get().status == Status.QUEUED


def test_a_run_that_vanishes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    execution = jobs.run_now(a_job(), by="tester")
    monkeypatch.setattr("scheduler.cli.following.time.sleep", lambda _: Execution.objects.all().delete())
    with pytest.raises(Refused, match="deleted while it was waited for"):
        follow(execution, console=Console(quiet=True))


@pytest.mark.parametrize("arguments", [[], ["plan"], ["list", "--limit", "-1"], ["nothing"], ["list", "--what"]])
def test_wrong_usage_ends_with_1_as_2_means_changes(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    command = Command()
    command._called_from_command_line = True  # type: ignore[attr-defined]
    with pytest.raises(SystemExit) as leaving:
        command.create_parser("manage.py", "jobs").parse_args(arguments)
    assert (leaving.value.code, "usage: manage.py jobs" in capsys.readouterr().err) == (1, True)


@pytest.mark.parametrize("verb", ["show", "export", "list"])
def test_jobs_of_a_kind_that_nobody_knows_any_more_can_be_looked_at(verb: str) -> None:
    job = a_job(name="orphan")
    Job.objects.filter(pk=job.pk).update(kind="gone")
    told = jobs_command(verb, *(["gone/" + str(job.number)] if verb == "show" else []))
    if verb == "export":
        assert (told.code, told.problems[0].startswith("no job type 'gone'")) == (1, True)
    else:
        assert (told.code, "orphan" in told.out) == (0, True)
