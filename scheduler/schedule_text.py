"""The one door from a schedule's text to its meaning: five fields are Unix cron, six or seven Quartz."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from scheduler.quartz import QuartzExpression


class ScheduleExpression(Protocol):
    """What an expression of either dialect answers."""

    def next_after(self, instant: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the first fire strictly after ``instant``; None where none follows."""

    def previous_before(self, instant: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the last fire strictly before ``instant``; None where there was none."""


def parse_schedule(text: str) -> ScheduleExpression:
    """Return the expression of ``text``. Raises ``InvalidQuartzExpression``."""
    return QuartzExpression.parse(text)
