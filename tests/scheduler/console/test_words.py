"""What the console says about schedules, durations and payloads."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler.console import words
from scheduler.console.masking import unmask
from scheduler.models import Execution, Job


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (0.0123, "12 ms"),
        (timedelta(seconds=2.34), "2.3 s"),
        (59.99, "60.0 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
        (90000, "1 d 1 h"),
        (-5, "-5.0 s"),
    ],
)
def test_durations_are_told_in_two_units(value: Any, said: str) -> None:
    assert words.duration(value) == said


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (Job(expression="0 0 3 * * ?", zone="UTC"), "At 03:00, every day"),
        (Job(expression="0 3 * * *", zone="Europe/Rome"), "At 03:00, every day (Europe/Rome)"),
        (Job(expression="no expression", zone="UTC"), "no expression"),
        (Job(run_at=datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)), "Once, at 2027-01-02 03:04:05 UTC"),
    ],
)
def test_schedules_are_told_in_english(job: Job, said: str) -> None:
    assert words.schedule_in_words(job) == said


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a": [1, "ü"]}, '{\n  "a": [\n    1,\n    "ü"\n  ]\n}'),
        ('{"a":1}', '{\n  "a": 1\n}'),
        ("plain", "plain"),
        ('"quoted"', '"quoted"'),
        (None, "null"),
        (12, "12"),
    ],
)
def test_json_is_laid_out_for_reading(value: Any, shown: str) -> None:
    assert words.pretty(value) == shown


def test_lateness_counts_from_due_to_the_first_start() -> None:
    due = datetime(2027, 1, 1, tzinfo=UTC)
    claimed, started = due + timedelta(seconds=1), due + timedelta(seconds=3)
    run = Execution(scheduled_for=due, created_at=claimed, started_at=started, attempt=1)
    assert words.lateness(run) == timedelta(seconds=3)
    run.attempt = 2
    assert words.lateness(run) == timedelta(seconds=1)
    assert words.lateness(Execution(scheduled_for=due, created_at=claimed, attempt=0)) is None


@pytest.mark.parametrize(
    ("edited", "result"),
    [
        ({"secret": "***", "city": "Ulm"}, {"secret": "real", "city": "Ulm"}),
        ({"secret": "new", "city": "Bonn"}, {"secret": "new", "city": "Bonn"}),
        ({"city": "Ulm"}, {"city": "Ulm"}),
        ({"moved": "***"}, {"moved": "***"}),
    ],
)
def test_what_stays_masked_keeps_its_value(edited: Any, result: Any) -> None:
    stored = {"secret": "real", "city": "Ulm"}
    assert unmask(edited, shown={"secret": "***", "city": "Ulm"}, stored=stored) == result


def test_masks_inside_lists_and_objects_keep_their_values() -> None:
    stored = {"headers": [{"name": "auth", "value": "real"}, {"name": "x", "value": "1"}]}
    shown = {"headers": [{"name": "auth", "value": "***"}, {"name": "x", "value": "1"}]}
    edited = {"headers": [{"name": "auth", "value": "***"}, {"name": "x", "value": "2"}]}
    assert unmask(edited, shown=shown, stored=stored) == {
        "headers": [{"name": "auth", "value": "real"}, {"name": "x", "value": "2"}]
    }
