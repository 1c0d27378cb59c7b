"""The outbox of ended runs: written where runs end, in the same transaction, read by ``scheduler.notices``.

The common end, a success that nobody waits for, writes nothing and costs no statement.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from scheduler.models.execution import Status

# Ends that are always told; the kind of job and the rules for alerts decide what follows from it.
TOLD = (Status.FAILED, Status.CANCELLED)
_WRITE = "INSERT INTO scheduler_notice (execution_id) SELECT unnest(%s::bigint[]) ON CONFLICT DO NOTHING"


def write(cursor: Any, execution_ids: Collection[int]) -> None:
    """Put these ended executions into the outbox, inside the caller's transaction."""
    if execution_ids:
        cursor.execute(_WRITE, [sorted(execution_ids)])
