"""The times of day an expression names: its seconds, minutes and hours."""

from functools import lru_cache

NONE = -1


@lru_cache(maxsize=4096)
def following(mask: int, size: int) -> tuple[int, ...]:
    """For each n from 0 to `size` the first set bit that is not before n, or `size` where none is left."""
    table = [size] * (size + 1)
    for value in range(size - 1, -1, -1):
        table[value] = value if mask >> value & 1 else table[value + 1]
    return tuple(table)


@lru_cache(maxsize=4096)
def preceding(mask: int, size: int) -> tuple[int, ...]:
    """For each n from 0 to `size` - 1 the last set bit that is not after n, or NONE."""
    table = [NONE] * size
    last = NONE
    for value in range(size):
        if mask >> value & 1:
            last = value
        table[value] = last
    return tuple(table)


class Clock:
    """The matching times of day, as seconds from midnight. Never changes after it is made."""

    __slots__ = (
        "_masks", "first", "first_hour", "first_minute", "first_minute_second", "first_second",
        "last", "last_minute_second", "next_hour", "next_minute", "next_second",
    )  # fmt: skip

    def __init__(self, *, seconds: int, minutes: int, hours: int) -> None:
        self._masks = (seconds, minutes, hours)
        self.next_second, self.next_minute = following(seconds, 60), following(minutes, 60)
        self.next_hour = following(hours, 24)
        self.first_second, self.first_minute, self.first_hour = _lowest(seconds), _lowest(minutes), _lowest(hours)
        self.first_minute_second = self.first_minute * 60 + self.first_second
        self.last_minute_second = _highest(minutes) * 60 + _highest(seconds)
        self.first = self.first_hour * 3600 + self.first_minute_second
        self.last = _highest(hours) * 3600 + self.last_minute_second

    def first_from(self, time: int) -> int:
        """The first matching time of day not before `time`, which is not after `last`."""
        hour, rest = divmod(time, 3600)
        found = self.next_hour[hour]
        if found == hour:
            minute, second = divmod(rest, 60)
            match = self.next_minute[minute]
            if match == minute:
                second = self.next_second[second]
                if second < 60:
                    return hour * 3600 + minute * 60 + second
                match = self.next_minute[minute + 1]
            if match < 60:
                return hour * 3600 + match * 60 + self.first_second
            found = self.next_hour[hour + 1]
        return found * 3600 + self.first_minute_second

    def last_until(self, time: int) -> int | None:
        """The last matching time of day not after `time`; None if there is none that day."""
        seconds, minutes, hours = self._masks
        hour, rest = divmod(time, 3600)
        minute, second = divmod(rest, 60)
        found = preceding(hours, 24)[hour]
        if found == hour:
            match = preceding(minutes, 60)[minute]
            if match == minute:
                second = preceding(seconds, 60)[second]
                if second != NONE:
                    return time - rest + minute * 60 + second
                match = preceding(minutes, 60)[minute - 1] if minute else NONE
            if match != NONE:
                return time - rest + match * 60 + _highest(seconds)
            found = preceding(hours, 24)[hour - 1] if hour else NONE
        return found * 3600 + self.last_minute_second if found != NONE else None


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _highest(mask: int) -> int:
    return mask.bit_length() - 1
