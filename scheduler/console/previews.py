"""What people see of a schedule that they are typing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scheduler.calendars import store
from scheduler.calendars.days import Closed
from scheduler.console.closures import closure
from scheduler.preview import Note, PreviewedFire, preview
from scheduler.quartz import MAX_LENGTH

FIRES = 8
NOTES = {Note.LOST: "passed over: the clock jumps", Note.SECOND_PASS: "the second time the clock shows it"}


@dataclass(frozen=True)
class Shown:
    """A coming fire on the clock of its zone, and what a change of that clock does to it."""

    shown: str
    note: str


def look_at(expression: str, zone: str, *, now: datetime, calendars: Sequence[int] = ()) -> dict[str, Any]:
    """Return what to show beneath an expression: ``problem``, or ``found`` with its description and fires.

    Fires on the days of ``calendars`` say so.
    """
    if not expression.strip():
        return {"problem": "", "found": None}
    try:
        found = preview(expression[: MAX_LENGTH + 1], zone, FIRES, now=now)
    except ValueError as refusal:
        return {"problem": str(refusal)}
    if not found.valid:
        return {"problem": found.reason}
    closed = store.closed(calendars[: store.MOST_PER_JOB], zone)
    fires = [_shown(fire, closed) for fire in found.fires]
    return {"problem": "", "found": {"description": found.description, "reason": found.reason, "fires": fires}}


def _shown(fire: PreviewedFire, closed: Closed | None) -> Shown:
    notes = [NOTES.get(fire.note, "")] if fire.note else []
    why = closure(closed, fire.utc) if fire.utc is not None else None
    if why is not None:
        notes.append(f"does not run: {why}")
    offset = f" {fire.local:%z}" if fire.utc is not None else ""
    return Shown(f"{fire.local:%a %Y-%m-%d %H:%M:%S}{offset}", "; ".join(notes))
