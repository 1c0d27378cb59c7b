"""An expression in plain English, such as "At 09:00, on Monday through Friday, in January".

Written from the parsed fields rather than from the text, so that it says what will happen: cron-descriptor, for one,
passes over L, W and the second of two values in a list, and refuses `L` as a day of the week.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import product

from scheduler.quartz.days import DayOfWeekRule, read_day_of_month, read_day_of_week, read_shift
from scheduler.quartz.expression import split_fields
from scheduler.quartz.fields import (
    DAY_OF_MONTH,
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    YEAR,
    Field,
    Run,
    read_mask,
    read_run,
)  # fmt: skip

_MOST_TIMES = 6  # times of day written out one by one
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_COUNTED = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}


def describe(text: str) -> str:
    """A Quartz expression in plain English, one sentence without its full stop. Raises InvalidQuartzExpression."""
    second, minute, hour, day_of_month, month, day_of_week, *rest = split_fields(text)
    if day_of_week == "?":
        read_day_of_month(day_of_month)
        day = days_of_month(day_of_month)
    else:
        day = weekdays(read_day_of_week(day_of_week))
    time, daily = times(second, minute, hour)
    return sentence(time, day or ("every day" if daily else ""), months(read_mask(MONTH, month)), years(*rest))


def sentence(*parts: str) -> str:
    """The parts that say something, in one line."""
    return ", ".join(part for part in parts if part)


def times(second: str, minute: str, hour: str) -> tuple[str, bool]:
    """The times of day in words, and whether they are few enough to be written out. Raises for an invalid field."""
    values = [values_of(read_mask(field, text)) for field, text in ((HOUR, hour), (MINUTE, minute), (SECOND, second))]
    if len(values[0]) * len(values[1]) * len(values[2]) <= _MOST_TIMES:
        return f"At {join([_time(*time) for time in product(*values)])}", True
    hours = _runs(HOUR, hour)
    if values[2] != [0]:
        return _seconds(second, minute, hours), False
    if values[1] == [0]:
        if _is_even(HOUR, hours):
            return _every(hours, "hour"), False
        if len(hours) == 1 and hours[0].step == 1:
            return f"Every hour from {hours[0].low:02}:00 through {hours[0].high:02}:00", False
        return f"At minute 0{_of_hours(hours)}", False
    minutes = _runs(MINUTE, minute)
    if _is_even(MINUTE, minutes):
        return _every(minutes, "minute") + _of_hours(hours), False
    return f"At {_numbers(MINUTE, minutes)}{_of_hours(hours) or ' of every hour'}", False


def _seconds(second: str, minute: str, hours: Sequence[Run]) -> str:
    seconds, minutes = _runs(SECOND, second), _runs(MINUTE, minute)
    if _is_even(SECOND, seconds):
        start = _every(seconds, "second")
        middle = "" if _is_every(minutes) else f" of {_numbers(MINUTE, minutes)}"
    else:
        start = f"At {_numbers(SECOND, seconds)}"
        middle = f" of {_numbers(MINUTE, minutes)}"
    end = _of_hours(hours)
    return start + middle + (end or ("" if _is_every(minutes) else " of every hour"))


def _of_hours(hours: Sequence[Run]) -> str:
    if _is_every(hours):
        return ""
    if len(hours) == 1 and hours[0].step == 1:
        return f" from {hours[0].low:02}:00 through {hours[0].high:02}:59"
    return f" of {_numbers(HOUR, hours)}"


def days_of_month(text: str) -> str:
    """A day-of-month field in words; empty for every day."""
    if text == "*":
        return ""
    nouns = []
    for item in text.split(","):
        shift = read_shift(item)
        if shift is None:
            nouns.append(_numbers(DAY_OF_MONTH, [read_run(DAY_OF_MONTH, item)]))
        elif not shift.from_end:
            nouns.append(f"the weekday nearest day {shift.day}")
        elif shift.day:
            place = f"{-shift.day} day{'s' if shift.day < -1 else ''} before the last day"
            nouns.append(f"the weekday nearest the day {place}" if shift.weekday else f"the day {place}")
        else:
            nouns.append("the last weekday" if shift.weekday else "the last day")
    return f"on {join(nouns)} of the month"


def weekdays(rule: DayOfWeekRule) -> str:
    """A day-of-week rule in words; empty for every day."""
    days = values_of(rule.mask)
    if rule.nth:
        return f"on the {_COUNTED[rule.nth]} {_DAYS[days[0] - 1]} of the month"
    # Told from Monday on: Friday through Monday, when written so, then reads as Monday and Friday through Sunday.
    names = [_DAYS[day % 7] for day in range(1, 8) if day % 7 + 1 in days]
    return "" if len(names) == 7 else f"on {_stretches(names, (*_DAYS[1:], _DAYS[0]))}"


def months(mask: int) -> str:
    """A month mask in words; empty for every month."""
    names = [_MONTHS[value - 1] for value in values_of(mask)]
    return "" if len(names) == 12 else f"in {_stretches(names, _MONTHS)}"


def years(text: str = "*") -> str:
    """A year field in words; empty for every year."""
    runs = _runs(YEAR, text)
    if any(run.kind == "every" and run.step == 1 for run in runs):
        return ""

    def phrase(run: Run) -> str:
        if run.step == 1 or run.kind == "value":
            return _stretch(run, str)
        end = f" through {run.high}" if run.kind == "range" else ""
        return f"every {ordinal(run.step)} year from {run.low}{end}"

    words = join([phrase(run) for run in runs])
    return words if words.startswith("every") else f"in {words}"


def join(words: Sequence[str]) -> str:
    """The words with commas and an "and" before the last."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 11th, ..."""
    if number % 100 not in (11, 12, 13) and number % 10 in (1, 2, 3):
        return f"{number}{('st', 'nd', 'rd')[number % 10 - 1]}"
    return f"{number}th"


def _runs(field: Field, text: str) -> list[Run]:
    return list(dict.fromkeys(read_run(field, item) for item in text.split(",")))


def values_of(mask: int) -> list[int]:
    """The values of a mask, in order."""
    return [value for value in range(mask.bit_length()) if mask >> value & 1]


def _time(hour: int, minute: int, second: int) -> str:
    return f"{hour:02}:{minute:02}:{second:02}" if second else f"{hour:02}:{minute:02}"


def _is_every(runs: Sequence[Run]) -> bool:
    return any(run.kind == "every" and run.step == 1 for run in runs)


def _is_even(field: Field, runs: Sequence[Run]) -> bool:
    """Whether the runs are one beat that goes on evenly from one minute, hour or day into the next."""
    if _is_every(runs):
        return True
    (run, *more) = runs
    return not more and run.kind in ("every", "from") and run.low == 0 and (field.high + 1) % run.step == 0


def _every(runs: Sequence[Run], unit: str) -> str:
    return f"Every {unit}" if _is_every(runs) or runs[0].step == 1 else f"Every {runs[0].step} {unit}s"


def _numbers(field: Field, runs: Sequence[Run]) -> str:
    """ "minute 5", "minutes 5, 7 and 10 through 20", "every 7th minute from 3"."""
    unit = "day" if field is DAY_OF_MONTH else field.name
    if _is_every(runs):
        return f"every {unit}"
    plain = [run for run in runs if run.step == 1 or run.kind == "value"]
    stepped = [run for run in runs if run not in plain]
    phrases = [f"every {ordinal(run.step)} {unit}{_bounds(field, run)}" for run in stepped]
    if plain:
        several = len(plain) > 1 or plain[0].low != plain[0].high
        phrases.insert(0, f"{unit}{'s' if several else ''} {join([_stretch(run, str) for run in plain])}")
    return join(phrases)


def _bounds(field: Field, run: Run) -> str:
    if run.kind == "range":
        return f" from {run.low} through {run.high}"
    return "" if _is_even(field, [run]) else f" starting at {run.low}"


def _stretch(run: Run, name: Callable[[int], str]) -> str:
    return name(run.low) if run.low == run.high else f"{name(run.low)} through {name(run.high)}"


def _stretches(names: Iterable[str], order: Sequence[str]) -> str:
    """The names, three or more in a row as "a through c"."""
    rows: list[list[str]] = []
    for name in names:
        if rows and order.index(rows[-1][-1]) + 1 == order.index(name):
            rows[-1].append(name)
        else:
            rows.append([name])
    return join([part for row in rows for part in (row if len(row) < 3 else [f"{row[0]} through {row[-1]}"])])
