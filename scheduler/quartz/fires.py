"""The instants at which an expression fires: its days and times of day, laid on the clock of a zone.

Java's Quartz computes them by moving a calendar field by field, and near a clock change its moves show; docs/quartz.md
has the rules. Where the clock does not change, which is nearly always, plain arithmetic gives the same answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from scheduler.quartz.clock import Clock
from scheduler.quartz.days import DayCalendar
from scheduler.quartz.zones import DAY, FIRST_INSTANT, LAST_INSTANT, ZoneOffsets, change_between, offset_at, offsets_of

# A gap changes which later times fire for two days at most: see `_walk`.
_AFTERMATH = 3 * DAY


@dataclass(frozen=True, slots=True)
class FireTimes:
    """An immutable, hashable expression that fires. Two are equal when their texts are.

    Instants passed in must be aware, else ValueError is raised; their fraction of a second is taken into account,
    and no fire ever has one. Searches end with the year 2149 and never reach back before 1970.
    """

    text: str
    _clock: Clock = field(init=False, repr=False, compare=False)
    _days: DayCalendar = field(init=False, repr=False, compare=False)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.text,)

    def __str__(self) -> str:
        return self.text

    def next_after(self, instant: datetime, zone: ZoneInfo) -> datetime | None:
        """The first fire strictly after `instant`, as an aware datetime in `zone`; None if there is none.

        From within the first pass of a repeated hour only what is later on the wall clock follows, as in Quartz.
        Searches end with the year 2149. Raises ValueError for a naive datetime.
        """
        if instant.tzinfo is zone:
            # The quick way, in half the time: subtraction within one zone is on its wall clock.
            offsets = offsets_of(zone)
            low, high, offset = offsets.current
            shown = instant - offsets.origin
            start = shown.days * DAY + shown.seconds + 1
            if low < start < high:
                days = self._days
                wall = self._next_wall(start, days.without(offsets.missing_days) if days.moves_to_weekdays else days)
                if wall is None:
                    return None
                if wall < high:
                    return datetime.fromtimestamp(wall - offset, zone)
        fire = self.next_after_epoch(whole_second(instant), zone)
        return None if fire is None else datetime.fromtimestamp(fire, zone)

    def previous_before(self, instant: datetime, zone: ZoneInfo) -> datetime | None:
        """The last fire strictly before `instant`, as an aware datetime in `zone`; None if there is none since 1970.

        For a fire f that `next_after` found, previous_before(next_after(f)) is f. Raises ValueError for a naive
        datetime.
        """
        bound = whole_second(instant) + (instant.microsecond > 0)
        fire = self.previous_before_epoch(bound, zone)
        return None if fire is None else datetime.fromtimestamp(fire, zone)

    def between(self, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """The fires after `start` up to and including `end`: `next_after` chained from `start`, lazily.

        The start is exclusive and the end inclusive, so that adjoining windows neither share nor lose a fire.
        Raises ValueError for a naive datetime.
        """
        fire = self.next_after_epoch(whole_second(start), zone)
        last = whole_second(end)
        while fire is not None and fire <= last:
            yield datetime.fromtimestamp(fire, zone)
            fire = self.next_after_epoch(fire, zone)

    def never_fires(self, instant: datetime, zone: ZoneInfo) -> bool:
        """Whether no fire follows `instant`: such a text is valid, but makes a dead job."""
        return self.next_after(instant, zone) is None

    def next_after_epoch(self, epoch: int, zone: tzinfo) -> int | None:
        """`next_after` in seconds since the epoch, UTC, for hot loops."""
        offsets = offsets_of(zone)
        low, high, offset = offsets.current
        start = epoch + 1 + offset
        days = self._days
        if days.moves_to_weekdays:
            days = days.without(offsets.missing_days)
        if not low <= start < high:
            if epoch >= LAST_INSTANT:
                return None
            epoch = max(epoch, FIRST_INSTANT)
            low, high, offset = offsets.span_at(epoch + 1)
            start = epoch + 1 + offset
        wall = self._next_wall(start, days)
        if wall is None:
            return None
        if low <= start and wall < high:
            return wall - offset
        if low <= start and start + 2 * DAY < high:
            # The moves of `_walk` are then in this span until its last one, to the start of the day that is found.
            low, high, offset = offsets.span_at(wall - offset)
            if low <= wall - wall % DAY and wall < high:
                return wall - offset
        return self._walk(start, days, offsets)

    def previous_before_epoch(self, epoch: int, zone: tzinfo) -> int | None:
        """`previous_before` in seconds since the epoch, UTC."""
        epoch = min(epoch, LAST_INSTANT)
        while epoch > FIRST_INSTANT:
            fire = self._last_existing(epoch, zone)
            if fire is None:
                return None
            gap = _odd_gap(fire - _AFTERMATH, fire, zone)
            if gap is None:
                return fire
            # The landing rule may lose times after such a gap: see what really follows the last fire before it.
            before = self._last_existing(gap, zone)
            following = self.next_after_epoch(FIRST_INSTANT if before is None else before, zone)
            if following is not None and following <= fire:
                return fire
            epoch = gap
        return None

    def next_wall(self, wall: int) -> int | None:
        """The first matching wall time not before `wall`, in seconds, whether or not it exists in any zone."""
        return self._next_wall(wall, self._days)

    def _next_wall(self, wall: int, days: DayCalendar) -> int | None:
        clock = self._clock
        day, time = divmod(wall, DAY)
        if time > clock.last:
            day, time = day + 1, 0
        begin, end, mask = days.window
        if not (begin <= day < end and mask >> (day - begin) & 1):
            found = days.first_from(day)
            if found is None:
                return None
            if found != day:
                return found * DAY + clock.first
        return day * DAY + (clock.first if time <= clock.first else clock.first_from(time))

    def _previous_wall(self, wall: int, days: DayCalendar) -> int | None:
        day, second = divmod(wall, DAY)
        found = days.last_until(day)
        if found == day:
            time = self._clock.last_until(second)
            if time is not None:
                return day * DAY + time
            found = days.last_until(day - 1)
        return None if found is None else found * DAY + self._clock.last

    def _walk(self, wall: int, days: DayCalendar, offsets: ZoneOffsets) -> int | None:
        """The fire from an existing wall time on, moving field by field as Quartz moves its calendar.

        The order matters only near gaps (the landing rule of docs/quartz.md): each move sets the calendar anew, which
        pushes it out of a gap, and a move to an hour that is then not shown goes on to the hour after it.
        """
        clock = self._clock
        wall, offset = offsets.place(wall)
        while True:
            second = wall % 60
            following = clock.next_second[second]
            if following != second:
                # 60 stands for "none left": on to the next minute.
                ahead = 60 + clock.first_second if following == 60 else following
                wall, offset = offsets.place(wall - second + ahead)
            day, rest = divmod(wall, DAY)
            hour, rest = divmod(rest, 3600)
            minute = rest // 60
            following = clock.next_minute[minute]
            if following != minute:
                if following == 60:
                    following, hour = clock.first_minute, hour + 1
                wall, offset = _land(day, hour, following, offsets)
                continue
            following = clock.next_hour[hour]
            if following != hour:
                if following == 24:
                    found = days.first_from(day + 1)
                    if found is None:
                        return None
                    if found > day + 3:
                        # Quartz goes to the first hour of the next day first, which no gap can carry this far.
                        wall, offset = offsets.place(found * DAY)
                        continue
                    following, day = clock.first_hour, day + 1
                wall, offset = _land(day, following, 0, offsets)
                continue
            found = days.first_from(day)
            if found is None:
                return None
            if found == day:
                return wall - offset
            wall, offset = offsets.place(found * DAY)

    def _last_existing(self, epoch: int, zone: tzinfo) -> int | None:
        """The last instant before `epoch` whose wall time matches and exists, an ambiguous one in its second pass."""
        offsets = offsets_of(zone)
        offset = offset_at(epoch - 1, zone)
        wall = epoch - 1 + offset
        second_pass = offsets.place(wall)[1]
        if second_pass != offset:
            # Within a first pass, which never fires: before it.
            change = change_between(epoch - 1, epoch + offset - second_pass, zone)
            wall = change + second_pass - 1
        days = self._days.without(offsets.missing_days) if self._days.moves_to_weekdays else self._days
        while (found := self._previous_wall(wall, days)) is not None:
            shown, offset = offsets.place(found)
            if shown == found:
                return found - offset
            # Within a gap: before it, which an earlier match often is without looking for where the gap begins.
            length = shown - found
            earlier = self._previous_wall(found - 1, days)
            if earlier is None or earlier <= found - length:
                wall = found - length
            else:
                old = offset - length
                wall = change_between(found - old - length - 1, found - old, zone) + old - 1
        return None


def whole_second(instant: datetime) -> int:
    """The second of an aware datetime since the epoch, fraction dropped. Raises ValueError for a naive one."""
    if instant.tzinfo is None:
        raise ValueError("the instant must be an aware datetime, one with a tzinfo")
    return int(instant.timestamp() // 1)


def _land(day: int, hour: int, minute: int, offsets: ZoneOffsets) -> tuple[int, int]:
    wall, offset = offsets.place(day * DAY + hour * 3600 + minute * 60)
    if hour != 24 and wall % DAY // 3600 != hour:
        return offsets.place(wall - wall % DAY + (hour + 1) * 3600 + wall % 3600)
    return wall, offset


def _odd_gap(low: int, high: int, zone: tzinfo) -> int | None:
    """The instant of a gap between two instants that is not one whole hour on the hour, or begins at 23:00."""
    before, after = offset_at(low, zone), offset_at(high, zone)
    if after <= before:
        return None
    gap = change_between(low, high, zone)
    begin = (gap + before) % DAY
    plain = after - before == 3600 and begin % 3600 == 0 and begin != 23 * 3600
    return None if plain else gap
