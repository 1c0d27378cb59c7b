"""One door to both dialects: the number of fields says which one a text is written in."""

from typing import TypeAlias

from scheduler import unix_cron
from scheduler.quartz import MAX_LENGTH, FireTimes, InvalidExpression, QuartzExpression, describe
from scheduler.unix_cron import UnixExpression

ScheduleExpression: TypeAlias = FireTimes

_UNIX_FIELDS = 5
_QUARTZ_FIELDS = (6, 7)


def parse_schedule(text: str) -> ScheduleExpression:
    """The expression of a text of five (Unix) or six to seven (Quartz) fields. Raises InvalidExpression."""
    return UnixExpression.parse(text) if _is_unix(text) else QuartzExpression.parse(text)


def describe_schedule(text: str) -> str:
    """A text of either dialect in plain English, without a full stop. Raises InvalidExpression."""
    return unix_cron.describe(text) if _is_unix(text) else describe(text)


def _is_unix(text: str) -> bool:
    # Cut before it is split: a text too long for either dialect is not worth reading.
    fields = len(text[: MAX_LENGTH + 1].split())
    if len(text) <= MAX_LENGTH and fields != _UNIX_FIELDS and fields not in _QUARTZ_FIELDS:
        raise InvalidExpression(
            field="expression",
            text=text,
            problem=f"has {fields} field{'' if fields == 1 else 's'}",
            allowed="5 fields (Unix: minute hour day-of-month month day-of-week) or 6 to 7 "
            "(Quartz: second minute hour day-of-month month day-of-week [year])",
        )
    return fields == _UNIX_FIELDS
