"""Texts with their meanings, zones, and instants that like to be near clock changes."""

from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

from tests.scheduler.quartz_reference import Reference, last_day, nearest_weekday

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# Gaps that are not one whole hour on the hour, or that begin at 23:00, or that swallow a day.
ODD_ZONES = (
    "America/Nuuk", "America/Scoresbysund", "America/St_Johns", "Antarctica/Casey", "Antarctica/Troll", "Asia/Dhaka",
    "Asia/Pyongyang", "Australia/Lord_Howe", "Europe/Sofia", "Pacific/Apia", "Pacific/Chatham", "Pacific/Kiritimati",
)  # fmt: skip

MOVING_ZONES = (
    "Africa/Casablanca", "America/New_York", "America/Sao_Paulo", "Asia/Gaza", "Asia/Tehran", "Europe/London",
)  # fmt: skip
zones = st.one_of(
    st.sampled_from(sorted(available_timezones())), st.sampled_from(ODD_ZONES), st.sampled_from(MOVING_ZONES)
).map(ZoneInfo)
Meaning = tuple[str, frozenset[int]]
DayMeaning = tuple[str, Callable[[date], bool]]


@dataclass(frozen=True)
class Case:
    """A text with its meaning, and a zone and an instant to try it on."""

    text: str
    reference: Reference
    zone: ZoneInfo
    instant: datetime


@cache
def changes(zone: ZoneInfo) -> tuple[datetime, ...]:
    """The instants from 1970 to 2099 at which the zone's clock changes."""
    found = []
    for day in range(0, 130 * 365, 6):
        low, high = EPOCH + timedelta(days=day), EPOCH + timedelta(days=day + 6)
        before = low.astimezone(zone).utcoffset()
        if high.astimezone(zone).utcoffset() == before:
            continue
        while high - low > timedelta(seconds=1):
            middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
            low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
        found.append(high)
    return tuple(found)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Mostly instants within days, hours or seconds of a change of the clock, and texts that fire around its hour."""
    zone = draw(zones)
    near = changes(zone)
    if not near or draw(st.integers(0, 5)) == 0:
        instant = EPOCH + timedelta(seconds=draw(st.integers(0, 130 * 365 * 86_400)))
        text, reference = draw(expressions(draw(st.integers(0, 23))))
    else:
        change = draw(st.sampled_from(near))
        distance = draw(st.sampled_from((1, 3_600, 7_200, 90_000, 3 * 86_400)))
        instant = change + timedelta(seconds=draw(st.integers(-distance, distance)))
        text, reference = draw(expressions((change - timedelta(seconds=1)).astimezone(zone).hour))
    instant -= timedelta(microseconds=draw(st.sampled_from((0, 0, 1))))
    return Case(text, reference, zone, instant.astimezone(zone))


@st.composite
def items(draw: st.DrawFn, low: int, high: int, names: tuple[str, ...] = ()) -> Meaning:
    """One item of a list of numbers or names, and its values."""
    size = high - low + 1
    first, last = draw(st.integers(low, high)), draw(st.integers(low, high))
    step = draw(st.integers(1, size - 1))
    run = [low + (first - low + index) % size for index in range((last - first) % size + 1)]
    match draw(st.sampled_from(("every", "value", "range", "stepped range", "from", "stepped every", "name", "names"))):
        case "every":
            return "*", frozenset(range(low, high + 1))
        case "range":
            return f"{first}-{last}", frozenset(run)
        case "stepped range":
            return f"{first}-{last}/{step}", frozenset(run[::step])
        case "from":
            return f"{first}/{step}", frozenset(range(first, high + 1, step))
        case "stepped every":
            return f"*/{step}", frozenset(range(low, high + 1, step))
        case "name" if names:
            return draw(st.sampled_from((str.upper, str.lower, str.title)))(names[first - 1]), frozenset({first})
        case "names" if names:
            return f"{names[first - 1]}-{names[last - 1]}", frozenset(run)
    return str(first), frozenset({first})


def lists(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[Meaning]:
    """A list of one to three items, and its values."""
    return st.lists(items(low, high, names), min_size=1, max_size=3).map(
        lambda found: (",".join(text for text, _ in found), frozenset().union(*(values for _, values in found)))
    )


@st.composite
def shifted_days(draw: st.DrawFn) -> DayMeaning:
    """One of L, L-n, LW, L-nW and nW, and whether a day is it."""
    number = draw(st.integers(0, 30))
    match draw(st.sampled_from(("L", "L-n", "LW", "L-nW", "nW"))):
        case "L":
            return "L", lambda day: day.day == last_day(day)
        case "L-n":
            return f"L-{number}", lambda day: day.day == last_day(day) - number
        case "LW":
            return "LW", lambda day: day.day == nearest_weekday(day.year, day.month, last_day(day))
        case "L-nW":
            return f"L-{number}W", lambda day: is_near(day, last_day(day) - number)
    return f"{number + 1}W", lambda day: is_near(day, number + 1)


def is_near(day: date, wanted: int) -> bool:
    """Whether a day is the weekday nearest the one wanted, in a month that has that one."""
    return 1 <= wanted <= monthrange(day.year, day.month)[1] and day.day == nearest_weekday(day.year, day.month, wanted)


@st.composite
def days_of_month(draw: st.DrawFn) -> DayMeaning:
    """A day-of-month field, and whether a day is in it."""
    if draw(st.booleans()):
        text, values = draw(lists(1, 31))
        return text, lambda day: day.day in values
    shifts = draw(st.lists(shifted_days(), min_size=1, max_size=2))
    if draw(st.booleans()):
        number = draw(st.integers(1, 31))
        shifts.append((str(number), lambda day: day.day == number))
    return ",".join(text for text, _ in shifts), lambda day: any(matches(day) for _, matches in shifts)


def weekday(day: date) -> int:
    """1 for Sunday to 7 for Saturday."""
    return day.isoweekday() % 7 + 1


@st.composite
def days_of_week(draw: st.DrawFn) -> DayMeaning:
    """A day-of-week field, and whether a day is in it."""
    number, count = draw(st.integers(1, 7)), draw(st.integers(1, 5))
    name = draw(st.sampled_from((str(number), DAYS[number - 1])))
    match draw(st.sampled_from(("list", "L", "nL", "n#k"))):
        case "L":
            return "L", lambda day: weekday(day) == 7
        case "nL":
            return f"{name}L", lambda day: weekday(day) == number and day.day + 7 > last_day(day)
        case "n#k":
            return f"{name}#{count}", lambda day: weekday(day) == number and (day.day + 6) // 7 == count
    text, values = draw(lists(1, 7, DAYS))
    return text, lambda day: weekday(day) in values


def either(often: str, otherwise: st.SearchStrategy[Meaning], *, low: int, high: int) -> st.SearchStrategy[Meaning]:
    """A field that is often `*` or one value: texts that fire seldom tell little about clock changes."""
    values = frozenset(range(low, high + 1)) if often == "*" else frozenset({int(often)})
    return st.one_of(st.just((often, values)), otherwise)


@st.composite
def expressions(draw: st.DrawFn, hour: int) -> tuple[str, Reference]:
    """A text and its meaning; often it fires in the given hour or the next."""
    every = ("*", frozenset(range(24)))
    around = [(str(value % 24), frozenset({value % 24})) for value in (hour, hour + 1)]
    second_text, seconds = draw(st.one_of(st.just(("0", frozenset({0}))), lists(0, 59)))
    minutes_often = [(str(value), frozenset({value})) for value in (0, 30, 45)] + [("*", frozenset(range(60)))]
    minute_text, minutes = draw(st.one_of(st.sampled_from(minutes_often), lists(0, 59)))
    hour_text, hours = draw(st.one_of(st.sampled_from([every, *around]), lists(0, 23)))
    month_text, months = draw(st.one_of(st.just(("*", frozenset(range(1, 13)))), lists(1, 12, MONTHS)))
    day_text, weekday_text = "?", "?"
    day: Callable[[date], bool] = always
    match draw(st.sampled_from(("every", "every", "day of month", "day of week"))):
        case "every":
            day_text = "*"
        case "day of month":
            day_text, day = draw(days_of_month())
        case _:
            weekday_text, day = draw(days_of_week())
    text = f"{second_text} {minute_text} {hour_text} {day_text} {month_text} {weekday_text}"
    text += draw(st.sampled_from(("", " *")))
    return text, Reference(seconds, minutes, hours, day, months, frozenset(range(1970, 2150)))


def always(day: date) -> bool:
    """Whether a day is in `*`."""
    return True
