"""The coming fires of a schedule, on the clock of its zone, with the clock changes between them marked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.calendars.days import Closed, Closure
from scheduler.console.closures import closure
from scheduler.exceptions import InvalidSchedule
from scheduler.schedule import Schedule, zone_of


@dataclass(frozen=True)
class Fire:
    """One coming fire: in UTC, on the zone's clock, and by how much that clock moved since the fire before it."""

    at: datetime
    local: datetime
    moved: timedelta | None
    closure: Closure | None = None

    @property
    def shown(self) -> str:
        """The fire on the zone's clock; a template's own formatting would turn it into the server's zone."""
        return f"{self.local:%a %Y-%m-%d %H:%M:%S} {self.local:%z}"

    @property
    def change(self) -> str:
        """The clock change in words; empty where there was none."""
        if self.moved is None:
            return ""
        minutes = int(self.moved.total_seconds() // 60)
        return f"clock {'forward' if minutes > 0 else 'back'} {abs(minutes)} min"


def next_fires(schedule: Schedule, *, after: datetime, limit: int, closed: Closed | None = None) -> list[Fire]:
    """Return up to ``limit`` fires strictly after ``after``; none where the schedule cannot be read any more.

    Those on ``closed`` days are among them and say so: the clock records them as skipped.
    """
    try:
        zone = zone_of(schedule.zone)
        schedule.check()
    except InvalidSchedule:
        return []
    fires: list[Fire] = []
    offset = after.astimezone(zone).utcoffset()
    instant = schedule.next_after(after)
    while instant is not None and len(fires) < limit:
        local = instant.astimezone(zone)
        now = local.utcoffset()
        moved = now - offset if now is not None and offset is not None and now != offset else None
        fires.append(Fire(instant, local, moved, closure(closed, instant)))
        offset = now
        instant = schedule.next_after(instant)
    return fires
