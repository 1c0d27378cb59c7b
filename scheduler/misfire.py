"""What happens to instants that have passed before the clock could claim them, as pure rules.

An instant that is late by no more than the grace just runs. Later than that is a misfire, and the job's policy decides.
Every instant that has passed ends in the plan exactly once: to run, coalesced, missed, or inside the span of the
oldest ones of a very long outage (so that a job of every second that was down for a year costs a bounded amount).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

NextAfter = Callable[[datetime], "datetime | None"]


class Misfire(StrEnum):
    """The misfire policies."""

    FIRE_ONCE = "fire_once"
    SKIP = "skip"
    FIRE_ALL = "fire_all"


@dataclass(frozen=True)
class Plan:
    """What to do with the instants of one job that have passed, oldest first in each part.

    ``on_time`` and ``late`` run; ``coalesced`` and ``missed`` are recorded only; ``span`` is the first and the last of
    older instants that are recorded in one row. ``next_fire_at`` is the first instant that has not passed yet.
    """

    next_fire_at: datetime | None
    on_time: tuple[datetime, ...] = ()
    late: tuple[datetime, ...] = ()
    coalesced: tuple[datetime, ...] = ()
    missed: tuple[datetime, ...] = ()
    span: tuple[datetime, datetime] | None = None


def plan(
    policy: str,
    *,
    due: datetime,
    now: datetime,
    grace: timedelta,
    next_after: NextAfter,
    previous_before: NextAfter,
    limit: int = 1000,
    fire_all_limit: int = 100,
) -> Plan:
    """Return what ``policy`` makes of the instants from ``due`` up to and including ``now``.

    ``limit`` bounds how many instants are recorded one by one (the newest), ``fire_all_limit`` how many late ones
    ``fire_all`` runs (the newest; the rest count as missed).
    """
    following = next_after(due)
    if following is None or following > now:
        # The ordinary case, kept free of lists: one instant has passed.
        if now - due <= grace:
            return Plan(following, on_time=(due,))
        return _settle(policy, [due], [], None, following, fire_all_limit)
    instants, span, following = _passed(due, now, next_after, previous_before, limit)
    late = [instant for instant in instants if now - instant > grace]
    return _settle(policy, late, instants[len(late) :], span, following, fire_all_limit)


def _passed(
    due: datetime, now: datetime, next_after: NextAfter, previous_before: NextAfter, limit: int
) -> tuple[list[datetime], tuple[datetime, datetime] | None, datetime | None]:
    """Return the newest ``limit`` instants from ``due`` to ``now``, the span of older ones, and the next instant."""
    instants: list[datetime] = []
    instant: datetime | None = due
    while instant is not None and instant <= now and len(instants) <= limit:
        instants.append(instant)
        instant = next_after(instant)
    if len(instants) <= limit:
        return instants, None, instant
    newest: list[datetime] = []
    earlier = previous_before(now + timedelta(microseconds=1))
    while earlier is not None and earlier >= due and len(newest) < limit:
        newest.append(earlier)
        earlier = previous_before(earlier)
    newest.reverse()
    span = (due, earlier) if earlier is not None and earlier >= due else None
    # Chained, not asked from now: within the first pass of a repeated hour that would pass over part of the second.
    return newest, span, next_after(newest[-1] if newest else now)


def _settle(
    policy: str,
    late: list[datetime],
    on_time: list[datetime],
    span: tuple[datetime, datetime] | None,
    following: datetime | None,
    fire_all_limit: int,
) -> Plan:
    chosen = Misfire(policy)
    if chosen is Misfire.FIRE_ALL:
        run, missed = late[-fire_all_limit:], late[:-fire_all_limit]
        return Plan(following, tuple(on_time), late=tuple(run), missed=tuple(missed), span=span)
    if chosen is Misfire.SKIP:
        return Plan(following, tuple(on_time), missed=tuple(late), span=span)
    if on_time:
        # A run that is in time stands for the late ones too: one run now is what the policy promises.
        return Plan(following, tuple(on_time), coalesced=tuple(late), span=span)
    return Plan(following, late=tuple(late[-1:]), coalesced=tuple(late[:-1]), span=span)
