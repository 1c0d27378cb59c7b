"""Expressions in plain English."""

import pytest

from scheduler.quartz import InvalidExpression, describe
from scheduler.schedule_text import describe_schedule

QUARTZ = [
    ("* * * * * ?", "Every second"),
    ("*/10 * * * * ?", "Every 10 seconds"),
    ("30 * * * * ?", "At second 30 of every minute"),
    ("0 0/5 * * * ?", "Every 5 minutes"),
    ("0 5/20 * * * ?", "At every 20th minute starting at 5 of every hour"),
    ("0 */7 14 * * ?", "At every 7th minute starting at 0 from 14:00 through 14:59"),
    ("0 15,45 8-18 * * ?", "At minutes 15 and 45 from 08:00 through 18:59"),
    ("0 5-20/3,40 * * * ?", "At minute 40 and every 3rd minute from 5 through 20 of every hour"),
    ("0 0/30 8-18 ? * MON-FRI", "Every 30 minutes from 08:00 through 18:59, on Monday through Friday"),
    ("0 0 * * * ?", "Every hour"),
    ("0 0 */2 * * ?", "Every 2 hours"),
    ("0 0 1/2 * * ?", "At minute 0 of every 2nd hour starting at 1"),
    ("0 0 8-18 * * ?", "Every hour from 08:00 through 18:00"),
    ("41 5 * * * ? *", "At second 41 of minute 5 of every hour"),
    ("*/20 5 8,9,12-14 * * ?", "Every 20 seconds of minute 5 of hours 8, 9 and 12 through 14"),
    ("0 0 22-4/3 * * ?", "At 01:00, 04:00 and 22:00, every day"),
    ("0 0 9 ? * MON-FRI", "At 09:00, on Monday through Friday"),
    ("0 0 9 ? * FRI-MON", "At 09:00, on Monday and Friday through Sunday"),
    ("0 0 9 ? * L", "At 09:00, on Saturday"),
    ("0 0 9 ? * FRIL", "At 09:00, on the last Friday of the month"),
    ("0 0 9 ? * MON#1", "At 09:00, on the first Monday of the month"),
    ("0 0 9 ? * *", "At 09:00, every day"),
    ("0 0 9 L * ?", "At 09:00, on the last day of the month"),
    ("0 0 17 LW * ?", "At 17:00, on the last weekday of the month"),
    ("0 0 9 L-3 * ?", "At 09:00, on the day 3 days before the last day of the month"),
    ("0 0 9 L-1W * ?", "At 09:00, on the weekday nearest the day 1 day before the last day of the month"),
    ("0 0 9 1W,15W * ?", "At 09:00, on the weekday nearest day 1 and the weekday nearest day 15 of the month"),
    ("0 0 9 1,15,L * ?", "At 09:00, on day 1, day 15 and the last day of the month"),
    ("0 0 9 25-5 * ?", "At 09:00, on days 25 through 5 of the month"),
    ("0 0 9 1/3 * ?", "At 09:00, on every 3rd day starting at 1 of the month"),
    ("0 0 9 1 NOV-FEB ?", "At 09:00, on day 1 of the month, in January, February, November and December"),
    ("0 0 9 1 1/3 ?", "At 09:00, on day 1 of the month, in January, April, July and October"),
    ("0 0 9 1 1 ? 2030", "At 09:00, on day 1 of the month, in January, in 2030"),
    ("0 0 9 29 2 ? 2024/4", "At 09:00, on day 29 of the month, in February, every 4th year from 2024"),
    ("59 59 23 31 12 ? 2099", "At 23:59:59, on day 31 of the month, in December, in 2099"),
]
UNIX = [
    ("*/5 * * * *", "Every 5 minutes"),
    ("0 9 * * 1-5", "At 09:00, on Monday through Friday"),
    ("0 0 1,15 * mon", "At 00:00, on day 1 and day 15 of the month or on Monday"),
    ("0 0 L * *", "At 00:00, on the last day of the month"),
    ("0 0 * jan/3 *", "At 00:00, every day, in January, April, July and October"),
    ("0 0 * * L5,2#1", "At 00:00, on the first Tuesday of the month or on the last Friday of the month"),
    ("0 0 * * 0-7", "At 00:00, every day"),
]


@pytest.mark.parametrize(("text", "sentence"), QUARTZ)
def test_a_quartz_text_is_described(text: str, sentence: str) -> None:
    assert describe(text) == sentence


@pytest.mark.parametrize(("text", "sentence"), UNIX)
def test_a_unix_text_is_described(text: str, sentence: str) -> None:
    assert describe_schedule(text) == sentence


@pytest.mark.parametrize(
    "text", ["0 0 25 * * ?", "0 0 0 32 * ?", "0 0 0 ? * 8", "0 0 0 1 13 ?", "0 0 0 1 1 ? x", "", "x"]
)
def test_a_text_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidExpression):
        describe_schedule(text)
