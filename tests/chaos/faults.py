"""The schedule of faults: made from a seed alone, so that a run can be had again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What is done to whom."""

    KILL_BEAT = "SIGKILL to a beat"
    FREEZE_BEAT = "SIGSTOP to a beat, SIGCONT later"
    STOP_BEAT = "SIGTERM to a beat"
    KILL_WORKER = "SIGKILL to a worker"
    FREEZE_WORKER = "SIGSTOP to a worker, SIGCONT later"
    STOP_WORKER = "SIGTERM to a worker"
    FLUSH_REDIS = "FLUSHALL"
    RESTART_REDIS = "Redis stopped, started with its data"
    KILL_REDIS = "SIGKILL to Redis, started with its data"
    EMPTY_REDIS = "SIGKILL to Redis, started without its data"
    RESTART_POSTGRES = "PostgreSQL stopped fast, started"
    CRASH_POSTGRES = "PostgreSQL stopped immediately, started"
    FREEZE_POSTGRES = "SIGSTOP to all of PostgreSQL, SIGCONT later"
    CUT_CONNECTIONS = "every connection to PostgreSQL cut"
    CUT_HOST = "the link of a worker's host down, up later"


# How often each kind comes, and for how many seconds at least and at most the victim is away.
_KINDS: dict[Kind, tuple[int, float, float]] = {
    Kind.KILL_BEAT: (5, 0.2, 3.0),
    Kind.FREEZE_BEAT: (4, 0.5, 9.0),
    Kind.STOP_BEAT: (2, 0.2, 2.0),
    Kind.KILL_WORKER: (5, 0.2, 3.0),
    Kind.FREEZE_WORKER: (4, 0.5, 9.0),
    Kind.STOP_WORKER: (2, 0.2, 2.0),
    Kind.FLUSH_REDIS: (3, 0.0, 0.0),
    Kind.RESTART_REDIS: (1, 0.0, 4.0),
    Kind.KILL_REDIS: (2, 0.0, 4.0),
    Kind.EMPTY_REDIS: (2, 0.0, 4.0),
    Kind.RESTART_POSTGRES: (1, 0.0, 3.0),
    Kind.CRASH_POSTGRES: (2, 0.0, 3.0),
    Kind.FREEZE_POSTGRES: (3, 0.5, 9.0),
    Kind.CUT_CONNECTIONS: (2, 0.0, 0.0),
}
# Where a worker has a host of its own: up to several leases, and longer than a dead connection is borne.
_CUT = (5, 1.0, 25.0)


@dataclass(frozen=True)
class Fault:
    """One fault: ``at`` seconds after the beginning, to the ``target``-th of its kind, gone for ``away`` seconds."""

    at: float
    kind: Kind
    target: int
    away: float


def plan(seed: int, *, seconds: float, every: float, cut: bool = False) -> list[Fault]:
    """Return the faults of ``seconds``, about one each ``every`` seconds, in order; with ``cut`` links go down too."""
    chance = random.Random(seed)
    possible = {**_KINDS, Kind.CUT_HOST: _CUT} if cut else _KINDS
    kinds = list(possible)
    weights = [possible[kind][0] for kind in kinds]
    faults = []
    at = chance.uniform(0.5, every)
    while at < seconds:
        [kind] = chance.choices(kinds, weights)
        _, shortest, longest = possible[kind]
        faults.append(Fault(at, kind, chance.randrange(1000), chance.uniform(shortest, longest)))
        # Often close together, sometimes far apart: what comes on top of a fault is where the surprises are.
        at += chance.expovariate(1 / every)
    return faults
