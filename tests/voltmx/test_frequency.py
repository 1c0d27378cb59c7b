"""``jobFrequency`` and ``jobFrequencyInfo``."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.schedule import Schedule
from voltmx import frequency
from voltmx.frequency import InvalidFrequency


@pytest.mark.parametrize(
    "text",
    [
        "* 0/7 * * * ? *",
        "* 0/5 5,10 * * ? *",
        "* 5,10,15 * * * ? *",
        "41 5 * * * ? *",
        "0 0 9 ? * MON-FRI",
        "0 0/55 * * * ?",
        "0 0,59 * * * ?",
        "0 1 0 LW * ? 2099",
    ],
)
def test_five_minutes_between_runs_are_enough(text: str) -> None:
    assert frequency.read_expression(text).text == text


@pytest.mark.parametrize(
    "text", ["* * * * * ? *", "* 5-10 * * * ? *", "* 0/2 * * * ? *", "* 5,6,7 * * * ? *", "0 0,4 3 1 1 ? 2099"]
)
def test_less_than_five_minutes_between_runs_are_refused(text: str) -> None:
    with pytest.raises(InvalidFrequency, match="at least 5 minutes must lie between"):
        frequency.read_expression(text)


@pytest.mark.parametrize(("minutes", "text"), [(0, "* * * * * ? *"), (2, "* 0/2 * * * ? *"), (60, "0 30 * * * ?")])
def test_a_setting_changes_or_turns_off_the_interval(settings: Any, minutes: int, text: str) -> None:
    settings.VOLTMX_MIN_INTERVAL_MINUTES = minutes
    assert frequency.read_expression(text).text == text


@pytest.mark.parametrize(
    ("text", "evaluated"),
    [
        ("41 5 * * * ? *", "41 5 * * * ? *"),
        ("0 5 * * * ?", "0 5 * * * ?"),
        ("* 5 * * * ? *", "0 5 * * * ? *"),
        ("0/5 5 * * * ? *", "0 5 * * * ? *"),
        ("1,2 5 * * * ? *", "0 5 * * * ? *"),
        ("1-3 5 * * * ?", "0 5 * * * ?"),
    ],
)
def test_only_a_single_number_of_seconds_is_honoured(text: str, evaluated: str) -> None:
    read = frequency.read_expression(text)
    assert (read.text, read.expression) == (text, evaluated)


def test_the_schedule_is_read_in_the_surfaces_zone_and_keeps_the_text(settings: Any) -> None:
    settings.VOLTMX_TIME_ZONE = "Asia/Kolkata"
    schedule = frequency.read_expression("* 5 * * * ? *").schedule()
    assert schedule == Schedule(expression="0 5 * * * ? *", zone="Asia/Kolkata", text="* 5 * * * ? *")


@pytest.mark.parametrize(
    "text", ["", "0 0 * * *", "61 0 * * * ?", "0 0 * * * *", "0 0 25 * * ?", "x" * 600, "0 ٣ * * * ?"]
)
def test_what_is_no_quartz_expression_is_refused(text: str) -> None:
    with pytest.raises(InvalidFrequency) as refusal:
        frequency.read_expression(text)
    assert refusal.value.field == "jobFrequency"


@pytest.mark.parametrize(
    ("info", "expression"),
    [
        ({"frequencyType": 1, "minuteValues": [5]}, "0 5 * * * ? *"),
        ({"frequencyType": 1, "minuteValues": [30, 0, 30], "hourValues": [1]}, "0 0,30 * * * ? *"),
        ({"frequencyType": 2, "hourValues": [9]}, "0 0 9 * * ? *"),
        ({"frequencyType": 2, "minuteValues": [15], "hourValues": [9, 18]}, "0 15 9,18 * * ? *"),
        (
            {"frequencyType": 3, "minuteValues": [0], "hourValues": [6], "dayOfWeekValues": [2, "fri", 6]},
            "0 0 6 ? * 2,6 *",
        ),
        ({"frequencyType": 3, "dayOfWeekValues": ["SUN"]}, "0 0 0 ? * 1 *"),
        (
            {"frequencyType": 4, "minuteValues": [0], "hourValues": [6], "dayOfMonthValues": ["L", 15, 1]},
            "0 0 6 1,15,L * ? *",
        ),
        ({"frequencyType": 4, "dayOfMonthValues": ["L"]}, "0 0 0 L * ? *"),
    ],
)
def test_each_type_of_info_becomes_an_expression(info: dict[str, Any], expression: str) -> None:
    assert frequency.read_info(info).expression == expression


@pytest.mark.parametrize(
    ("info", "field"),
    [
        ({}, "frequencyType"),
        ({"frequencyType": 5}, "frequencyType"),
        ({"frequencyType": 0}, "frequencyType"),
        ({"frequencyType": "1"}, "frequencyType"),
        ({"frequencyType": True}, "frequencyType"),
        ({"frequencyType": 1}, "minuteValues"),
        ({"frequencyType": 1, "minuteValues": []}, "minuteValues"),
        ({"frequencyType": 1, "minuteValues": 5}, "minuteValues"),
        ({"frequencyType": 1, "minuteValues": [60]}, "minuteValues"),
        ({"frequencyType": 1, "minuteValues": ["5"]}, "minuteValues"),
        ({"frequencyType": 1, "minuteValues": [5, 6]}, "jobFrequency"),
        ({"frequencyType": 2, "minuteValues": [5]}, "hourValues"),
        ({"frequencyType": 2, "hourValues": [24]}, "hourValues"),
        ({"frequencyType": 3, "hourValues": [1]}, "dayOfWeekValues"),
        ({"frequencyType": 3, "dayOfWeekValues": [0]}, "dayOfWeekValues"),
        ({"frequencyType": 3, "dayOfWeekValues": ["MONDAY"]}, "dayOfWeekValues"),
        ({"frequencyType": 4, "hourValues": [1]}, "dayOfMonthValues"),
        ({"frequencyType": 4, "dayOfMonthValues": [32]}, "dayOfMonthValues"),
        ({"frequencyType": 4, "dayOfMonthValues": [{}]}, "dayOfMonthValues"),
    ],
)
def test_an_info_that_means_no_schedule_is_refused_by_field(info: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidFrequency) as refusal:
        frequency.check_info(info)
        frequency.read_info(info)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("text", "info"),
    [
        ("41 5 * * * ? *", {"frequencyType": 1, "minuteValues": [5]}),
        ("0 0/15 * * * ?", {"frequencyType": 1, "minuteValues": [0, 15, 30, 45]}),
        ("0 30 9,18 ? * *", {"frequencyType": 2, "minuteValues": [30], "hourValues": [9, 18]}),
        (
            "0 0 9 ? * MON-FRI",
            {"frequencyType": 3, "minuteValues": [0], "hourValues": [9], "dayOfWeekValues": [2, 3, 4, 5, 6]},
        ),
        (
            "0 0 9 1,15,L * ?",
            {"frequencyType": 4, "minuteValues": [0], "hourValues": [9], "dayOfMonthValues": [1, 15, "L"]},
        ),
        ("0 0 9 LW * ?", None),
        ("0 0 9 15W * ?", None),
        ("0 0 9 ? * MON#1", None),
        ("0 0 9 ? * FRIL", None),
        ("0 0 9 1 JAN ?", None),
        ("0 0 9 1 * ? 2099", None),
        ("", None),
        ("0 0 * * *", None),
    ],
)
def test_an_expression_becomes_an_info_where_one_says_the_same(text: str, info: dict[str, Any] | None) -> None:
    assert frequency.info_of(text) == info


@pytest.mark.parametrize("text", ["0 5 * * * ? *", "0 0,30 9 * * ? *", "0 0 9 ? * 2,6 *", "0 0 9 1,L * ? *"])
def test_expression_and_info_go_back_and_forth(text: str) -> None:
    info = frequency.info_of(text)
    assert info is not None
    assert frequency.read_info(info).expression == text
