"""The fields of an expression: their ranges, and reading one of them into a set of bits.

Bit n of a mask stands for the value n, except for years, where bit 0 is FIRST_YEAR.
The grammar is that of Java's Quartz CronExpression without the texts it takes only by ignoring trailing characters;
docs/quartz.md lists what is refused.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from scheduler.quartz.errors import InvalidExpression, InvalidQuartzExpression

FIRST_YEAR = 1970  # nothing fires before it
LAST_YEAR = 2149  # where `*` and open steps of the year end, and every search with them; Quartz looks 100 years ahead
_FIRST_WRITTEN_YEAR = 1900  # Quartz lets a text name years before the first; a two-digit year is a slip

MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """What one field may hold. `end` is where open steps stop; `wrap` the modulus of a range that runs backwards."""

    name: str
    low: int
    high: int
    end: int
    wrap: int  # 0: a range may not run backwards
    max_step: int  # the largest step after `*` or a single value; 0: any
    allowed: str
    names: tuple[str, ...] = ()
    error: type[InvalidExpression] = InvalidQuartzExpression

    def refuse(self, text: str, problem: str = "is not valid") -> InvalidExpression:
        """What to raise for a part of this field."""
        return self.error(field=self.name, text=text, allowed=self.allowed, problem=problem)


_SIXTY = "0-59, * , lists (1,2), ranges (1-5), steps up to 59 (*/5, 0/15, 1-30/2)"
SECOND = Field("second", 0, 59, 59, 60, 59, _SIXTY)
MINUTE = Field("minute", 0, 59, 59, 60, 59, _SIXTY)
HOUR = Field("hour", 0, 23, 23, 24, 23, "0-23, * , lists (1,2), ranges (8-18, 22-2), steps up to 23 (*/2, 8-18/3)")
DAY_OF_MONTH = Field(
    "day of month", 1, 31, 31, 31, 31,
    "1-31, * , lists, ranges, steps up to 31, L, L-n (n 0-30), LW, L-nW, nW, or ? when the day of week is given",
)  # fmt: skip
MONTH = Field("month", 1, 12, 12, 12, 12, "1-12 or JAN-DEC, * , lists, ranges, steps up to 12", MONTH_NAMES)
DAY_OF_WEEK = Field(
    "day of week", 1, 7, 7, 7, 7,
    "1-7 (1 is Sunday) or SUN-SAT, * , lists, ranges, steps up to 7, "
    "L, or alone nL (last) and n#k (k-th, k 1-5), or ? when the day of month is given",
    DAY_NAMES,
)  # fmt: skip
YEAR = Field(
    "year", _FIRST_WRITTEN_YEAR, LAST_YEAR, LAST_YEAR, 0, 0,
    f"{_FIRST_WRITTEN_YEAR}-{LAST_YEAR}, * , lists, ranges that run forwards, steps",
)  # fmt: skip

_ITEM = re.compile(r"(?:(?P<star>\*)|(?P<low>[A-Z]+|[0-9]+)(?:-(?P<high>[A-Z]+|[0-9]+))?)?(?:/(?P<step>[0-9]+))?")


@dataclass(frozen=True, slots=True)
class Run:
    """One item of a list: from `low` to `high`, which is below `low` where the range wraps, every `step`."""

    low: int
    high: int
    step: int
    kind: str  # "every" (`*`, `*/n`), "value" (`a`), "from" (`a/n`), "range" (`a-b`, `a-b/n`)


def read_run(field: Field, item: str) -> Run:
    """One list item made of `*`, numbers, names, `-` and `/`. Raises InvalidQuartzExpression."""
    match = _ITEM.fullmatch(item)
    if not item or match is None:
        raise field.refuse(item)
    star, low_text, high_text, step_text = match.group("star", "low", "high", "step")
    step = None if step_text is None else int(step_text)
    if star or low_text is None:
        _check_step(field, item, step)
        # Quartz takes `*/0` for `*`.
        return Run(FIRST_YEAR if field is YEAR else field.low, field.end, step or 1, "every")
    low = _value(field, item, low_text)
    if high_text is not None:
        if low_text.isdigit() != high_text.isdigit():
            raise field.refuse(item, "mixes a name and a number in one range")
        high = _value(field, item, high_text)
        if not low_text.isdigit():
            step = None  # Quartz ignores a step after names; it is written in its answers, so it is ours
        if high < low and not field.wrap:
            raise field.refuse(item, "runs backwards")
        # Quartz takes a step of 0 after a range for its first value alone.
        return Run(low, low, 1, "value") if step == 0 else Run(low, high, step or 1, "range")
    if not low_text.isdigit():
        step = None
    _check_step(field, item, step)
    if not step:
        return Run(low, low, 1, "value")
    return Run(low, field.end, step, "from")


def _value(field: Field, item: str, text: str) -> int:
    if text.isdigit():
        value = int(text)
        if not field.low <= value <= field.high:
            raise field.refuse(item, f"is out of range {field.low}-{field.high}")
        return value
    if text not in field.names:
        raise field.refuse(item)
    return field.names.index(text) + 1


def _check_step(field: Field, item: str, step: int | None) -> None:
    if step is not None and field.max_step and step > field.max_step:
        raise field.refuse(item, f"has a step above {field.max_step}")


def bits(field: Field, run: Run) -> int:
    """The mask of a run's values."""
    if run.kind == "value":
        return 1 << run.low
    if run.step == 1 and run.high >= run.low:
        return (2 << run.high) - (1 << run.low)
    if run.high >= run.low:
        return sum(1 << value for value in range(run.low, run.high + 1, run.step))
    # The step carries on through the wrap; fields that count from 1 keep their highest value instead of 0.
    mask = 0
    for value in range(run.low, run.high + field.wrap + 1, run.step):
        mask |= 1 << (value % field.wrap or (field.wrap if field.low else 0))
    return mask


@lru_cache(maxsize=4096)
def read_mask(field: Field, text: str) -> int:
    """The mask of a list of runs. Raises InvalidQuartzExpression."""
    mask = 0
    for item in dict.fromkeys(text.split(",")):  # a long list can only be long by repeating itself
        if item.isdigit():  # by far the most frequent
            mask |= 1 << _value(field, item, item)
        else:
            mask |= bits(field, read_run(field, item))
    return mask


@lru_cache(maxsize=512)
def read_years(text: str) -> int:
    """The mask of years, bit 0 being FIRST_YEAR. Raises InvalidQuartzExpression."""
    return read_mask(YEAR, text) >> FIRST_YEAR
