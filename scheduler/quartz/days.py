"""Which days an expression names: the rules of its two day fields, laid over the years.

A Gregorian year has one of 14 shapes (the weekday of 1 January, leap or not), so an expression needs at most
14 masks of 366 bits to know every matching day of every year, and to know at once that there is none.
"""

import re
from bisect import bisect_right
from calendar import isleap
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import ClassVar, Protocol

from scheduler.quartz.fields import DAY_OF_MONTH, DAY_OF_WEEK, FIRST_YEAR, LAST_YEAR, bits, read_mask, read_run

_EPOCH = date(1970, 1, 1).toordinal()
YEARS = LAST_YEAR - FIRST_YEAR + 1
# The days since 1970-01-01 on which the years begin; one more than there are years.
NEW_YEARS = tuple(date(FIRST_YEAR + index, 1, 1).toordinal() - _EPOCH for index in range(YEARS + 1))
# (leap, weekday of 1 January with Sunday 0) of each year; 1970-01-01 was a Thursday.
_SHAPES = tuple((isleap(FIRST_YEAR + index), (day + 4) % 7) for index, day in enumerate(NEW_YEARS[:-1]))
_SHAPE_NUMBERS = tuple(weekday + 7 * leap for leap, weekday in _SHAPES)
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class Shift:
    """A day of month that depends on the month: `nW`, or L with an offset, either moved to a weekday or not."""

    day: int  # 1-31, or minus the offset from the last day when `from_end`
    from_end: bool
    weekday: bool

    def day_in(self, length: int, first_weekday: int, missing: int = 0) -> int:
        """The day it means in a month of `length` days whose first is `first_weekday` (Sunday 0); 0 if none.

        `missing` is a day that the zone skipped at the date line. Quartz asks the calendar for its weekday and is
        told that of the day after.
        """
        day = length + self.day if self.from_end else self.day
        if not 1 <= day <= length:
            return 0
        if not self.weekday:
            return day
        weekday = (first_weekday + day - 1 + (day == missing)) % 7
        if weekday == 6:
            return day - 1 if day > 1 else 3
        if weekday == 0:
            return day + 1 if day < length else day - 2
        return day


@dataclass(frozen=True, slots=True)
class DayOfMonthRule:
    """Days of the month: fixed ones as a mask, and those that depend on the month."""

    mask: int
    shifts: tuple[Shift, ...]

    @property
    def moves_to_weekdays(self) -> bool:
        """Whether it has a W, whose day can differ by zone."""
        return bool(self.shifts) and any(shift.weekday for shift in self.shifts)

    def days_in(self, length: int, first_weekday: int, missing: int = 0) -> int:
        """The mask of matching days, bit 0 for the first, of a month of that length and first weekday."""
        days = self.mask
        for shift in self.shifts:
            days |= 1 << shift.day_in(length, first_weekday, missing)
        return days >> 1 & (1 << length) - 1


@dataclass(frozen=True, slots=True)
class DayOfWeekRule:
    """Weekdays as a mask (bits 1-7 from Sunday), of which only the `nth` (1-5) or the last (-1); 0 means all."""

    mask: int
    nth: int = 0

    moves_to_weekdays: ClassVar[bool] = False

    def days_in(self, length: int, first_weekday: int, missing: int = 0) -> int:
        """The mask of matching days, bit 0 for the first, of a month of that length and first weekday."""
        days = 0
        for day in range(length):
            if self.mask >> (first_weekday + day) % 7 + 1 & 1 and self._counts(day, length):
                days |= 1 << day
        return days

    def _counts(self, day: int, length: int) -> bool:
        if self.nth < 0:
            return day + 7 >= length
        return self.nth in (0, day // 7 + 1)


class DayRule(Protocol):
    """What names days of a month."""

    @property
    def moves_to_weekdays(self) -> bool: ...

    def days_in(self, length: int, first_weekday: int, missing: int = 0) -> int: ...


_SHIFT = re.compile(r"L(?:-(?P<offset>[0-9]+))?(?P<last_w>W)?|(?P<day>[0-9]+)W")
_LAST = re.compile(r"(?P<day>[A-Z]{3}|[0-9]+)L")
_NTH = re.compile(r"(?P<day>[A-Z]{3}|[0-9]+)#(?P<nth>[0-9]+)")


def read_shift(item: str) -> Shift | None:
    """`L`, `L-n`, `LW`, `L-nW` or `nW`; None when the item is none of these. Raises InvalidQuartzExpression."""
    match = _SHIFT.fullmatch(item)
    if match is None:
        return None
    if match["day"] is not None:
        if not 1 <= int(match["day"]) <= 31:
            raise DAY_OF_MONTH.refuse(item, "names a day outside 1-31")
        return Shift(int(match["day"]), from_end=False, weekday=True)
    offset = int(match["offset"] or 0)
    if offset > 30:
        raise DAY_OF_MONTH.refuse(item, "has an offset above 30")
    return Shift(-offset, from_end=True, weekday=match["last_w"] is not None)


@lru_cache(maxsize=2048)
def read_day_of_month(text: str) -> DayOfMonthRule:
    """The rule of a day-of-month field other than `?`. Raises InvalidQuartzExpression."""
    mask = 0
    shifts: dict[Shift, None] = {}
    for item in dict.fromkeys(text.split(",")):
        shift = None if item.isdigit() else read_shift(item)
        if shift is None:
            mask |= bits(DAY_OF_MONTH, read_run(DAY_OF_MONTH, item))
        else:
            shifts[shift] = None
    return DayOfMonthRule(mask, tuple(shifts))


@lru_cache(maxsize=2048)
def read_day_of_week(text: str) -> DayOfWeekRule:
    """The rule of a day-of-week field other than `?`. Raises InvalidQuartzExpression."""
    if text == "L":
        return DayOfWeekRule(1 << 7)
    if last := _LAST.fullmatch(text):
        return DayOfWeekRule(read_mask(DAY_OF_WEEK, last["day"]), -1)
    if nth := _NTH.fullmatch(text):
        if not 1 <= int(nth["nth"]) <= 5:
            raise DAY_OF_WEEK.refuse(text, "does not count from 1 to 5 after the #")
        return DayOfWeekRule(read_mask(DAY_OF_WEEK, nth["day"]), int(nth["nth"]))
    if "," in text:
        for item in text.split(","):
            if item == "L" or _LAST.fullmatch(item) or _NTH.fullmatch(item):
                raise DAY_OF_WEEK.refuse(item, "cannot stand in a list")
    return DayOfWeekRule(read_mask(DAY_OF_WEEK, text))


class DayCalendar:
    """The matching days of an expression, as days since 1970-01-01. Remembers; its answers never change."""

    __slots__ = ("_masks", "_missing", "_months", "_rule", "_variants", "_years", "moves_to_weekdays", "window")

    def __init__(self, rule: DayRule, *, months: int, years: int, missing: tuple[int, ...] = ()) -> None:
        self._rule = rule
        self._months = months
        self._years = years
        self._missing = missing
        self._masks: list[int | None] = [None] * 14
        self._variants: dict[tuple[int, ...], DayCalendar] = {}
        self.moves_to_weekdays = rule.moves_to_weekdays
        # The year asked about last: its first day, the first day after it, its mask. One tuple, so that threads
        # always see three values that belong together.
        self.window = (0, 0, 0)

    def without(self, missing: tuple[int, ...]) -> "DayCalendar":
        """The calendar for a zone that never had the `missing` days."""
        if not missing:
            return self
        if missing not in self._variants:
            self._variants[missing] = DayCalendar(self._rule, months=self._months, years=self._years, missing=missing)
        return self._variants[missing]

    def first_from(self, day: int) -> int | None:
        """The first matching day that is not before `day`; None if there is none up to the last year."""
        begin, end, mask = self.window
        if begin <= day < end and (rest := mask >> (day - begin)):
            return day + (rest & -rest).bit_length() - 1
        day = max(day, 0)
        index = bisect_right(NEW_YEARS, day) - 1
        while index < YEARS:
            mask = self._mask_of(index)
            begin = NEW_YEARS[index]
            rest = mask >> (day - begin) if day > begin else mask
            if rest:
                self.window = (begin, NEW_YEARS[index + 1], mask)
                return max(day, begin) + (rest & -rest).bit_length() - 1
            later = self._years >> (index + 1)
            if not later:
                return None
            index += (later & -later).bit_length()
        return None

    def last_until(self, day: int) -> int | None:
        """The last matching day that is not after `day`; None if there is none since 1970."""
        begin, end, mask = self.window
        if begin <= day < end and (rest := mask & (2 << (day - begin)) - 1):
            return begin + rest.bit_length() - 1
        day = min(day, NEW_YEARS[-1] - 1)
        index = bisect_right(NEW_YEARS, day) - 1
        while index >= 0:
            begin = NEW_YEARS[index]
            mask = self._mask_of(index)
            rest = mask & (2 << (day - begin)) - 1
            if rest:
                self.window = (begin, NEW_YEARS[index + 1], mask)
                return begin + rest.bit_length() - 1
            index = (self._years & (1 << index) - 1).bit_length() - 1
            day = NEW_YEARS[index + 1] - 1
        return None

    def _mask_of(self, index: int) -> int:
        if not self._years >> index & 1:
            return 0
        if self._missing:
            begin, end = NEW_YEARS[index], NEW_YEARS[index + 1]
            for missing in self._missing:
                if begin <= missing < end:
                    return self._lay_over(*_SHAPES[index], missing - begin)
        number = _SHAPE_NUMBERS[index]
        mask = self._masks[number]
        if mask is None:
            mask = self._masks[number] = self._lay_over(*_SHAPES[index], -1)
        return mask

    def _lay_over(self, leap: bool, weekday: int, missing: int) -> int:
        mask = 0
        begin = 0
        for month, usual in enumerate(_LENGTHS, start=1):
            length = 29 if leap and month == 2 else usual
            if self._months >> month & 1:
                mask |= self._rule.days_in(length, (weekday + begin) % 7, missing - begin + 1) << begin
            begin += length
        return mask
