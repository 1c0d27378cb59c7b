"""Concurrency limits: how many runs with one key, say calls of one slow service, may be under way at once.

A run above the limit stays queued without holding a worker. The end of a run with its key publishes it again; should
that message be lost, the sweep does.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from django.conf import settings

from scheduler.messages import Hint
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


def next_in_line(cursor: Any, keys: Sequence[str]) -> list[Hint]:
    """Return hints of the oldest waiting runs, by priority, for each ended run of a limited key in ``keys``."""
    hints = []
    for key, ended in Counter(key for key in keys if key).items():
        cursor.execute(
            "SELECT e.id, e.queue, e.priority, j.headers::text"
            "  FROM scheduler_execution e JOIN scheduler_job j ON j.id = e.job_id"
            " WHERE e.status = 0 AND e.concurrency_key = %s AND e.concurrency_key <> '' AND e.ready_at <= now()"
            " ORDER BY e.priority, e.id LIMIT %s",
            [key, ended],
        )
        hints += [Hint(*row) for row in cursor.fetchall()]
    return hints
