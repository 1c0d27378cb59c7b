"""Telling of ended runs: takes notices out of the outbox and calls ``JobType.ended``, in every beat.

A notice is taken for a while, like a run: a beat that dies tells nobody, and another takes the notice again. So every
end is told at least once, and more than once only where a beat died, or was cut off, between telling and noting it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from scheduler import history, job_types
from scheduler.alerts import evaluation
from scheduler.endings import backoff_seconds
from scheduler.exceptions import UnknownJobType
from scheduler.job_types import NotTold
from scheduler.models import Execution, Status

logger = logging.getLogger(__name__)

BATCH = 50
# Ten attempts with these delays spread over 36 to 72 minutes; then the run itself says what could not be done.
MOST_ATTEMPTS = 10
FIRST_DELAY_SECONDS = 10
LONGEST_DELAY_SECONDS = 1800
# Notices taken but not yet reached are taken anew when this has passed: one slow mail server must not lose them all.
RENEW_SECONDS = 3.0

_TAKE = """
WITH due AS MATERIALIZED (
    SELECT execution_id, seen FROM scheduler_notice WHERE due_at <= statement_timestamp() ORDER BY due_at LIMIT %s
       FOR UPDATE SKIP LOCKED
)
UPDATE scheduler_notice n
   SET attempts = n.attempts + 1, due_at = clock_timestamp() + make_interval(secs => %s), seen = true
  FROM due WHERE n.execution_id = due.execution_id
RETURNING n.execution_id, n.attempts, due.seen
"""
_RENEW = """
UPDATE scheduler_notice n SET due_at = clock_timestamp() + make_interval(secs => %s)
  FROM unnest(%s::bigint[], %s::int[]) v(id, attempts) WHERE n.execution_id = v.id AND n.attempts = v.attempts
"""
_GIVE_BACK = """
UPDATE scheduler_notice n SET due_at = statement_timestamp(), attempts = n.attempts - 1
  FROM unnest(%s::bigint[], %s::int[]) v(id, attempts) WHERE n.execution_id = v.id AND n.attempts = v.attempts
"""
_DONE = """
DELETE FROM scheduler_notice n USING unnest(%s::bigint[], %s::int[]) v(id, attempts)
 WHERE n.execution_id = v.id AND n.attempts = v.attempts
"""


@dataclass(frozen=True)
class Taken:
    """A notice that this beat holds: the number of the attempt is what tells its hold from a later one."""

    execution_id: int
    attempts: int
    seen: bool


def tell_all(*, until: Callable[[], bool] = lambda: False) -> int:
    """Tell of ended runs, batch after batch, until one comes back short or ``until`` says so; return how many."""
    total = 0
    while not until():
        told, taken = tell(until=until)
        total += told
        if taken < BATCH:
            break
    return total


def tell(*, batch: int = BATCH, until: Callable[[], bool] = lambda: False) -> tuple[int, int]:
    """Take up to ``batch`` notices and tell of them; return how many were told and how many taken."""
    taken = take(batch)
    if not taken:
        return 0, 0
    executions = Execution.objects.select_related("job").in_bulk([notice.execution_id for notice in taken])
    told: list[Taken] = []
    renewed = time.monotonic()
    for place, notice in enumerate(taken):
        if until():
            _write(_GIVE_BACK, taken[place:])
            break
        if time.monotonic() - renewed > RENEW_SECONDS:
            _write(_DONE, told)
            _write(_RENEW, taken[place:], _hold_seconds())
            renewed = time.monotonic()
        execution = executions.get(notice.execution_id)
        if execution is None or _ended(execution, notice):
            told.append(notice)
    _write(_DONE, told)
    return len(told), len(taken)


def take(batch: int) -> list[Taken]:
    """Take up to ``batch`` notices that are due, the oldest first, for ``_hold_seconds``.

    In the same transaction the rules for alerts look at those they have not seen, so that they see each once.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TAKE, [batch, _hold_seconds()])
        taken = [Taken(*row) for row in cursor.fetchall()]
        fresh = [notice.execution_id for notice in taken if not notice.seen]
        if fresh and not _looked(fresh):
            # One of them cannot be looked at, and must not keep the others from it; it is not looked at again.
            for execution_id in fresh:
                _looked([execution_id])
        return taken


def _looked(execution_ids: list[int]) -> bool:
    try:
        with transaction.atomic():
            evaluation.look(execution_ids)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("notice.not_looked_at execution_ids=%s", execution_ids)
        return False
    return True


def _hold_seconds() -> int:
    return 5 * int(settings.SCHEDULER_LEASE_SECONDS)


def _ended(execution: Execution, notice: Taken) -> bool:
    """Call ``ended`` of the execution's kind. Return whether the notice is done with, for good or for ill.

    What succeeded, and instants that never were runs, are told to rules for alerts alone.
    """
    if execution.status in (Status.SUCCEEDED, Status.WARNED) or execution.number is None:
        return True
    try:
        job_types.get(execution.job.kind).ended(execution)
    except UnknownJobType:
        # The surface was uninstalled: nobody is left to tell.
        return True
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        if not isinstance(error, NotTold):
            logger.exception("notice.failed execution_id=%s", execution.pk)
        why = str(error) if isinstance(error, NotTold) else f"what follows a run's end failed: {type(error).__name__}"
        return _again(notice, why)
    return True


def _again(notice: Taken, why: str) -> bool:
    """Have the notice taken again later; return True, and say so with the run, where it was taken often enough."""
    over = notice.attempts >= MOST_ATTEMPTS
    logger.warning(
        "notice.not_told execution_id=%s attempt=%s over=%s why=%s", notice.execution_id, notice.attempts, over, why
    )
    if over:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE scheduler_execution SET messages = messages || %s::jsonb WHERE id = %s AND status > 1",
                [json.dumps([history.storable_text(why)[:1000]]), notice.execution_id],
            )
        return True
    delay = backoff_seconds(notice.attempts, first=FIRST_DELAY_SECONDS, longest=LONGEST_DELAY_SECONDS)
    _write(_RENEW, [notice], delay)
    return False


def _write(statement: str, notices: list[Taken], *first: float) -> None:
    if notices:
        with connection.cursor() as cursor:
            cursor.execute(
                statement,
                [*first, [notice.execution_id for notice in notices], [notice.attempts for notice in notices]],
            )
