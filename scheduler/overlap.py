"""What happens to a fire that comes due while an earlier run of its job is not finished, as pure rules."""

from __future__ import annotations

from enum import Enum, StrEnum

# What a run says that ``replace`` cancelled.
REPLACED = "replaced by a newer run"


class Overlap(StrEnum):
    """The overlap policies."""

    SKIP = "skip"
    ALLOW = "allow"
    QUEUE = "queue"
    REPLACE = "replace"


class Decision(Enum):
    """What to do with one fire."""

    RUN = "run"
    SKIP = "skip"
    HOLD = "hold"
    REPLACE = "replace"


def decide(policy: str, *, open_runs: int) -> Decision:
    """Return what ``policy`` does with a fire while ``open_runs`` runs of the job are queued, held or running.

    * ``skip``: nothing runs beside an open run; the fire is recorded as skipped.
    * ``allow``: every fire runs.
    * ``queue``: one fire may wait for the open run to end (so at most two are open); further ones are skipped.
    * ``replace``: the open runs are cancelled; the fire runs once they have ended.
    """
    chosen = Overlap(policy)
    if open_runs <= 0 or chosen is Overlap.ALLOW:
        return Decision.RUN
    if chosen is Overlap.SKIP:
        return Decision.SKIP
    if chosen is Overlap.QUEUE:
        return Decision.HOLD if open_runs == 1 else Decision.SKIP
    return Decision.REPLACE
