"""Wall time and instants: where a zone's clock stands, jumps and repeats.

Walls are seconds since 1970-01-01 00:00:00 on the zone's own clock, instants are seconds since the epoch in UTC; both
are plain integers. Everything is asked of the zone through `utcoffset`, so any tzinfo will do.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise

from scheduler.quartz.days import NEW_YEARS, YEARS

DAY = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_INSTANT = -2 * DAY  # before 1970 in every zone
LAST_INSTANT = (NEW_YEARS[-1] + 2) * DAY  # after the last year in every zone

# Shorter than any time between two changes of one zone's offset since 1970 (6.96 days, Brazil in October 2000).
_PROBE = 6 * DAY
_MARGIN = 2 * DAY
_QUARTER = 900
_FOREVER = 1 << 62

# Walls from `low` to `high` (exclusive) of which each exists once, and the offset they share, in seconds.
Span = tuple[int, int, int]


def offset_at(instant: int, zone: tzinfo) -> int:
    """The offset from UTC in force at an instant, in seconds."""
    offset = datetime.fromtimestamp(instant, zone).utcoffset()
    if offset is None:
        raise ValueError(f"{zone!r} gives no offset from UTC")
    return offset.days * DAY + offset.seconds


def change_between(low: int, high: int, zone: tzinfo) -> int:
    """The first instant after `low` with another offset than at `low`; one is known to come until `high`."""
    offset = offset_at(low, zone)
    while high - low > 1:
        middle = (low + high) // 2
        # Clocks nearly always change on a quarter of an hour: halve along those, and look just before the one found.
        quarter = middle - middle % _QUARTER
        if quarter > low:
            middle = quarter
        elif high % _QUARTER == 0:
            middle = high - 1
        if offset_at(middle, zone) == offset:
            low = middle
        else:
            high = middle
    return high


class ZoneOffsets:
    """The spans of one zone, found a year at a time. Remembers; its answers never change."""

    __slots__ = ("_missing", "_years", "_zone", "current", "origin")

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self.origin = EPOCH.replace(tzinfo=zone)  # what walls count from
        self._years: dict[int, tuple[list[int], list[Span]]] = {}
        self._missing: tuple[int, ...] | None = None
        fixed = zone.utcoffset(None)
        # The span asked for last. A zone without changes has only one.
        self.current: Span = (0, 0, 0) if fixed is None else (-_FOREVER, _FOREVER, fixed.days * DAY + fixed.seconds)

    def place(self, wall: int) -> tuple[int, int]:
        """The wall time a calendar shows when set to `wall`, and its offset in seconds.

        As java.util.GregorianCalendar does it: a wall inside a gap is pushed forward by the gap's length, an
        ambiguous one means its second pass.
        """
        low, high, offset = self.current
        if low <= wall < high:
            return wall, offset
        moment = self.origin + timedelta(seconds=wall)
        before, after = moment.utcoffset(), moment.replace(fold=1).utcoffset()
        if before is None or after is None:
            raise ValueError(f"{self._zone!r} gives no offset from UTC")
        offset = after.days * DAY + after.seconds
        if after > before:  # PEP 495: only inside a gap is the offset of fold=1 the larger one
            wall += offset - (before.days * DAY + before.seconds)
        return wall, offset

    @property
    def missing_days(self) -> tuple[int, ...]:
        """The days, since 1970-01-01, that the zone skipped whole when it moved across the date line."""
        if self._missing is None:
            self._missing = tuple(self._find_missing_days())
        return self._missing

    def span_at(self, instant: int) -> Span:
        """The span around an instant. The instant itself may lie just outside: in a pass of an ambiguous hour.

        `instant` lies between FIRST_INSTANT and LAST_INSTANT. Spans also end a day before and after each year.
        """
        if self.current[1] == _FOREVER:
            return self.current
        index = min(max(bisect_right(NEW_YEARS, instant // DAY) - 1, 0), YEARS - 1)
        year = self._years.get(index)
        if year is None:
            year = self._years[index] = self._find(NEW_YEARS[index] * DAY, NEW_YEARS[index + 1] * DAY)
        begins, spans = year
        self.current = span = spans[max(bisect_right(begins, instant) - 1, 0)]
        return span

    def _find(self, begin: int, end: int) -> tuple[list[int], list[Span]]:
        probe, end = begin - _MARGIN, end + _MARGIN
        offset = offset_at(probe, self._zone)
        begins, spans = [probe], []
        low = probe + offset + DAY
        while probe < end:
            following = min(probe + _PROBE, end)
            changed = offset_at(following, self._zone)
            if changed != offset:
                change = change_between(probe, following, self._zone)
                spans.append((low, change + min(offset, changed), offset))
                begins.append(change)
                low, offset = change + max(offset, changed), changed
            probe = following
        spans.append((low, end + offset - DAY, offset))
        return begins, spans

    def _find_missing_days(self) -> Iterator[int]:
        # Only the date line moves a clock by as much as half a day, and a zone never crosses it there and back.
        offsets = [offset_at(day * DAY, self._zone) for day in NEW_YEARS]
        for index, (before, after) in enumerate(pairwise(offsets)):
            if after - before > DAY // 2:
                low, high = NEW_YEARS[index] * DAY, NEW_YEARS[index + 1] * DAY
                while high - low > 1:
                    middle = (low + high) // 2
                    if offset_at(middle, self._zone) - before > DAY // 2:
                        high = middle
                    else:
                        low = middle
                yield (high - 1 + offset_at(high - 1, self._zone)) // DAY + 1


@lru_cache(maxsize=1024)
def offsets_of(zone: tzinfo) -> ZoneOffsets:
    """What is remembered of a zone."""
    return ZoneOffsets(zone)
