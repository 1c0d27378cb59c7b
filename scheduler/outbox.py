"""The outbox of ended runs: written where runs end, in the same transaction, read by ``scheduler.notices``.

The common end, a success that nobody waits for, writes nothing and costs no statement. Instants that a claim skips are
in it where a rule for alerts asks for them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from scheduler.models.execution import Reason, Status

# Ends that are always told; the kind of job and the rules for alerts decide what follows from it.
TOLD = (Status.FAILED, Status.CANCELLED)
_WRITE = "INSERT INTO scheduler_notice (execution_id) SELECT unnest(%s::bigint[]) ON CONFLICT DO NOTHING"
# Why a claim skips an instant that somebody counted on. Closed days are wanted, and another run stands for a coalesced.
NOT_RUN = frozenset((Reason.MISSED.value, Reason.OVERLAP.value))
_WRITE_NOT_RUN = """
INSERT INTO scheduler_notice (execution_id) SELECT unnest(%s::bigint[])
 WHERE EXISTS (SELECT 1 FROM scheduler_alertrule WHERE condition = 'not_run' AND enabled)
    ON CONFLICT DO NOTHING
"""


def write(cursor: Any, execution_ids: Collection[int]) -> None:
    """Put these ended executions into the outbox, inside the caller's transaction."""
    if execution_ids:
        cursor.execute(_WRITE, [sorted(execution_ids)])


def write_not_run(cursor: Any, execution_ids: Collection[int]) -> None:
    """Put these skipped instants into the outbox where any rule waits for such, inside the caller's transaction."""
    if execution_ids:
        cursor.execute(_WRITE_NOT_RUN, [sorted(execution_ids)])
