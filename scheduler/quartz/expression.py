"""A Quartz expression."""

from dataclasses import dataclass
from functools import lru_cache

from scheduler.quartz.clock import Clock
from scheduler.quartz.days import DayCalendar, read_day_of_month, read_day_of_week
from scheduler.quartz.errors import InvalidQuartzExpression
from scheduler.quartz.fields import HOUR, MINUTE, MONTH, SECOND, read_mask, read_years
from scheduler.quartz.fires import FireTimes

MAX_LENGTH = 1024  # characters; every value of every field written out, years apart, takes 660
_SHOWN = "second minute hour day-of-month month day-of-week [year]"


def split_fields(text: str) -> list[str]:
    """The six or seven fields of a text, in upper case, with exactly one `?`. Raises InvalidQuartzExpression."""
    if len(text) > MAX_LENGTH:
        raise _refuse(text, f"is {len(text)} characters long", f"at most {MAX_LENGTH} characters")
    # Not upper-cased before this: some letters beyond ASCII have ASCII capitals.
    if not text.isascii() or not text.replace("\t", " ").isprintable():
        raise _refuse(text, "has a character beyond printable ASCII", "letters, digits, * ? , - / # , spaces and tabs")
    fields = text.upper().split()
    if not 6 <= len(fields) <= 7:
        raise _refuse(text, f"has {len(fields)} fields", f"6 or 7 fields: {_SHOWN}")
    day_of_month, day_of_week = fields[3], fields[5]
    if (day_of_month == "?") == (day_of_week == "?"):
        problem = "leaves out both day fields" if day_of_week == "?" else "names the day twice"
        raise _refuse(text, problem, "? in exactly one of day of month and day of week")
    return fields


def _refuse(text: str, problem: str, allowed: str) -> InvalidQuartzExpression:
    return InvalidQuartzExpression(field="expression", text=text, problem=problem, allowed=allowed)


@dataclass(frozen=True, slots=True)
class QuartzExpression(FireTimes):
    """A Quartz expression; `text` is in upper case with single spaces, so that equal ones compare equal.

    `QuartzExpression.parse(text)` and `QuartzExpression(text)` both raise InvalidQuartzExpression, a ValueError;
    `parse` remembers. Fire times follow Java's Quartz, daylight saving included (docs/quartz.md).
    """

    def __post_init__(self) -> None:
        fields = split_fields(self.text)
        second, minute, hour, day_of_month, month, day_of_week, *rest = fields
        clock = Clock(seconds=read_mask(SECOND, second), minutes=read_mask(MINUTE, minute), hours=read_mask(HOUR, hour))
        days = _days(day_of_month, month, day_of_week, rest[0] if rest else "*")
        object.__setattr__(self, "text", " ".join(fields))
        object.__setattr__(self, "_clock", clock)
        object.__setattr__(self, "_days", days)

    @classmethod
    def parse(cls, text: str) -> "QuartzExpression":
        """The expression of a text. Raises InvalidQuartzExpression."""
        return _parse(text)


@lru_cache(maxsize=1024)
def _days(day_of_month: str, month: str, day_of_week: str, years: str) -> DayCalendar:
    """Shared by expressions that differ in their times of day, which is how most of them differ."""
    rule = read_day_of_month(day_of_month) if day_of_week == "?" else read_day_of_week(day_of_week)
    return DayCalendar(rule, months=read_mask(MONTH, month), years=read_years(years))


@lru_cache(maxsize=8192)
def _parse(text: str) -> QuartzExpression:
    return QuartzExpression(text)
