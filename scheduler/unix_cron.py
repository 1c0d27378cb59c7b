"""Five-field Unix expressions: minute, hour, day of month, month, day of week.

croniter says which values a text means. The fires are then found as those of a Quartz expression are, so that both
keep the same zone and daylight-saving rules and no text takes long to answer: croniter's own search takes milliseconds
where fires are rare, and treats clock changes its own way.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

from croniter import croniter

from scheduler.quartz import FireTimes, InvalidUnixExpression
from scheduler.quartz.clock import Clock
from scheduler.quartz.days import DayCalendar, DayOfMonthRule, DayOfWeekRule, Shift
from scheduler.quartz.description import days_of_month, months, sentence, times, weekdays
from scheduler.quartz.fields import DAY_OF_MONTH, HOUR, MINUTE, MONTH, Field, read_run, read_years

MAX_LENGTH = 256
_MINUTE = replace(MINUTE, error=InvalidUnixExpression)
_HOUR = replace(HOUR, error=InvalidUnixExpression)
_DAY_OF_MONTH = replace(
    DAY_OF_MONTH, allowed="1-31, * , lists, ranges, steps up to 31, L (last day)", error=InvalidUnixExpression
)
_MONTH = replace(MONTH, error=InvalidUnixExpression)
_DAY_OF_WEEK = Field(
    "day of week", 0, 7, 6, 7, 7,
    "0-7 (0 and 7 are Sunday) or SUN-SAT, * , lists, ranges, steps up to 7, "
    "or only counted days: n#k (k-th, k 1-5), Ln (last)",
    ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"), InvalidUnixExpression,
)  # fmt: skip
_FIELDS = (_MINUTE, _HOUR, _DAY_OF_MONTH, _MONTH, _DAY_OF_WEEK)
_EVERY = "*"
_LAST = "l"


@dataclass(frozen=True, slots=True)
class EitherDay:
    """The days that any of its rules names."""

    rules: tuple[DayOfMonthRule | DayOfWeekRule, ...]
    moves_to_weekdays: ClassVar[bool] = False

    def days_in(self, length: int, first_weekday: int, missing: int = 0) -> int:
        """The mask of matching days, bit 0 for the first, of a month of that length and first weekday."""
        days = 0
        for rule in self.rules:
            days |= rule.days_in(length, first_weekday, missing)
        return days


@dataclass(frozen=True, slots=True)
class UnixExpression(FireTimes):
    """A five-field expression; `text` is in upper case with single spaces, so that equal ones compare equal.

    Fires at second 0. Days are those of either day field where both are restricted, as cron has it.
    `UnixExpression.parse(text)` and `UnixExpression(text)` both raise InvalidUnixExpression; `parse` remembers.
    """

    def __post_init__(self) -> None:
        fields = split_fields(self.text)
        values, counted = _expand(fields)
        clock = Clock(seconds=1, minutes=_mask(_MINUTE, values[0]), hours=_mask(_HOUR, values[1]))
        rule = EitherDay(_day_rules(values, counted))
        days = DayCalendar(rule, months=_mask(_MONTH, values[3]), years=read_years("*"))
        object.__setattr__(self, "text", " ".join(fields))
        object.__setattr__(self, "_clock", clock)
        object.__setattr__(self, "_days", days)

    @classmethod
    def parse(cls, text: str) -> "UnixExpression":
        """The expression of a text. Raises InvalidUnixExpression."""
        return _parse(text)


def describe(text: str) -> str:
    """A five-field expression in plain English. Raises InvalidUnixExpression."""
    fields = split_fields(text)
    values, counted = _expand(fields)
    days = [
        days_of_month(fields[2]) if isinstance(rule, DayOfMonthRule) else weekdays(rule)
        for rule in _day_rules(values, counted)
    ]
    day = " or ".join(day for day in days if day)
    time, daily = times("0", fields[0], fields[1])
    return sentence(time, day or ("every day" if daily else ""), months(_mask(_MONTH, values[3])))


def split_fields(text: str) -> list[str]:
    """The five fields of a text, in upper case, each read. Raises InvalidUnixExpression."""
    if len(text) > MAX_LENGTH:
        raise _refuse(text, f"is {len(text)} characters long", f"at most {MAX_LENGTH} characters")
    if not text.isascii() or not text.replace("\t", " ").isprintable():
        raise _refuse(text, "has a character beyond printable ASCII", "letters, digits, * , - / # , spaces and tabs")
    fields = text.upper().split()
    if len(fields) != 5:
        raise _refuse(text, f"has {len(fields)} fields", "5 fields: minute hour day-of-month month day-of-week")
    for field, written in zip(_FIELDS, fields, strict=True):
        for item in written.split(","):
            _check(field, item)
    # A value given twice means no more, and costs croniter time.
    return [",".join(dict.fromkeys(written.split(","))) for written in fields]


def _check(field: Field, item: str) -> None:
    """Refuse what croniter takes for something else: R (random), H (hashed), 15W for 15, `2-2` for every month."""
    if field is _DAY_OF_MONTH and item == "L":
        return
    if field is _DAY_OF_WEEK:
        day, mark, count = item.partition("#")
        if mark and count not in tuple("12345"):
            raise field.refuse(item, "does not count from 1 to 5 after the #")
        if mark or (item.startswith("L") and len(item) > 1):
            day = day if mark else item[1:]
            if read_run(field, day).kind != "value" or "/" in day:
                raise field.refuse(item)
            return
    run = read_run(field, item)
    if item.rpartition("/")[1] and not int(item.rpartition("/")[2]):
        raise field.refuse(item, "has a step of 0")
    if run.kind == "range" and run.low == run.high:
        raise field.refuse(item, "is a range of one value")
    if run.kind == "range" and run.low > run.high and "/" in item:
        raise field.refuse(item, "runs backwards with a step")


_Values = list[list[int | str]]
_Counted = dict[int, set[int | str]]


def _expand(fields: list[str]) -> tuple[_Values, _Counted]:
    """The values of each field, and of weekdays which of the month (1-5 or "l"), as croniter reads them."""
    try:
        values, counted = croniter.expand(" ".join(fields))
    except ValueError:
        # What the reading of single items has left to be found.
        raise _DAY_OF_WEEK.refuse(fields[4], "mixes weekdays with counted ones") from None
    if counted and values[2][0] != _EVERY:
        raise _DAY_OF_WEEK.refuse(fields[4], "cannot stand beside a day of month")
    return values, counted


def _mask(field: Field, values: list[int | str]) -> int:
    if values[0] == _EVERY:
        return (1 << field.high + 1) - (1 << field.low)
    return sum(1 << int(value) for value in values)


def _day_rules(values: _Values, counted: _Counted) -> tuple[DayOfMonthRule | DayOfWeekRule, ...]:
    days, weekday = values[2], values[4]
    rules: list[DayOfMonthRule | DayOfWeekRule] = []
    if days[0] != _EVERY:
        fixed = sum(1 << day for day in days if isinstance(day, int))
        last = (Shift(0, from_end=True, weekday=False),) if _LAST in days else ()
        rules.append(DayOfMonthRule(fixed, last))
    if counted:
        rules += [
            DayOfWeekRule(1 << day + 1, -1 if count == _LAST else int(count))
            for day, counts in sorted(counted.items())
            for count in sorted(counts, key=str)
        ]
    elif weekday[0] != _EVERY:
        rules.append(DayOfWeekRule(sum(1 << int(day) + 1 for day in weekday)))
    return tuple(rules) or (DayOfMonthRule(_mask(_DAY_OF_MONTH, ["*"]), ()),)


def _refuse(text: str, problem: str, allowed: str) -> InvalidUnixExpression:
    return InvalidUnixExpression(field="expression", text=text, problem=problem, allowed=allowed)


@lru_cache(maxsize=8192)
def _parse(text: str) -> UnixExpression:
    return UnixExpression(text)
