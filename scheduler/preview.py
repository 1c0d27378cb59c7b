"""What a schedule's text means and when it fires next, for people about to save it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from scheduler.quartz import InvalidExpression
from scheduler.schedule_text import ScheduleExpression, describe_schedule, parse_schedule

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


def preview(text: str, zone_name: str, count: int, *, now: datetime) -> SchedulePreview:
    """The next `count` fires, 1 to MAX_COUNT, of a text after `now`, an aware datetime.

    Raises ValueError for a count out of range, a naive `now` or an unknown zone; a text that cannot be read is told
    in the answer.
    """
    if not 1 <= count <= MAX_COUNT:
        raise ValueError(f"count must be between 1 and {MAX_COUNT}, not {count}")
    zone = zone_named(zone_name)
    try:
        expression = parse_schedule(text)
        description = describe_schedule(text)
    except InvalidExpression as refusal:
        return SchedulePreview(valid=False, reason=str(refusal), description="", fires=())
    fires = tuple(_upcoming(expression, zone, count, now))
    found = SchedulePreview(valid=True, reason="", description=description, fires=fires)
    if found.never_fires:
        reason = f"it never fires after {now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
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


def _upcoming(expression: ScheduleExpression, zone: ZoneInfo, count: int, now: datetime) -> Iterator[PreviewedFire]:
    """Fires and lost times in order: a time is lost where it matches, lies between two fires and is neither."""
    lost = 0
    instant: datetime = now
    wall = _wall(now.astimezone(zone))
    for _ in range(count):
        fire = expression.next_after(instant, zone)
        until = None if fire is None else _wall(fire)
        while lost < count and (passed := expression.next_wall(wall + 1)) is not None:
            if until is not None and passed >= until:
                break
            yield PreviewedFire(utc=None, local=_EPOCH + timedelta(seconds=passed), note=Note.LOST)
            wall, lost = passed, lost + 1
        if fire is None or until is None:
            return
        twice = fire.replace(fold=0).utcoffset() != fire.utcoffset()
        yield PreviewedFire(utc=fire.astimezone(UTC), local=fire, note=Note.SECOND_PASS if twice else None)
        instant, wall = fire, until


def _wall(moment: datetime) -> int:
    return int((moment.replace(tzinfo=None) - _EPOCH) // timedelta(seconds=1))
