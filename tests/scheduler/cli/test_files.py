"""Jobs in files: written and read as the same, planned, applied whole or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler import clock, jobs
from scheduler.calendars import store as calendars
from scheduler.cli import applying, documents, entries, exporting, planning
from scheduler.cli.problems import Refused
from scheduler.definition import PLAIN, Definition
from scheduler.history import Strategy
from scheduler.misfire import Misfire
from scheduler.models import Job, JobChange
from scheduler.overlap import Overlap
from scheduler.schedule import Schedule
from tests.scheduler.cli.helpers import Ended, jobs_command, written
from tests.scheduler.cli.test_documents import TEXTS, VALUES
from tests.scheduler.factories import YEARLY, a_definition, a_job

pytestmark = pytest.mark.django_db

FUTURE = datetime.now(UTC).replace(microsecond=0) + timedelta(days=400)


def applied(folder: Path, text: str, *options: str) -> Ended:
    return jobs_command("apply", written(folder, text), "--yes", "--by", "ada", *options)


def planned(folder: Path, text: str, *options: str) -> Ended:
    return jobs_command("plan", written(folder, text), *options)


def read(text: str) -> entries.WantedFile:
    return entries.read_all(documents.read_file(text.encode()), today=clock.now().date())


def definitions() -> dict[int, Definition]:
    return {job.number: Definition.of(job) for job in Job.objects.order_by("number")}


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60).filter(
    str.strip
)
SMALL = st.integers(0, 2**15 - 1)
INSTANTS = st.integers(1, 10**8).map(lambda seconds: FUTURE + timedelta(seconds=seconds, microseconds=seconds % 10**6))
SCHEDULES = st.one_of(
    st.builds(
        Schedule,
        expression=st.sampled_from([YEARLY, "0 0/5 * * * ?", "*/7 3 * * 1-5", "0 0 0 L * ?"]),
        zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Calcutta"]),
        text=st.none() | NAMES,
        starts_at=st.none() | st.just(FUTURE.astimezone(timezone(timedelta(hours=5, minutes=30)))),
        ends_at=st.none() | st.just(FUTURE + timedelta(days=4000)),
    ),
    st.builds(Schedule, run_at=INSTANTS, zone=st.sampled_from(["UTC", "Asia/Tokyo"])),
)
DEFINITIONS = st.builds(
    Definition,
    name=NAMES,
    schedule=SCHEDULES,
    arguments=st.dictionaries(TEXTS, VALUES, max_size=4).filter(lambda found: not found.get("refuse")),
    description=st.none() | TEXTS,
    active=st.booleans(),
    history_strategy=st.sampled_from([item.value for item in Strategy]),
    retention_days=st.integers(1, 3650),
    misfire=st.sampled_from([item.value for item in Misfire]),
    misfire_grace_seconds=st.none() | SMALL,
    overlap=st.sampled_from([item.value for item in Overlap]),
    timeout_seconds=st.none() | st.integers(1, 10**6),
    max_retries=SMALL,
    retry_delay_seconds=SMALL,
    retry_max_delay_seconds=SMALL,
    priority=st.integers(0, 9),
    queue=st.sampled_from(["", "services", "a.b:c-d_1"]),
    expires_seconds=st.none() | st.integers(1, 10**6),
    headers=st.none() | st.dictionaries(TEXTS, TEXTS, max_size=3),
    concurrency_key=TEXTS,
)


@settings(max_examples=12)
@given(st.lists(DEFINITIONS, min_size=1, max_size=2), st.booleans())
def test_export_delete_apply_gives_equal_definitions(made: list[Definition], sealed: bool) -> None:
    Job.objects.all().delete()
    for definition in made:
        jobs.create("probe", definition, by="tester")
    before = definitions()
    rows = list(Job.objects.order_by("number"))
    text = "".join(exporting.pieces(rows, kind=None, sealed=sealed, numbers=True))

    def plan() -> planning.Plan:
        return planning.make(read(text), now=clock.now())

    assert plan() == planning.Plan((), len(made))
    for job in rows:
        jobs.delete(job, by="tester")
    assert applying.apply(plan(), again=plan, by="tester") == {"create": len(made)}
    assert (definitions(), plan()) == (before, planning.Plan((), len(made)))


def test_every_field_of_a_definition_travels() -> None:
    assert set(PLAIN) | {"schedule", "kind", "number", "alerts"} == set(entries._KNOWN)


MINIMAL = f"""version: 1
jobs:
- kind: probe
  name: nightly
  schedule: {{expression: {YEARLY}, zone: Europe/Berlin}}
  arguments: {{}}
"""


def test_a_new_job_is_planned_and_created(tmp_path: Path) -> None:
    plan = planned(tmp_path, MINIMAL)
    assert (plan.code, plan.out.splitlines()) == (
        2,
        [
            "+ probe/new nightly",
            '    name: "nightly"',
            f'    schedule.expression: "{YEARLY}"',
            '    schedule.zone: "Europe/Berlin"',
            "    arguments: {}",
            "1 to create, 0 unchanged",
        ],
    )
    assert Job.objects.count() == 0
    done = applied(tmp_path, MINIMAL)
    job = Job.objects.get()
    assert (done.code, done.out.splitlines()[-1], job.name, job.created_by) == (0, "done: 1 created", "nightly", "ada")
    assert Definition.of(job) == Definition(
        name="nightly", schedule=Schedule(expression=YEARLY, zone="Europe/Berlin"), arguments={}, headers={}
    )


def test_applying_again_does_nothing(tmp_path: Path) -> None:
    applied(tmp_path, MINIMAL)
    before = Job.objects.values().get()
    again, plan = applied(tmp_path, MINIMAL), planned(tmp_path, MINIMAL)
    assert (again.code, again.out) == (0, "nothing to do: 1 unchanged\n")
    assert (plan.code, plan.out, Job.objects.values().get()) == (0, "nothing to do: 1 unchanged\n", before)


def test_what_differs_is_shown_and_written_by_the_author(tmp_path: Path) -> None:
    job = a_job(name="nightly", priority=7, arguments={"a": {"b": 1, "c": [1]}})
    text = MINIMAL.replace("arguments: {}", "arguments: {a: {b: 2}}\n  active: false")
    plan = planned(tmp_path, text)
    assert plan.out.splitlines() == [
        f"~ probe/{job.number} nightly",
        "    active: true -> false",
        '    schedule.zone: "UTC" -> "Europe/Berlin"',
        "    priority: 7 -> 5",
        "    arguments.a.b: 1 -> 2",
        "    arguments.a.c: [1] -> –",
        "1 to update, 0 unchanged",
    ]
    assert applied(tmp_path, text).code == 0
    stored = Job.objects.get()
    assert (stored.pk, stored.priority, stored.active, stored.arguments) == (job.pk, 5, False, {"a": {"b": 2}})
    change = JobChange.objects.latest("id")
    assert (change.by, change.verb, sorted(change.changes)) == (
        "ada",
        "updated",
        ["active", "arguments", "priority", "schedule"],
    )


def test_a_number_identifies_and_its_name_may_change(tmp_path: Path) -> None:
    job = a_job(name="old", number=42)
    text = MINIMAL.replace("name: nightly", "number: 42\n  name: new")
    assert (applied(tmp_path, text).code, [(row.pk, row.name) for row in Job.objects.all()]) == (0, [(job.pk, "new")])


def test_a_number_that_is_free_is_taken(tmp_path: Path) -> None:
    applied(tmp_path, MINIMAL.replace("name: nightly", "number: 42\n  name: new"))
    assert Job.objects.get().number == 42


def test_a_name_of_several_jobs_does_not_identify(tmp_path: Path) -> None:
    first, second = a_job(name="nightly"), a_job(name="nightly")
    assert planned(tmp_path, MINIMAL) == Ended(
        1, "", (f"line 4: several probe jobs have this name; say which: {first.number}, {second.number}",)
    )


@pytest.mark.parametrize(
    ("identity", "problem"),
    [
        ("number: 3", "line 8: the job is there twice, first in line 3"),
        ("active: true", "line 10: the name is there twice, first in line 3; say the numbers"),
    ],
)
def test_a_job_is_in_a_file_once(tmp_path: Path, identity: str, problem: str) -> None:
    text = MINIMAL.replace("  name:", f"  {identity}\n  name:")
    if identity == "number: 3":
        text = text.replace("- kind: probe\n  number: 3", "- number: 3\n  kind: probe")
    twice = text + text.split("jobs:\n")[1]
    assert planned(tmp_path, twice) == Ended(1, "", (problem,))


@pytest.mark.parametrize("identity", ["number: 3", "name: nightly"])
def test_a_job_is_in_a_file_of_one_line_once(tmp_path: Path, identity: str) -> None:
    job = f'{{kind: probe, {identity}, schedule: {{expression: "{YEARLY}"}}, arguments: {{}}}}'
    if identity == "number: 3":
        job = job.replace("number: 3", "number: 3, name: nightly")
    ended = planned(tmp_path, f"version: 1\njobs: [{job}, {job}]\n")
    assert (ended.code, "there twice, first in line 2" in "".join(ended.problems)) == (1, True), ended


def test_pruning_deletes_what_the_file_does_not_name(tmp_path: Path) -> None:
    a_job(name="nightly", zone="Europe/Berlin")
    other = a_job(name="other")
    kept = planned(tmp_path, MINIMAL)
    plan = planned(tmp_path, MINIMAL, "--prune")
    assert (kept.code, plan.code, plan.out.splitlines()[0]) == (0, 2, f"- probe/{other.number} other")
    assert applied(tmp_path, MINIMAL, "--prune").out.endswith("done: 1 deleted\n")
    assert [job.name for job in Job.objects.all()] == ["nightly"]


def test_pruning_with_an_empty_file_deletes_nothing(tmp_path: Path) -> None:
    a_job()
    assert (planned(tmp_path, "version: 1\njobs: []\n", "--prune").code, Job.objects.count()) == (0, 1)


WRONG = f"""version: 1
jobs:
- kind: probe
  name: one
  scedule: {{}}
  schedule:
    expression: {YEARLY}
    zones: UTC
  priority: high
  active: 1
  max_retries: true
  arguments: []
- kind: nothing
  number: 0
  name: two
- kind: probe
  name: 5
  description: [x]
  schedule:
    run_at: 2027-01-01T00:00:00
    zone: 3
  headers: 1
  calendars: [none]
  arguments:
"""


def test_all_problems_are_told_by_line_and_nothing_is_written(tmp_path: Path) -> None:
    refusal = applied(tmp_path, WRONG)
    assert (refusal.code, Job.objects.count()) == (1, 0)
    assert refusal.problems == (
        "line 5: unknown field 'scedule'; did you mean 'schedule'?",
        "line 8: unknown field 'schedule.zones'; did you mean 'zone'?",
        "line 9: priority must be a whole number",
        "line 10: active must be true or false",
        "line 11: max_retries must be a whole number",
        "line 12: arguments must be a mapping",
        "line 13: arguments is missing",
        "line 13: kind must be one of probe, voltmx, zementis",
        "line 13: schedule is missing",
        "line 14: number must be a whole number from 1 to 9223372036854775807",
        "line 17: name must be text",
        "line 18: description must be text or null",
        "line 20: schedule.run_at must be an ISO 8601 date and time with an offset or Z",
        "line 21: schedule.zone must be text",
        "line 22: headers must be a mapping",
        "line 23: there is no calendar 'none'",
        "line 24: arguments must be a mapping",
    )


REFUSED_BY_THE_CORE = [
    ("priority: 12", "priority: must be from 0 to 9"),
    ("queue: a b", "queue: a queue's name has letters, digits and the characters _ . : - only"),
    ("history_strategy: SOME", "history_strategy: must be one of OFF, MINIMAL, ERROR, FULL"),
]


@pytest.mark.parametrize(("member", "problem"), REFUSED_BY_THE_CORE)
def test_what_the_core_refuses_is_told_by_line(tmp_path: Path, member: str, problem: str) -> None:
    text = MINIMAL + f"  {member}\n"
    assert planned(tmp_path, text) == Ended(1, "", (f"line 7: {problem}",))


def test_one_job_that_is_refused_keeps_all_others_from_being_written(tmp_path: Path) -> None:
    job = a_job(name="third", priority=3)
    text = MINIMAL + (
        f"- {{kind: probe, name: third, schedule: {{expression: {YEARLY}}}, arguments: {{}}}}\n"
        "- {kind: probe, name: bad, schedule: {expression: 0 0 0 32 1 ?}, arguments: {}}\n"
    )
    assert (applied(tmp_path, text).code, list(Job.objects.values_list("name", "priority"))) == (1, [(job.name, 3)])


PAST = MINIMAL.replace(f"expression: {YEARLY}, zone: Europe/Berlin", "run_at: 2020-01-01T00:00:00Z")


def test_a_new_job_that_would_never_fire_is_refused_or_left_out(tmp_path: Path) -> None:
    refused = planned(tmp_path, PAST)
    skipped = planned(tmp_path, PAST, "--skip-ended")
    assert (refused.code, refused.problems[0].split(":")[0], skipped.code) == (1, "line 5", 0)
    assert skipped.out.splitlines() == ["  left out, as it would never fire: nightly", "nothing to do: 0 unchanged"]


def test_a_job_that_has_ended_stays_as_it_is(tmp_path: Path) -> None:
    job = a_job(name="nightly", schedule=Schedule(run_at=FUTURE))
    Job.objects.filter(pk=job.pk).update(run_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert planned(tmp_path, PAST).code == 0
    assert applied(tmp_path, PAST + "  priority: 1\n").code == 0
    assert Job.objects.get().priority == 1


def test_nothing_is_done_unasked(tmp_path: Path) -> None:
    refusal = jobs_command("apply", written(tmp_path, MINIMAL))
    assert (refusal.code, refusal.problems, Job.objects.count()) == (
        1,
        ("nobody can be asked here; --yes does it",),
        0,
    )


def test_what_was_changed_since_the_plan_is_not_overwritten() -> None:
    job = a_job(name="nightly")
    wanted = read(MINIMAL)

    def plan() -> planning.Plan:
        return planning.make(wanted, now=clock.now())

    seen = plan()
    jobs.update(job, {"priority": 9}, by="somebody else")
    with pytest.raises(Refused, match="changed meanwhile"):
        applying.apply(seen, again=plan, by="ada")
    assert (Job.objects.get().priority, Job.objects.get().zone) == (9, "UTC")


def test_an_edit_between_looking_and_writing_is_not_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    job = a_job(name="nightly")
    wanted = read(MINIMAL)
    seen = planning.make(wanted, now=clock.now())

    def again() -> planning.Plan:
        jobs.update(job, {"priority": 9}, by="somebody else")
        return seen

    with pytest.raises(Refused, match="changed meanwhile"):
        applying.apply(seen, again=again, by="ada")


def test_calendars_travel_by_name(tmp_path: Path) -> None:
    calendar = calendars.save(None, calendars.Rules(name="Closed"), by="tester")
    job = a_job(name="nightly", calendars=[calendar.pk])
    text = jobs_command("export").out
    assert "  calendars:\n  - Closed\n" in text
    jobs.delete(job, by="tester")
    assert applied(tmp_path, text).code == 0
    assert Definition.of(Job.objects.get()).calendars == (calendar.pk,)


def test_an_export_is_of_all_of_some_or_of_a_kind(tmp_path: Path) -> None:
    a_job(name="one", number=1), a_job(name="two", number=2)
    all_of_them = documents.read_file(jobs_command("export").out.encode()).jobs
    some = documents.read_file(jobs_command("export", "probe/2", "--no-numbers").out.encode()).jobs
    assert [entry["name"] for entry in all_of_them] == ["one", "two"]
    assert some == [
        {
            "kind": "probe",
            "name": "two",
            "schedule": {"expression": YEARLY, "zone": "UTC"},
            "alerts": [],
            "arguments": {},
        }
    ]
    for options in (["--kind", "voltmx"], ["probe/2", "--kind", "voltmx"]):
        assert documents.read_file(jobs_command("export", *options).out.encode()).jobs == []


def test_an_exported_file_takes_the_place_of_the_old_one_whole(tmp_path: Path) -> None:
    a_job(name="one")
    path = tmp_path / "jobs.yaml"
    path.write_text("old")
    assert jobs_command("export", "--file", str(path)).code == 0
    private = tmp_path / "private.yaml"
    jobs_command("export", "--secrets", "--file", str(private))
    assert (path.read_text(), [file.name for file in sorted(tmp_path.iterdir())]) == (
        jobs_command("export").out,
        ["jobs.yaml", "private.yaml"],
    )
    assert private.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    missing = str(tmp_path / "none" / "jobs.yaml")
    assert jobs_command("plan", missing) == Ended(1, "", (f"{missing} cannot be read: No such file or directory",))
    assert jobs_command("export", "--file", missing) == Ended(
        1, "", (f"{missing} cannot be written: No such file or directory",)
    )


def test_the_number_of_queries_does_not_grow_with_the_file(django_assert_max_num_queries: Any) -> None:
    for number in range(1, 31):
        jobs.create("probe", a_definition(), by="tester", number=number)
    text = jobs_command("export").out
    with django_assert_max_num_queries(9):
        assert planning.make(read(text), prune=True, now=clock.now()) == planning.Plan((), 30)
