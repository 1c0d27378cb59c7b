"""What jobs go by travels with them: calendars with their days, alert rules with the names of their channels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from scheduler import clock, jobs
from scheduler.calendars import store as calendars
from scheduler.cli import applying, documents, entries, planning, progress
from scheduler.cli.problems import Refused
from scheduler.models import AlertRule, Calendar, Channel, Condition, Incident, Job
from scheduler.secret import Secret
from tests.scheduler.alerts.factories import fails
from tests.scheduler.cli.helpers import Ended, jobs_command, written
from tests.scheduler.factories import YEARLY, a_job

pytestmark = pytest.mark.django_db

ICAL = "\r\n".join(
    [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN"),
        *("BEGIN:VEVENT", "UID:1", "DTSTART;VALUE=DATE:20270301", "RRULE:FREQ=YEARLY", "SUMMARY:Werksfest: Öl \\, ja"),
        *("END:VEVENT", "END:VCALENDAR", ""),
    ]
)


def applied(folder: Path, text: str, *options: str) -> Ended:
    return jobs_command("apply", written(folder, text), "--yes", "--by", "ada", *options)


def planned(folder: Path, text: str, *options: str) -> Ended:
    return jobs_command("plan", written(folder, text), *options)


def channels(*names: str) -> list[Channel]:
    urls = {name: Secret.of("json://127.0.0.1:9/hook") for name in names}
    return [Channel.objects.create(name=name, url=url) for name, url in urls.items()]  # type: ignore[misc]


def a_rule(*to: Channel, **values: Any) -> AlertRule:
    rule = AlertRule(**values)
    rule.full_clean()
    rule.save()
    rule.channels.set(to)
    return rule


def a_whole_system() -> None:
    """Jobs that share calendars, with rules of every condition, and defaults."""
    ops, boss = channels("ops", "Chef: «wichtig»")
    plant = calendars.save(
        None,
        calendars.Rules(
            name="Werk",
            description="Zwei Zeilen:\nund \ttab",
            country="DE",
            subdivision="BY",
            weekdays=[6, 5],
            dates="2027-05-14 Outing\r\n\r\n12-24..01-01 Between: the years",
            ical=ICAL,
            ical_name="plant.ics",
        ),
        by="tester",
    )
    no = calendars.save(None, calendars.Rules(name="NO", country="NO"), by="tester")
    both = a_job(name="both", number=7, calendars=[plant.pk, no.pk], misfire="skip")
    plain = a_job(name="plain", number=3, calendars=[no.pk])
    a_rule(ops, boss, job=both, condition=Condition.RATE, runs=10, percent=50)
    a_rule(boss, job=both, condition=Condition.NOT_RUN, tell_recovery=False)
    a_rule(ops, job=both, condition=Condition.LATE, seconds=60)
    a_rule(ops, job=both, condition=Condition.LATE, seconds=5, enabled=False)
    a_rule(boss, job=plain, condition=Condition.IN_A_ROW, runs=3)
    a_rule(ops, kind="probe", condition=Condition.LONG, seconds=600)
    a_rule(ops, condition=Condition.FAILURE)


def nothing_left() -> None:
    AlertRule.objects.all().delete()
    for job in Job.objects.all():
        jobs.delete(job, by="tester")
    for calendar in Calendar.objects.all():
        calendars.delete(calendar, by="tester")


def test_an_export_applied_to_an_empty_database_is_exported_as_the_same_bytes(tmp_path: Path) -> None:
    a_whole_system()
    text = jobs_command("export").out
    same = planned(tmp_path, text)
    assert (same.code, same.out) == (0, "nothing to do: 4 unchanged\n")
    nothing_left()
    assert applied(tmp_path, text).out.endswith("done: 4 created, 1 updated\n")
    assert jobs_command("export").out == text
    again = applied(tmp_path, text)
    assert (again.code, again.out) == (0, "nothing to do: 4 unchanged\n")
    stored = Calendar.objects.get(name="Werk")
    assert (stored.ical, stored.weekdays, stored.updated_by) == (ICAL, [5, 6], "ada")
    assert calendars.days_of(stored, "UTC").closure(clock.now().date().replace(month=12, day=25)) is not None


def test_what_a_file_says_of_calendars_and_rules_can_be_read_by_people() -> None:
    a_whole_system()
    lines = jobs_command("export").out.splitlines()
    start = lines.index("- name: Werk")
    assert lines[:8] == [
        "# Jobs of Jobsite. See docs/cli.md.",
        "version: 1",
        "calendars:",
        "- name: 'NO'",
        "  country: 'NO'",
        "- name: Werk",
        '  description: "Zwei Zeilen:\\nund \\ttab"',
        "  country: DE",
    ]
    assert lines[start + 3 : start + 12] == [
        "  subdivision: BY",
        "  weekdays:",
        "  - Saturday",
        "  - Sunday",
        "  days:",
        "  - 2027-05-14 Outing",
        "  - ''",
        "  - '12-24..01-01 Between: the years'",
        "  ical_name: plant.ics",
    ]
    place = lines.index("alerts:")
    assert lines[place : place + 9] == [
        "alerts:",
        "- condition: failure",
        "  channels:",
        "  - ops",
        "- kind: probe",
        "  condition: long",
        "  seconds: 600",
        "  channels:",
        "  - ops",
    ]


def test_no_secret_of_a_channel_is_in_an_export() -> None:
    [channel] = channels("ops")
    a_rule(channel, job=a_job(), condition=Condition.FAILURE)
    for options in ([], ["--secrets"]):
        assert "127.0.0.1" not in jobs_command("export", *options).out


def test_a_part_has_the_calendars_that_its_jobs_go_by_and_no_defaults() -> None:
    a_whole_system()
    some = documents.read_file(jobs_command("export", "probe/3").out.encode())
    of_a_kind = documents.read_file(jobs_command("export", "--kind", "probe").out.encode())
    none = documents.read_file(jobs_command("export", "--kind", "voltmx").out.encode())
    assert [[entry["name"] for entry in file.calendars] for file in (some, of_a_kind, none)] == [
        ["NO"],
        ["NO", "Werk"],
        [],
    ]
    assert [file.alerts for file in (some, of_a_kind, none)] == [None, None, None]


FILE = f"""version: 1
calendars:
- name: Closed
  weekdays: [Sunday]
  days: [12-24]
alerts:
- condition: not_run
  channels: [ops]
jobs:
- kind: probe
  name: nightly
  schedule: {{expression: {YEARLY}}}
  calendars: [Closed]
  alerts:
  - condition: late
    seconds: 60
    channels: [ops]
  arguments: {{}}
"""


def test_what_differs_is_shown_and_written_and_a_rule_keeps_its_incidents_and_its_snooze(tmp_path: Path) -> None:
    channels("ops", "boss")
    assert applied(tmp_path, FILE).out.splitlines()[-2:] == [
        "2 to create, 1 to update, 0 unchanged",
        "done: 2 created, 1 updated",
    ]
    calendar, rule = Calendar.objects.get(), AlertRule.objects.get(condition=Condition.LATE)
    AlertRule.objects.filter(pk=rule.pk).update(snoozed_until=clock.now())
    changed = (
        FILE.replace("[Sunday]", "[Saturday, Sunday]")
        .replace("seconds: 60", "seconds: 90")
        .replace("condition: not_run", "condition: failure")
    )
    plan = planned(tmp_path, changed)
    assert (plan.code, plan.out.splitlines()) == (
        2,
        [
            "~ calendar Closed",
            '    weekdays: ["Sunday"] -> ["Saturday", "Sunday"]',
            f"~ probe/{Job.objects.get().number} nightly",
            '    alerts.1: {"condition": "late", "seconds": 60, "channels": ["ops"]} -> '
            '{"condition": "late", "seconds": 90, "channels": ["ops"]}',
            "~ alert rules of all jobs",
            '    alerts.1: {"condition": "not_run", "channels": ["ops"]} -> –',
            '    alerts.2: – -> {"condition": "failure", "channels": ["ops"]}',
            "3 to update, 0 unchanged",
        ],
    )
    assert applied(tmp_path, changed).code == 0
    calendar.refresh_from_db()
    stored = AlertRule.objects.get(pk=rule.pk)
    assert (calendar.version, stored.seconds, stored.snoozed_until is not None) == (2, 90, True)
    assert AlertRule.objects.get(job=None).condition == Condition.FAILURE


def test_a_file_that_does_not_speak_of_rules_leaves_them_alone_and_an_empty_list_takes_them_away(
    tmp_path: Path,
) -> None:
    channels("ops")
    applied(tmp_path, FILE)
    silent = FILE.replace(FILE[FILE.index("alerts:\n- cond") : FILE.index("jobs:")], "")
    silent = silent.replace(silent[silent.index("  alerts:") : silent.index("  arguments")], "")
    assert (planned(tmp_path, silent).code, AlertRule.objects.count()) == (0, 2)
    emptied = silent.replace("jobs:\n", "alerts: []\njobs:\n").replace("  arguments", "  alerts: []\n  arguments")
    assert applied(tmp_path, emptied, "--prune").out.endswith("done: 2 updated\n")
    assert (AlertRule.objects.count(), Calendar.objects.count()) == (0, 1)


def test_a_rule_that_goes_takes_its_incidents_along(tmp_path: Path) -> None:
    channels("ops")
    applied(tmp_path, FILE.replace("condition: late\n    seconds: 60", "condition: failure"))
    fails(Job.objects.get())
    assert Incident.objects.count() == 1
    assert applied(tmp_path, FILE).code == 0
    assert Incident.objects.count() == 0


WRONG = f"""version: 1
calendars:
- name: Closed
  country: XX
  colour: red
- name: Odd
  weekdays: [Sonntag]
  days: [3]
- weekdays: [Sunday]
- name: Bad
  days: [2027-13-01]
- name: Twice
- name: Twice
- name: Torn
  ical: BEGIN
alerts:
- condition: late
  channels: [nobody]
- kind: nothing
  condition: failure
  channels: []
jobs:
- kind: probe
  name: one
  schedule: {{expression: {YEARLY}}}
  calendars: [Odd, Missing]
  alerts:
  - condition: rate
    runs: 1
    percent: 120
    channels: []
  - conditions: failure
    enabled: 1
  arguments: {{}}
- kind: probe
  name: two
  schedule: {{expression: {YEARLY}}}
  alerts: {{}}
  arguments: {{}}
"""


def test_all_problems_of_calendars_and_rules_are_told_by_line_and_nothing_is_written(tmp_path: Path) -> None:
    refusal = applied(tmp_path, WRONG)
    assert (refusal.code, Job.objects.count(), Calendar.objects.count(), AlertRule.objects.count()) == (1, 0, 0, 0)
    assert refusal.problems == (
        "line 5: unknown field 'colour'; did you mean 'country'?",
        "line 7: weekdays are Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday",
        "line 8: days must be a list of texts",
        "line 9: name is missing",
        "line 11: days: line 1: 2027-13-01 is not a day",
        "line 13: the calendar is there twice, first in line 12",
        "line 15: ical: the file is no iCal file: it has no VCALENDAR",
        "line 18: there is no channel 'nobody'; it holds secrets: make it in the console",
        "line 19: there is no kind of job 'nothing'",
        "line 26: there is no calendar 'Missing'",
        "line 29: runs: Ensure this value is greater than or equal to 2.",
        "line 30: percent: Ensure this value is less than or equal to 100.",
        "line 32: channels is missing",
        "line 32: condition is missing",
        "line 32: unknown field 'alerts.conditions'; did you mean 'condition'?",
        "line 33: enabled must be true or false",
        "line 38: alerts must be a list of mappings",
    )


def test_nothing_is_written_where_a_step_is_refused(tmp_path: Path) -> None:
    channels("ops")
    text = FILE + f"- {{kind: probe, name: bad, schedule: {{expression: {YEARLY}}}, arguments: {{refuse: no}}}}\n"
    assert (applied(tmp_path, text).code, Calendar.objects.count(), AlertRule.objects.count()) == (1, 0, 0)


@pytest.mark.parametrize("what", ["calendar", "rule"])
def test_an_edit_of_somebody_else_is_not_overwritten(tmp_path: Path, what: str) -> None:
    channels("ops", "boss")
    applied(tmp_path, FILE)
    changed = FILE.replace("[Sunday]", "[Monday]") if what == "calendar" else FILE.replace("seconds: 60", "seconds: 90")
    wanted = entries.read_all(documents.read_file(changed.encode()), today=clock.now().date())
    seen = planning.make(wanted, now=clock.now())

    def again() -> planning.Plan:
        # Between looking and writing.
        if what == "calendar":
            calendars.save(Calendar.objects.get(), calendars.Rules(name="Closed"), by="somebody else")
        else:
            AlertRule.objects.get(condition=Condition.LATE).channels.set(Channel.objects.filter(name="boss"))
        return seen

    with pytest.raises(Refused, match="changed meanwhile"):
        applying.apply(seen, again=again, by="ada")


def test_many_steps_show_a_bar_on_a_terminal_alone() -> None:
    def drawn(total: int, *, terminal: bool) -> bool:
        file = io.StringIO()
        with progress.bar(total, console=Console(file=file, force_terminal=terminal, width=80)) as told:
            told(total)
        return "applying" in file.getvalue()

    many = progress.MANY
    assert [drawn(many, terminal=True), drawn(many - 1, terminal=True), drawn(many, terminal=False)] == [
        True,
        False,
        False,
    ]


def test_applying_tells_how_far_it_is() -> None:
    channels("ops")
    wanted = documents.read_file(FILE.encode())

    def plan() -> planning.Plan:
        return planning.make(entries.read_all(wanted, today=clock.now().date()), now=clock.now())

    told: list[int] = []
    applying.apply(plan(), again=plan, by="ada", told=told.append)
    assert told == [0, 1, 2, 3]
