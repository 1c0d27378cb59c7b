"""When a job is due: an expression in a zone, or one instant, between two optional bounds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from scheduler.exceptions import InvalidSchedule, NeverFires
from scheduler.models.job import Job
from scheduler.quartz import InvalidExpression
from scheduler.schedule_text import ScheduleExpression, parse_schedule

_TICK = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """Return the zone called ``name``. Raises ``InvalidSchedule`` unless it is an IANA name or a legacy alias."""
    try:
        # ZoneInfo reads files by name: keep it from walking out of its folder, and from long names.
        if not name or len(name) > 64 or name.startswith(("/", ".")):
            raise ValueError(name)
        return ZoneInfo(name)
    except Exception:
        raise InvalidSchedule(
            "zone", f"'{name[:64]}' is not a time zone; use an IANA name such as Europe/Berlin"
        ) from None


@dataclass(frozen=True)
class Schedule:
    """Exactly one of ``expression`` (read in ``zone``) and ``run_at``; all instants aware, answers in UTC.

    ``text`` is the expression as its author wrote it, where a surface reads it differently from what it says.
    """

    expression: str | None = None
    zone: str = "UTC"
    run_at: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    text: str | None = None

    @classmethod
    def of(cls, job: Job) -> Schedule:
        """Return the schedule of ``job``."""
        return cls(job.expression, job.zone, job.run_at, job.starts_at, job.ends_at, job.schedule_text)

    def check(self) -> None:
        """Raise ``InvalidSchedule`` unless the schedule can be read."""
        if (self.expression is None) == (self.run_at is None):
            raise InvalidSchedule("expression", "a job needs either an expression or one instant to run at")
        zone_of(self.zone)
        if self.expression is not None:
            try:
                parse_schedule(self.expression)
            except InvalidExpression as refusal:
                raise InvalidSchedule("expression", str(refusal)) from None
        for instant in (self.run_at, self.starts_at, self.ends_at):
            if instant is not None and instant.tzinfo is None:
                raise InvalidSchedule("run_at", "an instant needs an offset from UTC")
        if self.starts_at and self.ends_at and self.starts_at >= self.ends_at:
            raise InvalidSchedule("ends_at", "the end must lie after the start")

    def first_after(self, now: datetime) -> datetime:
        """Return the first fire after ``now``. Raises ``InvalidSchedule``, or ``NeverFires`` where none follows."""
        self.check()
        fire = self.next_after(now)
        if fire is None:
            what = f"'{self.expression}'" if self.expression is not None else "the instant to run at"
            raise NeverFires(
                "expression" if self.expression is not None else "run_at", f"{what} never fires from now on"
            )
        return fire

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first fire strictly after ``instant``, None where none follows.

        For who begins at ``instant``: within the first pass of a repeated hour only what is later on the wall follows.
        """
        if self.starts_at is not None and instant < self.starts_at:
            instant = self._before_start(self.starts_at)
        if self.run_at is not None:
            fire: datetime | None = self.run_at if self.run_at > instant else None
        else:
            fire = self._parsed().next_after(instant, zone_of(self.zone))
        if fire is None or (self.ends_at is not None and fire >= self.ends_at):
            return None
        return fire.astimezone(UTC)

    def previous_before(self, instant: datetime) -> datetime | None:
        """Return the last fire strictly before ``instant``, None where there was none."""
        if self.ends_at is not None and instant > self.ends_at:
            instant = self.ends_at
        if self.run_at is not None:
            fire: datetime | None = self.run_at if self.run_at < instant else None
        else:
            fire = self._parsed().previous_before(instant, zone_of(self.zone))
        if fire is None or (self.starts_at is not None and fire < self.starts_at):
            return None
        return fire.astimezone(UTC)

    def following(self, instant: datetime) -> datetime | None:
        """Return the first fire strictly after ``instant`` for who has fired all along, None where none follows.

        Differs from ``next_after`` within the first pass of a repeated hour: all of the second pass is still to come.
        """
        last = self.previous_before(instant + _TICK)
        return self.next_after(instant if last is None else last)

    def fires_at(self, instant: datetime) -> bool:
        """Return whether ``instant`` is a fire."""
        return self.previous_before(instant + _TICK) == instant

    def _before_start(self, start: datetime) -> datetime:
        """Return an instant whose next fire is the first at or after ``start``, which a repeated hour may surround."""
        if self.run_at is not None:
            return start - _TICK
        return self._parsed().previous_before(start, zone_of(self.zone)) or _EPOCH

    def _parsed(self) -> ScheduleExpression:
        return parse_schedule(self.expression or "")
