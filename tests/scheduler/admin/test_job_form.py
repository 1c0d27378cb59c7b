"""Creating, editing, cloning and deleting a job in the console."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from scheduler import job_types, jobs, retention
from scheduler.exceptions import InvalidSchedule
from scheduler.models import Execution, Job, JobChange
from scheduler.schedule import Schedule
from tests.probe.job_type import ProbeJob
from tests.scheduler.admin.conftest import Login
from tests.scheduler.admin.pages import errors, text, url
from tests.scheduler.factories import YEARLY, a_job

BLANK: dict[str, Any] = {
    "name": "Night report",
    "description": "",
    "active": "on",
    "expression": YEARLY,
    "zone": "UTC",
    "misfire": "fire_once",
    "overlap": "skip",
    "max_retries": "0",
    "retry_delay_seconds": "10",
    "retry_max_delay_seconds": "3600",
    "priority": "5",
    "history_strategy": "MINIMAL",
    "retention_days": "30",
    "headers": "{}",
    "arguments": "{}",
}
NEW = {**BLANK, "kind": "probe"}
HALF = "It cannot be stored: half of a surrogate pair is not a character"
ZERO = "It cannot be stored: the character U+0000 is not allowed"


def shown(job: Job, **changes: Any) -> dict[str, Any]:
    """What the form of `job` sends back when only `changes` were typed."""
    return {
        **BLANK,
        "name": job.name,
        "active": "on" if job.active else "",
        "expression": job.expression or "",
        "zone": job.zone,
        "history_strategy": job.history_strategy,
        "arguments": json.dumps(job.job_type.masked(job.arguments)),
        "version": job.version,
        **changes,
    }


def test_a_job_is_created_through_the_core(boss: Client) -> None:
    answer = boss.post(url("scheduler_job_add"), {**NEW, "arguments": '{"status": 2}', "number": "44"})
    job = Job.objects.get()
    assert answer.headers["Location"] == url("scheduler_job_change", job.pk)
    assert (job.number, job.name, job.arguments, job.created_by) == (44, "Night report", {"status": 2}, "boss")
    assert job.state.next_fire_at is not None
    assert JobChange.objects.get().by == "boss"


def test_a_job_of_one_instant_is_created(boss: Client) -> None:
    boss.post(url("scheduler_job_add"), {**NEW, "expression": "", "run_at_0": "2190-01-02", "run_at_1": "03:04:05"})
    assert Job.objects.get().run_at == datetime(2190, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "refused"),
    [
        ({"name": ""}, {"name": ["This field is required."]}),
        ({"expression": ""}, {"expression": ["A job needs either an expression or one instant to run at"]}),
        ({"expression": "0 0 0 1 1 ? 2001"}, {"expression": ["'0 0 0 1 1 ? 2001' never fires from now on"]}),
        (
            {"zone": "Mars/Olympus"},
            {"zone": ["'Mars/Olympus' is not a time zone; use an IANA name such as Europe/Berlin"]},
        ),
        ({"priority": "10"}, {"priority": ["Must be from 0 to 9"]}),
        ({"arguments": '{"refuse": "no such service"}'}, {"arguments": ["No such service"]}),
        ({"arguments": "[1]"}, {"arguments": ["Give a JSON object: {…}."]}),
        ({"arguments": '{"a": NaN}'}, {"arguments": ["This is no JSON: NaN is not JSON"]}),
        ({"arguments": '{"a": "\\u0000"}'}, {"arguments": [ZERO]}),
        ({"arguments": '{"a": "\\ud800"}'}, {"arguments": [HALF]}),
        ({"arguments": '{"a": 1e999}'}, {"arguments": ["It cannot be stored: the number is too large"]}),
        (
            {"arguments": '{"a":' * 70 + "1" + "}" * 70},
            {"arguments": ["This is no JSON: the JSON is nested more than 64 levels deep"]},
        ),
        ({"headers": "[1]"}, {"headers": ["Give a JSON object: {…}."]}),
        ({"headers": '{"a": "\\ud800"}'}, {"headers": [HALF]}),
        ({"headers": '{"a": "\\u0000"}'}, {"headers": [ZERO]}),
        ({"headers": '{"a": 1e999}'}, {"headers": ["It cannot be stored: the number is too large"]}),
        ({"headers": '{"a": NaN}'}, {"headers": ["This is no JSON: NaN is not JSON"]}),
        (
            {"headers": json.dumps({"a": "x" * 2048})},
            {"headers": ["Must have at most 2048 bytes as JSON, and has 2057"]},
        ),
        ({"max_retries": "40000"}, {"max_retries": ["Must be from 0 to 32767"]}),
        ({"kind": "unheard"}, {"kind": ["Select a valid choice. unheard is not one of the available choices."]}),
        ({"starts_at_0": "2100-01-01", "starts_at_1": "00:00", "ends_at_0": "2090-01-01", "ends_at_1": "00:00"},
         {"ends_at": ["The end must lie after the start"]}),
    ],
)  # fmt: skip
def test_what_cannot_be_stored_is_refused_on_its_field(
    boss: Client, typed: dict[str, str], refused: dict[str, list[str]]
) -> None:
    answer = boss.post(url("scheduler_job_add"), {**NEW, **typed})
    assert (answer.status_code, errors(answer)) == (200, refused)
    assert not Job.objects.exists()


@pytest.mark.parametrize("field", ["headers", "arguments"])
@pytest.mark.parametrize("value", ['{"a":' * 100_000, '{"a": ' + "9" * 5000 + "}", '{"a": "\\ud800"}', "{", "\0"])
def test_hostile_json_is_refused_on_its_field_in_both_forms(boss: Client, field: str, value: str) -> None:
    job = a_job(name="kept")
    for address in (url("scheduler_job_add"), url("scheduler_job_edit", job.pk)):
        answer = boss.post(address, {**NEW, **shown(job), field: value})
        assert (answer.status_code, list(errors(answer))) == (200, [field])
    assert Job.objects.get().version == job.version


def test_refused_headers_are_shown_as_they_were_typed(boss: Client) -> None:
    answer = boss.post(url("scheduler_job_add"), {**NEW, "headers": '{"a":  "\\ud800"}'})
    assert "{&quot;a&quot;:  &quot;\\ud800&quot;}" in text(answer)


def test_an_unreadable_expression_is_refused_on_its_field(boss: Client) -> None:
    answer = boss.post(url("scheduler_job_add"), {**NEW, "expression": "every morning"})
    assert list(errors(answer)) == ["expression"]


@pytest.mark.parametrize("field", ["expression", "zone"])
def test_a_schedule_that_its_kind_may_not_have_is_refused_on_its_field(
    boss: Client, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    job = a_job()

    def refuse(kind: ProbeJob, schedule: Schedule) -> None:
        raise InvalidSchedule(field, f"no probe has {schedule.expression} in {schedule.zone}")

    monkeypatch.setattr(ProbeJob, "check_schedule", refuse)
    told = {field: ["No probe has 0 0 0 1 1 ? 2090 in Europe/Berlin"]}
    when = {"expression": "0 0 0 1 1 ? 2090", "zone": "Europe/Berlin"}
    assert errors(boss.post(url("scheduler_job_add"), {**NEW, **when})) == told
    assert errors(boss.post(url("scheduler_job_edit", job.pk), shown(job, **when))) == told
    boss.post(url("scheduler_job_edit", job.pk), shown(job, name="editable as long as the schedule stays"))
    stored = Job.objects.get()
    assert (stored.expression, stored.name) == (YEARLY, "editable as long as the schedule stays")


def test_a_taken_id_is_refused(boss: Client) -> None:
    a_job(number=7)
    answer = boss.post(url("scheduler_job_add"), {**NEW, "number": "7"})
    assert errors(answer) == {"number": ["A probe job 7 exists already"]}


def test_what_was_typed_is_kept_when_refused(boss: Client) -> None:
    answer = boss.post(url("scheduler_job_add"), {**NEW, "name": "My <job>", "zone": "Mars/Olympus"})
    assert 'value="My &lt;job&gt;"' in text(answer)


def test_an_edit_changes_what_was_typed_and_nothing_else(boss: Client) -> None:
    job = a_job(name="old", arguments={"secret": "hunter2", "status": 2}, headers={"x": "y"})
    before = jobs.Definition.of(job)
    boss.post(url("scheduler_job_edit", job.pk), shown(job, name="new", headers='{"x": "y"}'))
    stored = Job.objects.get()
    assert stored.name == "new"
    assert jobs.Definition.of(stored) == replace(before, name="new")
    assert JobChange.objects.filter(verb="updated").get().changes == {"name": ["old", "new"]}


def test_saving_without_a_change_writes_nothing(boss: Client) -> None:
    job = a_job()
    boss.post(url("scheduler_job_edit", job.pk), shown(job))
    assert Job.objects.get().version == job.version


def test_an_edited_schedule_moves_the_next_fire(boss: Client) -> None:
    job = a_job()
    boss.post(url("scheduler_job_edit", job.pk), shown(job, expression="0 0 12 1 1 ? 2090", zone="Europe/Berlin"))
    assert Job.objects.with_state().get().state.next_fire_at == datetime(2090, 1, 1, 11, tzinfo=UTC)


def test_the_authors_wording_survives_an_edit_of_the_zone_but_not_of_the_expression(boss: Client) -> None:
    job = a_job(schedule=Schedule(expression=YEARLY, text="0/5 0 0 1 1 ?"))
    boss.post(url("scheduler_job_edit", job.pk), shown(job, zone="Europe/Berlin"))
    job = Job.objects.get()
    assert (job.zone, job.schedule_text) == ("Europe/Berlin", "0/5 0 0 1 1 ?")
    boss.post(url("scheduler_job_edit", job.pk), shown(job, expression="0 0 1 1 1 ?"))
    job = Job.objects.get()
    assert (job.expression, job.schedule_text) == ("0 0 1 1 1 ?", None)


def test_secrets_are_masked_in_the_form_and_kept_when_left_so(boss: Client) -> None:
    job = a_job(arguments={"secret": "hunter2", "status": 2})
    assert "hunter2" not in text(boss.get(url("scheduler_job_edit", job.pk)))
    edited = '{"secret": "********", "status": 3}'
    boss.post(url("scheduler_job_edit", job.pk), shown(job, arguments=edited))
    assert Job.objects.get().arguments == {"secret": "hunter2", "status": 3}


def test_an_edit_of_what_somebody_else_changed_meanwhile_is_refused(boss: Client) -> None:
    job = a_job(name="old")
    sent = shown(job, name="mine")
    jobs.update(job, {"name": "theirs"}, by="anna")
    answer = boss.post(url("scheduler_job_edit", job.pk), sent)
    assert errors(answer) == {"version": ["The job was changed by anna meanwhile. Load the page anew."]}
    assert "changed by anna meanwhile" in text(answer)
    assert Job.objects.get().name == "theirs"


def test_a_clone_starts_paused_with_the_secrets_of_its_source(boss: Client) -> None:
    source = a_job(name="first", arguments={"secret": "hunter2"})
    address = f"{url('scheduler_job_add')}?clone={source.pk}"
    page = boss.get(address)
    assert 'value="first (copy)"' in text(page)
    assert "hunter2" not in text(page)
    boss.post(address, {**NEW, "name": "second", "active": "", "arguments": '{"secret": "********"}'})
    clone = Job.objects.get(name="second")
    assert (clone.arguments, clone.active) == ({"secret": "hunter2"}, False)


@pytest.mark.parametrize("key", ["", "x", "999999", "9" * 40])
def test_a_clone_of_no_job_is_an_empty_form(boss: Client, key: str) -> None:
    assert boss.get(f"{url('scheduler_job_add')}?clone={key}").status_code == 200


def test_a_job_is_deleted_through_the_core(boss: Client) -> None:
    job = a_job()
    jobs.run_now(job, by="tester")
    assert boss.get(url("scheduler_job_delete", job.pk)).status_code == 200
    boss.post(url("scheduler_job_delete", job.pk), {"post": "yes"})
    assert not Job.objects.exists()
    # What its runs left, beats remove in batches.
    retention.clean()
    assert not Execution.objects.exists()
    assert JobChange.objects.filter(verb="deleted").get().by == "boss"


@pytest.mark.parametrize("page", ["scheduler_job_edit", "scheduler_job_change", "scheduler_job_delete"])
def test_somebody_who_may_only_look_cannot_write(viewer: Client, page: str) -> None:
    job = a_job(name="kept")
    assert viewer.post(url(page, job.pk), {**shown(job, name="gone"), "post": "yes"}).status_code == 403
    assert Job.objects.get().name == "kept"


@pytest.mark.parametrize("page", ["scheduler_job_edit", "scheduler_job_delete"])
def test_somebody_who_may_only_look_sees_no_form(viewer: Client, page: str) -> None:
    job = a_job(arguments={"secret": "hunter2"})
    assert viewer.get(url(page, job.pk)).status_code == 403


def test_somebody_who_may_not_add_cannot_create(viewer: Client) -> None:
    assert viewer.post(url("scheduler_job_add"), NEW).status_code == 403


def test_who_may_edit_but_not_pause_cannot_pause_by_the_form(login: Login) -> None:
    client = login("scheduler.view_job", "scheduler.change_job")
    job = a_job()
    client.post(url("scheduler_job_edit", job.pk), shown(job, active="", name="renamed"))
    stored = Job.objects.get()
    assert (stored.name, stored.active) == ("renamed", True)


def test_the_form_of_no_job_is_not_found(boss: Client) -> None:
    assert boss.get(url("scheduler_job_edit", 999)).status_code == 404


def test_the_form_shows_examples_that_each_kind_takes(boss: Client) -> None:
    page = boss.get(url("scheduler_job_add"))
    widget = page.context["adminform"].form["arguments"].field.widget
    examples = widget.get_context("arguments", "", {})["examples"]
    kinds = {kind.kind: kind for kind in job_types.all_types() if isinstance(kind, job_types.Exemplary)}
    assert {example["kind"] for example in examples} == set(kinds) >= {"voltmx", "zementis"}
    for example in examples:
        kinds[example["kind"]].check(json.loads(example["text"]))
        assert f"Example: {example['title']}" in text(page)


def test_an_edit_shows_no_other_kinds_example(boss: Client) -> None:
    page = text(boss.get(url("scheduler_job_edit", a_job().pk)))
    assert "Example:" not in page
