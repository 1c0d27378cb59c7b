"""How log lines look."""

import json
import logging
import sys

import pytest
from django.test import RequestFactory

from jobsite.logs import JsonFormatter, TextFormatter, WithoutProbes


def record(**context: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "scheduler.run", "levelname": "INFO", "msg": "run.finished", **context})
    made.created, made.process = 1_800_000_000.25, 42
    return made


def test_text_is_a_verb_and_its_context() -> None:
    line = TextFormatter().format(record(job=7, note='two "words"', empty=""))
    assert line == r'08:00:00 info run.finished job=7 note="two \"words\"" empty=""'


def test_json_has_the_context_as_members() -> None:
    assert json.loads(JsonFormatter().format(record(job=7, outcome="SUCCEEDED"))) == {
        "at": "2027-01-15T08:00:00.250+00:00",
        "level": "info",
        "logger": "scheduler.run",
        "event": "run.finished",
        "process": 42,
        "job": 7,
        "outcome": "SUCCEEDED",
    }


@pytest.mark.parametrize(
    ("text", "args", "event", "members"),
    [
        ("run.started kind=%s job=%s", ("voltmx", 7), "run.started", {"kind": "voltmx", "job": 7}),
        ("%s kind=%s job=%d", ("run.finished", "voltmx", 7), "run.finished", {"kind": "voltmx", "job": 7}),
        ("job.created by=%r level=%s", ("me", "high"), "job.created", {"by": "me"}),
        ("it took %s seconds", (7,), "it took 7 seconds", {}),
        ("plain text", (), "plain text", {}),
    ],
)
def test_json_has_the_parameters_that_a_text_names_as_members(
    text: str, args: tuple[object, ...], event: str, members: dict[str, object]
) -> None:
    made = record(msg=text, args=args)
    line = json.loads(JsonFormatter().format(made))
    usual = ("at", "level", "logger", "event", "process")
    assert (line["event"], {name: line[name] for name in line if name not in usual}) == (event, members)


def test_json_stays_one_line_with_a_traceback() -> None:
    try:
        raise ValueError("gone")
    except ValueError:
        line = JsonFormatter().format(record(exc_info=sys.exc_info()))
    assert ("\n" in line, json.loads(line)["error"].splitlines()[-1]) == (False, "ValueError: gone")


def test_a_context_member_cannot_take_the_place_of_the_event() -> None:
    assert json.loads(JsonFormatter().format(record(event="other")))["event"] == "run.finished"


def test_a_probe_that_is_told_no_is_not_logged() -> None:
    request = RequestFactory()
    kept = [WithoutProbes().filter(record(request=request.get(path))) for path in ("/readyz", "/admin/")]
    assert (kept, WithoutProbes().filter(record())) == ([False, True], True)
