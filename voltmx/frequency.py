"""``jobFrequency`` and ``jobFrequencyInfo``: what a client writes about time, and the schedule it means.

Rules of the Volt MX Foundry console kept here:

* seconds: anything but a single number in the seconds field counts as 0, a single number is honoured; the expression
  is echoed as sent;
* minimum interval: VOLTMX_MIN_INTERVAL_MINUTES (five) between two minute values inside one hour, not wrapping over
  the hour;
* ``frequencyType`` 1 hour (minutes only), 2 day, 3 week, 4 month.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from scheduler.quartz import InvalidQuartzExpression, QuartzExpression
from scheduler.quartz.expression import split_fields
from scheduler.quartz.fields import DAY_NAMES, DAY_OF_MONTH, DAY_OF_WEEK, HOUR, MINUTE, read_mask
from scheduler.schedule import Schedule

HOUR_BASED, DAY_BASED, WEEK_BASED, MONTH_BASED = 1, 2, 3, 4
_TEXT_LIMIT = 512


class InvalidFrequency(ValueError):
    """A frequency that is not taken; ``field`` is ``jobFrequency`` or a member of ``jobFrequencyInfo``."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field
        self.problem = problem


@dataclass(frozen=True)
class Frequency:
    """An expression as its author wrote it (``text``) and as it is evaluated (``expression``)."""

    text: str
    expression: str

    def schedule(self) -> Schedule:
        """Return the schedule in the surface's time zone."""
        return Schedule(expression=self.expression, zone=settings.VOLTMX_TIME_ZONE, text=self.text)


def read_expression(text: str) -> Frequency:
    """Return the frequency of a Quartz expression of six or seven fields. Raises ``InvalidFrequency``."""
    if len(text) > _TEXT_LIMIT:
        raise InvalidFrequency("jobFrequency", f"the expression has more than {_TEXT_LIMIT} characters")
    try:
        fields = split_fields(text)
        QuartzExpression.parse(text)
        minutes = read_mask(MINUTE, fields[1])
    except InvalidQuartzExpression as refusal:
        raise InvalidFrequency("jobFrequency", str(refusal)) from None
    closest = _closest_minutes(minutes)
    least = settings.VOLTMX_MIN_INTERVAL_MINUTES
    if closest is not None and closest < least:
        raise InvalidFrequency(
            "jobFrequency", f"the job would run every {_minutes(closest)}; at least {_minutes(least)} must lie between"
        )
    if not fields[0].isdigit():
        return Frequency(text, " ".join(["0", *text.split()[1:]]))
    return Frequency(text, text)


def read_info(info: Mapping[str, Any]) -> Frequency:
    """Return the frequency that a ``jobFrequencyInfo`` describes. Raises ``InvalidFrequency``.

    The list that gives the type its name is needed; finer ones that are absent mean 0.
    """
    kind = info.get("frequencyType")
    if kind is None:
        raise InvalidFrequency("frequencyType", "is needed where jobFrequency is absent")
    minutes = _numbers(info, "minuteValues", 0, 59, needed=kind == HOUR_BASED)
    hours = "*" if kind == HOUR_BASED else _numbers(info, "hourValues", 0, 23, needed=kind == DAY_BASED)
    day_of_month, day_of_week = "*", "?"
    if kind == WEEK_BASED:
        day_of_month, day_of_week = "?", _days_of_week(info)
    elif kind == MONTH_BASED:
        day_of_month = _days_of_month(info)
    return read_expression(f"0 {minutes} {hours} {day_of_month} * {day_of_week} *")


def check_info(info: Mapping[str, Any]) -> None:
    """Raise ``InvalidFrequency`` where a member that we know holds what it cannot hold; others are left alone."""
    kind = info.get("frequencyType")
    if kind is not None and (type(kind) is not int or not HOUR_BASED <= kind <= MONTH_BASED):
        raise InvalidFrequency("frequencyType", "must be 1 (hour), 2 (day), 3 (week) or 4 (month)")
    _numbers(info, "minuteValues", 0, 59)
    _numbers(info, "hourValues", 0, 23)
    if info.get("dayOfWeekValues") not in (None, []):
        _days_of_week(info)
    if info.get("dayOfMonthValues") not in (None, []):
        _days_of_month(info)


def info_of(text: str) -> dict[str, Any] | None:
    """Return the ``jobFrequencyInfo`` that says the same as an expression; None where none does.

    None too where it would take more than plain values of one of the four types: a month, a year, nearest weekdays.
    """
    try:
        fields = split_fields(text)
        _second, minute, hour, day_of_month, month, day_of_week, *year = fields
        minutes, hours = _values(read_mask(MINUTE, minute)), _values(read_mask(HOUR, hour))
        if month != "*" or (year and year[0] != "*"):
            return None
        every_hour = len(hours) == 24
        whole_day = (day_of_month, day_of_week) in (("*", "?"), ("?", "*"))
        if whole_day and every_hour:
            return {"frequencyType": HOUR_BASED, "minuteValues": minutes}
        times = {"minuteValues": minutes, "hourValues": hours}
        if whole_day:
            return {"frequencyType": DAY_BASED, **times}
        if day_of_month == "?":
            days = _values(read_mask(DAY_OF_WEEK, day_of_week))
            return {"frequencyType": WEEK_BASED, **times, "dayOfWeekValues": days}
        items = [item for item in day_of_month.split(",") if item != "L"]
        of_month: list[int | str] = [*(_values(read_mask(DAY_OF_MONTH, ",".join(items))) if items else [])]
        if "L" in day_of_month.split(","):
            of_month.append("L")
        return {"frequencyType": MONTH_BASED, **times, "dayOfMonthValues": of_month}
    except InvalidQuartzExpression:
        # L, W and # say what no list of days can.
        return None


def _closest_minutes(mask: int) -> int | None:
    """Return the smallest number of minutes between two values inside one hour, None where there is but one value."""
    minutes = _values(mask)
    return min((later - earlier for earlier, later in zip(minutes, minutes[1:], strict=False)), default=None)


def _values(mask: int) -> list[int]:
    return [value for value in range(mask.bit_length()) if mask >> value & 1]


def _minutes(number: int) -> str:
    return "1 minute" if number == 1 else f"{number} minutes"


def _numbers(info: Mapping[str, Any], name: str, low: int, high: int, *, needed: bool = False) -> str:
    """Return a list of numbers as a field of an expression, ``0`` for an absent one that is not needed."""
    values = _list(info, name, needed=needed)
    for value in values:
        if type(value) is not int or not low <= value <= high:
            raise InvalidFrequency(name, f"must hold whole numbers from {low} to {high}")
    return ",".join(str(value) for value in sorted(set(values))) or "0"


def _days_of_week(info: Mapping[str, Any]) -> str:
    days = set()
    for value in _list(info, "dayOfWeekValues", needed=True):
        if isinstance(value, str) and value.upper() in DAY_NAMES:
            days.add(DAY_NAMES.index(value.upper()) + 1)
        elif type(value) is int and 1 <= value <= 7:
            days.add(value)
        else:
            raise InvalidFrequency("dayOfWeekValues", "must hold numbers from 1 (Sunday) to 7 or names from SUN to SAT")
    return ",".join(str(day) for day in sorted(days))


def _days_of_month(info: Mapping[str, Any]) -> str:
    values = _list(info, "dayOfMonthValues", needed=True)
    for value in values:
        if value != "L" and (type(value) is not int or not 1 <= value <= 31):
            raise InvalidFrequency("dayOfMonthValues", 'must hold numbers from 1 to 31 or "L", the last day')
    numbers = sorted({value for value in values if value != "L"})
    return ",".join([*(str(number) for number in numbers), *(["L"] if "L" in values else [])])


def _list(info: Mapping[str, Any], name: str, *, needed: bool) -> Sequence[Any]:
    values = info.get(name)
    if values is None:
        values = []
    if not isinstance(values, list):
        raise InvalidFrequency(name, "must be a list")
    if len(values) > 1000:
        raise InvalidFrequency(name, "must hold at most 1000 values")
    if needed and not values:
        raise InvalidFrequency(name, "must hold at least one value for this frequencyType")
    return values
