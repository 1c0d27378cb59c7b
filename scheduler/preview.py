"""What a schedule's text means and when it fires next, for people about to save it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from scheduler.quartz import InvalidExpression
from scheduler.schedule import Schedule
from scheduler.schedule_text import describe_schedule, parse_schedule

MAX_COUNT = 100
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall time


class Note(StrEnum):
    """How a change of the clocks touches a fire."""

    LOST = "lost"  # the time is not shown by the zone's clock, or lies in what Quartz passes over after a gap
    SECOND_PASS = "second_pass"  # noqa: S105 - the clock shows the time twice; it fires the second time


@dataclass(frozen=True, slots=True)
class PreviewedFire:
    """A fire, or a time that matches and will not fire: then `utc` is None and `local` is a naive wall time."""

    utc: datetime | None
    local: datetime
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class SchedulePreview:
    """A text looked at from one instant.

    `valid` tells whether it can be read; it may still never fire, which `reason` then says. `reason` is empty where
    the text is fine, `description` where it cannot be read. `fires` are in the order of the clock, at most the count
    asked for that fire and as many that are lost.
    """

    valid: bool
    reason: str
    description: str
    fires: tuple[PreviewedFire, ...]

    @property
    def never_fires(self) -> bool:
        """Whether nothing fires from that instant on."""
        return all(fire.utc is None for fire in self.fires)


def preview(
    text: str,
    zone_name: str,
    count: int,
    *,
    now: datetime,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> SchedulePreview:
    """The next `count` fires, 1 to MAX_COUNT, of a text after `now`, an aware datetime, from a start on, before an end.

    Raises ValueError for a count out of range, a naive `now` or an unknown zone; a text that cannot be read is told
    in the answer.
    """
    if not 1 <= count <= MAX_COUNT:
        raise ValueError(f"count must be between 1 and {MAX_COUNT}, not {count}")
    zone_named(zone_name)
    try:
        parse_schedule(text)
        description = describe_schedule(text)
    except InvalidExpression as refusal:
        return SchedulePreview(valid=False, reason=str(refusal), description="", fires=())
    schedule = Schedule(text, zone_name, starts_at=starts_at, ends_at=ends_at)
    fires = tuple(upcoming(schedule, count, after=now))
    found = SchedulePreview(valid=True, reason="", description=description, fires=fires)
    if found.never_fires:
        between = " and within its start and end" if starts_at or ends_at else ""
        reason = f"it never fires after {now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC{between}"
        return SchedulePreview(valid=True, reason=reason, description=description, fires=fires)
    return found


def zone_named(name: str) -> ZoneInfo:
    """The zone of an IANA name or legacy alias. Raises ValueError."""
    try:
        # Names are looked up as files: no path, and none longer than any name.
        if not name or len(name) > 64 or name.startswith(("/", ".")):
            raise ValueError
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError(f"{name[:64]!r} is not a time zone; use an IANA name such as Europe/Berlin") from None


def upcoming(schedule: Schedule, count: int, *, after: datetime) -> Iterator[PreviewedFire]:
    """The next `count` fires of a schedule that can be read, and lost times between them, in order.

    A time is lost where it matches, lies between two fires, or a bound and a fire, and is neither.
    """
    zone = zone_named(schedule.zone)
    lost = 0
    instant = after
    wall = _wall(_in(zone, after))
    if schedule.starts_at is not None and schedule.starts_at > after:
        wall = _wall(_in(zone, schedule.starts_at)) - 1
    end = None if schedule.ends_at is None else _wall(_in(zone, schedule.ends_at))
    expression = None if schedule.expression is None else parse_schedule(schedule.expression)
    for _ in range(count):
        following = schedule.next_after(instant)
        fire = None if following is None else _in(zone, following)
        until = end if fire is None else _wall(fire)
        while expression is not None and lost < count and (passed := expression.next_wall(wall + 1)) is not None:
            if until is not None and passed >= until:
                break
            yield PreviewedFire(utc=None, local=_EPOCH + timedelta(seconds=passed), note=Note.LOST)
            wall, lost = passed, lost + 1
        if fire is None or until is None:
            return
        twice = fire.replace(fold=0).utcoffset() != fire.utcoffset()
        yield PreviewedFire(utc=fire.astimezone(UTC), local=fire, note=Note.SECOND_PASS if twice else None)
        instant, wall = fire, until


def _in(zone: ZoneInfo, moment: datetime) -> datetime:
    """The moment in a zone; in its own where the zone's wall is beyond the years that can be written."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment


def _wall(moment: datetime) -> int:
    return int((moment.replace(tzinfo=None) - _EPOCH) // timedelta(seconds=1))
