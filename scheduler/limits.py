"""Concurrency limits: how many runs with one key, say calls of one slow service, may be under way at once.

A run above the limit stays queued without holding a worker: it stands in line, and nobody looks at it until it is
called. Each end of a run with its key calls the next in line, ends at the same moment each another one; should such a
call come to nothing, or the limit be raised, the beats call as many as there is room for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from scheduler.messages import REPUBLISH_SECONDS, Hint
from scheduler.models import Execution, Limit, Status


def set_limit(key: str, runs: int | None) -> None:
    """Limit the runs with ``key`` to ``runs`` at once; None takes it away. Holds for runs claimed from now on."""
    if runs is None:
        Limit.objects.filter(key=key).delete()
    else:
        Limit.objects.update_or_create(key=key, defaults={"runs": runs})


def all_limited() -> bool:
    """Return whether every key is limited, by the setting SCHEDULER_CONCURRENCY_LIMIT."""
    return bool(settings.SCHEDULER_CONCURRENCY_LIMIT)


def waiting(ids: Sequence[int]) -> dict[str, list[int]]:
    """Return, by key, those of ``ids`` that are queued under a limit."""
    rows = (
        Execution.objects.filter(pk__in=list(ids), status=Status.QUEUED)
        .exclude(concurrency_key="")
        .order_by("pk")
        .values_list("concurrency_key", "pk")
    )
    keys: dict[str, list[int]] = defaultdict(list)
    for key, execution_id in rows:
        keys[key].append(execution_id)
    return keys


def admit(cursor: Any, key: str, ids: Sequence[int]) -> list[int]:
    """Return those of ``ids`` that the limit of ``key`` lets start now. Others of the key wait for our transaction."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"limit {key}"])
    cursor.execute(
        """
        SELECT coalesce((SELECT runs FROM scheduler_limit WHERE key = %s), nullif(%s, 0)),
               (SELECT count(*) FROM scheduler_execution
                 WHERE status = 1 AND concurrency_key = %s AND concurrency_key <> '')
        """,
        [key, settings.SCHEDULER_CONCURRENCY_LIMIT, key],
    )
    limit, running = cursor.fetchone()
    return list(ids) if limit is None else list(ids[: max(limit - running, 0)])


def line_up(cursor: Any, ids: Sequence[int]) -> None:
    """Put those of ``ids`` that are still queued in line. A run that expires is looked at once more when it does."""
    cursor.execute(
        """
        UPDATE scheduler_execution e
           SET in_line = true,
               publish_at = CASE WHEN e.attempt = 0 THEN e.scheduled_for + make_interval(secs => j.expires_seconds) END
          FROM scheduler_job j
         WHERE e.id IN (SELECT id FROM scheduler_execution
                         WHERE id = ANY(%s) AND status = 0 AND ready_at <= now() FOR UPDATE SKIP LOCKED)
           AND j.id = e.job_id
        """,
        [list(ids)],
    )


def next_in_line(cursor: Any, keys: Sequence[str]) -> list[Hint]:
    """Call the first in line, by priority and age, for each ended run of a limited key in ``keys``; return their hints.

    They are the caller's to publish after its commit. Ends in other transactions call others.
    """
    calls = sorted(Counter(key for key in keys if key).items())
    return [hint for key, ended in calls for hint in _call(cursor, key, ended)]


def call_where_there_is_room(*, limit: int = 1000) -> list[Hint]:
    """Call those in line whose keys have room, up to ``limit`` of a key; return hints to publish.

    The remedy for calls that were lost, and the effect of raised limits. Every beat looks for room now and then.
    """
    hints: list[Hint] = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_ROOM, [settings.SCHEDULER_CONCURRENCY_LIMIT])
        for key, allowed, running in cursor.fetchall():
            room = limit if allowed is None else min(allowed - running, limit)
            if room > 0:
                hints += _call(cursor, key, room)
    return hints


# Goes from key to key through the index, however many stand in line with each.
_ROOM = """
WITH RECURSIVE keys AS (
    (SELECT concurrency_key AS key FROM scheduler_execution WHERE status = 0 AND in_line
      ORDER BY concurrency_key LIMIT 1)
    UNION ALL
    SELECT (SELECT concurrency_key FROM scheduler_execution
             WHERE status = 0 AND in_line AND concurrency_key > keys.key ORDER BY concurrency_key LIMIT 1)
      FROM keys WHERE keys.key IS NOT NULL
)
SELECT keys.key, coalesce(l.runs, nullif(%s, 0)),
       (SELECT count(*) FROM scheduler_execution
         WHERE status = 1 AND concurrency_key = keys.key AND concurrency_key <> '')
  FROM keys LEFT JOIN scheduler_limit l ON l.key = keys.key WHERE keys.key IS NOT NULL
"""
# Materialized: a subquery of the update may be run once for each row, and lock as many again each time.
_CALL = """
WITH first AS MATERIALIZED (
    SELECT e.id, j.headers::text AS headers FROM scheduler_execution e JOIN scheduler_job j ON j.id = e.job_id
     WHERE e.status = 0 AND e.in_line AND e.concurrency_key = %s
     ORDER BY e.priority, e.id LIMIT %s FOR UPDATE OF e SKIP LOCKED
)
UPDATE scheduler_execution e SET in_line = false, publish_at = now() + make_interval(secs => %s)
  FROM first WHERE e.id = first.id
RETURNING e.id, e.queue, e.priority, first.headers
"""


def _call(cursor: Any, key: str, runs: int) -> list[Hint]:
    """Let the first ``runs`` in line of ``key`` leave it; those that others are calling this moment do not count."""
    cursor.execute(_CALL, [key, runs, REPUBLISH_SECONDS])
    return sorted((Hint(*row) for row in cursor.fetchall()), key=lambda hint: (hint.priority, hint.execution_id))
