"""The coming fires of a schedule, on the clock of its zone, with what changes of that clock do to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.calendars.days import Closed, Closure
from scheduler.console.closures import closure
from scheduler.exceptions import InvalidSchedule
from scheduler.preview import Note, upcoming
from scheduler.schedule import Schedule, zone_of

NOTES = {Note.LOST: "passed over: the clock jumps", Note.SECOND_PASS: "the second time the clock shows it"}


@dataclass(frozen=True)
class Fire:
    """One coming fire: in UTC, on the zone's clock, and by how much that clock moved since the fire before it.

    A time that the clock passes over is among them, without an instant in UTC: nothing fires then.
    """

    at: datetime | None
    local: datetime
    moved: timedelta | None = None
    closure: Closure | None = None
    note: Note | None = None

    @property
    def shown(self) -> str:
        """The fire on the zone's clock; a template's own formatting would turn it into the server's zone."""
        offset = "" if self.at is None else f" {self.local:%z}"
        return f"{self.local:%a %Y-%m-%d %H:%M:%S}{offset}"

    @property
    def change(self) -> str:
        """What a change of the clock does to it, in words; empty where there is none."""
        if self.note is not None:
            return NOTES[self.note]
        if self.moved is None:
            return ""
        minutes = int(self.moved.total_seconds() // 60)
        return f"clock {'forward' if minutes > 0 else 'back'} {abs(minutes)} min"


def next_fires(schedule: Schedule, *, after: datetime, limit: int, closed: Closed | None = None) -> list[Fire]:
    """Return up to ``limit`` fires strictly after ``after``; none where the schedule cannot be read any more.

    Those on ``closed`` days are among them and say so: the clock records them as skipped. Times that a change of the
    clock passes over are among them too, beyond the limit, and say so.
    """
    try:
        zone = zone_of(schedule.zone)
        schedule.check()
    except InvalidSchedule:
        return []
    fires: list[Fire] = []
    offset = after.astimezone(zone).utcoffset()
    for fire in upcoming(schedule, limit, after=after):
        if fire.utc is None:
            fires.append(Fire(None, fire.local, note=fire.note))
            continue
        now = fire.local.utcoffset()
        moved = now - offset if now is not None and offset is not None and now != offset else None
        fires.append(Fire(fire.utc, fire.local, moved, closure(closed, fire.utc), fire.note))
        offset = now
    return fires
