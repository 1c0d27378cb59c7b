"""Ends of executions: finished, failed, tried again, rescued, never started.

Ends are conditional updates: a run ends once, under the token it was started with. The job's state row is locked before
its executions, in the order of the jobs' keys; its counters move in the same transaction.
"""

from __future__ import annotations

import json
import logging
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction

from scheduler import history, limits, messages, metrics, outbox, request_id
from scheduler.alerts.watched import watched
from scheduler.connections import LOCK_TIMEOUT, gave_way
from scheduler.job_types import Outcome
from scheduler.messages import REPUBLISH_SECONDS, Hint
from scheduler.models import Reason, Status
from scheduler.started import Started

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ending:
    """How a started run ended."""

    run: Started
    outcome: Outcome

    @property
    def retries(self) -> bool:
        """Whether the run is to be tried again instead of ending."""
        run, outcome = self.run, self.outcome
        if outcome.status is not Status.FAILED or not outcome.retryable:
            return False
        if outcome.interrupted:
            return run.may_be_rescued(settings.SCHEDULER_MAX_RESCUES)
        return run.own_attempt <= run.max_retries


def finish(run: Started, outcome: Outcome) -> bool:
    """Write how ``run`` ended, or queue its next attempt where it failed and its job retries.

    Return False, and write nothing, where the run is no longer held under its token: it was rescued, cancelled by
    force or deleted meanwhile.
    """
    while True:
        try:
            return finish_many([Ending(run, outcome)])[0]
        except Busy:
            if connection.in_atomic_block:
                raise


class Busy(OperationalError):
    """Somebody else holds the jobs, or the rows, of some runs for longer than a moment: they are still to be ended.

    ``written`` says of each run whether its end was accepted, and has None for those.
    """

    def __init__(self, written: Sequence[bool | None]) -> None:
        super().__init__(f"{sum(one is None for one in written)} of {len(written)} runs cannot be ended at the moment")
        self.written = list(written)


def finish_many(endings: Sequence[Ending]) -> list[bool]:
    """Do what ``finish`` does for several runs in one transaction, which costs little more than for one.

    Raises ``Busy`` (see also ``connections.gave_way``) where somebody holds some of their jobs; the ends of the others
    are written all the same.
    """
    try:
        return [bool(accepted) for accepted in _finish(endings, _LOCK_STATES)]
    except OperationalError as error:
        if not gave_way(error):
            raise
        written = _finish_free(endings)
        if None in written:
            raise Busy(written) from error.__cause__
        return [bool(accepted) for accepted in written]


def _finish_free(endings: Sequence[Ending]) -> list[bool | None]:
    """Write the ends that nobody is in the way of; None for the others."""
    try:
        return _finish(endings, _LOCK_FREE_STATES)
    except OperationalError as error:
        if not gave_way(error):
            raise
    # Not a job is held but the row of a run.
    return [None] if len(endings) == 1 else [_finish_free([ending])[0] for ending in endings]


def _finish(endings: Sequence[Ending], states: str) -> list[bool | None]:
    awaited = watched.awaited(ending.run for ending in endings)
    with transaction.atomic(), connection.cursor() as cursor:
        days = _locked(cursor, states, [ending.run.job_pk for ending in endings])
        held = [ending for ending in endings if ending.run.job_pk in days]
        # What is missing is busy, or was deleted, and its runs with it.
        busy = _existing(cursor, {ending.run.job_pk for ending in endings} - days.keys())
        retried = {ending.run.execution_id for ending in held if ending.retries and _retry(cursor, ending)}
        final = [
            # What was to be tried again and is not was cancelled meanwhile, or is not ours any more.
            Ending(ending.run, replace(ending.outcome, status=Status.CANCELLED)) if ending.retries else ending
            for ending in held
            if ending.run.execution_id not in retried
        ]
        ended = _end_all(cursor, final, days) if final else set()
        outbox.write(cursor, ended & awaited)
        publish_next(cursor, [ending.run.concurrency_key for ending in endings if ending.run.job_pk not in busy])
    _tell([ending for ending in endings if ending.run.job_pk not in busy], retried, ended)
    return [None if ending.run.job_pk in busy else ending.run.execution_id in retried | ended for ending in endings]


def publish_next(cursor: Any, keys: Sequence[str]) -> None:
    """Publish, after the commit, runs that waited for one with one of these concurrency keys to end."""
    following = limits.next_in_line(cursor, keys)
    if following:
        transaction.on_commit(lambda: messages.publish(following, front=True))


# Waits for a moment at most, here and in what follows in the transaction: PostgreSQL asks for the time limit before it
# looks for the first row.
_LOCK_STATES = f"""
SELECT s.job_id, j.retention_days FROM scheduler_jobstate s JOIN scheduler_job j ON j.id = s.job_id
 WHERE s.job_id = ANY(%s) AND (SELECT set_config('lock_timeout', '{LOCK_TIMEOUT}', true)) <> ''
 ORDER BY s.job_id FOR UPDATE OF s
"""  # noqa: S608 - constant text
_LOCK_FREE_STATES = f"{_LOCK_STATES} SKIP LOCKED"


def lock_states(cursor: Any, job_pks: Iterable[int]) -> dict[int, int]:
    """Lock the state rows of these jobs for the caller's transaction, in the one order; return their days of retention.

    What is missing was deleted. Raises ``OperationalError`` (see ``connections.gave_way``) where somebody else holds
    one for longer than a moment; no later statement of the transaction waits longer for a lock either.
    """
    return _locked(cursor, _LOCK_STATES, job_pks)


def _locked(cursor: Any, states: str, job_pks: Iterable[int]) -> dict[int, int]:
    cursor.execute(states, [sorted(set(job_pks))])
    return dict(cursor.fetchall())


def _existing(cursor: Any, job_pks: Collection[int]) -> set[int]:
    if not job_pks:
        return set()
    cursor.execute("SELECT job_id FROM scheduler_jobstate WHERE job_id = ANY(%s)", [sorted(job_pks)])
    return {row[0] for row in cursor.fetchall()}


_FINISH = """
UPDATE scheduler_execution e
   SET status = v.status, ended_at = clock_timestamp(), token = NULL, lease_until = NULL,
       messages = CASE WHEN e.cancel_requested THEN e.messages || v.messages::jsonb ELSE v.messages::jsonb END,
       visible = v.visible, complete = v.complete, expires_at = clock_timestamp() + make_interval(days => v.days)
  FROM unnest(%s::bigint[], %s::bigint[], %s::smallint[], %s::text[], %s::bool[], %s::bool[], %s::int[])
       v(id, token, status, messages, visible, complete, days)
 WHERE e.id = v.id AND e.status = 1 AND e.token = v.token
RETURNING e.id, e.job_id, e.status, e.visible
"""
_PAYLOADS = """
INSERT INTO scheduler_payload (execution_id, request, response, truncated)
SELECT id, request::jsonb, response::jsonb, truncated
  FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bool[]) v(id, request, response, truncated)
"""


def _end_all(cursor: Any, endings: Sequence[Ending], days: Mapping[int, int]) -> set[int]:
    """End the runs that are still held under their tokens; return their execution ids.

    Their states are locked; ``days`` are their jobs' days of retention.
    """
    limit: int = settings.SCHEDULER_PAYLOAD_LIMIT_BYTES
    kept = {ending.run.execution_id: _kept(ending) for ending in endings}
    cursor.execute(
        _FINISH,
        [
            [ending.run.execution_id for ending in endings],
            [ending.run.token for ending in endings],
            [ending.outcome.status.value for ending in endings],
            [history.capped_messages(ending.outcome.messages, limit=limit) for ending in endings],
            [kept[ending.run.execution_id].visible for ending in endings],
            [kept[ending.run.execution_id].payload for ending in endings],
            [days[ending.run.job_pk] for ending in endings],
        ],
    )
    place = {ending.run.execution_id: number for number, ending in enumerate(endings)}
    ended = sorted(cursor.fetchall(), key=lambda row: place[row[0]])
    accepted = {row[0] for row in ended}
    payloads = [
        (ending.run.execution_id, request.text, response.text, request.truncated or response.truncated)
        for ending in endings
        if ending.run.execution_id in accepted and kept[ending.run.execution_id].payload
        for request in [history.capped(ending.outcome.request, limit=limit)]
        for response in [history.capped(ending.outcome.response, limit=limit)]
    ]
    if payloads:
        cursor.execute(_PAYLOADS, [list(column) for column in zip(*payloads, strict=True)])
    if ended:
        count(cursor, ended)
    return accepted


def _kept(ending: Ending) -> history.Kept:
    failed = ending.outcome.status in (Status.FAILED, Status.CANCELLED)
    return history.kept(ending.run.history_strategy, failed=failed)


_COUNT = """
UPDATE scheduler_jobstate s
   SET open_runs = s.open_runs - v.ended, total_count = s.total_count + v.success + v.warning + v.failure,
       success_count = s.success_count + v.success, warning_count = s.warning_count + v.warning,
       failure_count = s.failure_count + v.failure, last_status = e.status,
       last_started_at = coalesce(e.started_at, e.ended_at), last_ended_at = e.ended_at
  FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::int[], %s::int[], %s::bigint[])
       v(job_id, ended, success, warning, failure, last_id)
  JOIN scheduler_execution e ON e.id = v.last_id
 WHERE s.job_id = v.job_id
RETURNING s.job_id, s.open_runs
"""


def count(cursor: Any, ended: Sequence[tuple[int, int, int, bool]]) -> None:
    """Move the counters for ended runs (execution, job, status, visible), and let runs go that were held behind them.

    They are in the order in which they ended: the last of a job gives its last status. Those that did not succeed go
    into the outbox. The jobs' state rows are locked by the caller.
    """
    outbox.write(cursor, [execution_id for execution_id, _, status, _ in ended if status in outbox.TOLD])
    columns: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for execution_id, job_pk, status, visible in ended:
        counts = columns[job_pk]
        counts[0] += 1
        if visible:
            counts[1 if status == Status.SUCCEEDED else 2 if status == Status.WARNED else 3] += 1
        counts[4] = execution_id
    jobs = sorted(columns)
    cursor.execute(_COUNT, [jobs, *([columns[job_pk][place] for job_pk in jobs] for place in range(5))])
    for job_pk, open_runs in cursor.fetchall():
        if open_runs > 0:
            release_held(cursor, job_pk)


def _tell(endings: Sequence[Ending], retried: Collection[int], ended: Collection[int]) -> None:
    """Count and log what became of ``endings``, once committed."""
    ends: Counter[tuple[str, str]] = Counter()
    again: Counter[str] = Counter()
    for ending in endings:
        run = ending.run
        if run.execution_id in retried:
            what = "run.retried"
            again[run.job_kind] += 1
        elif run.execution_id in ended:
            what = "run.finished"
            # What was to be tried again and ended was cancelled meanwhile.
            ends[run.job_kind, (Status.CANCELLED if ending.retries else ending.outcome.status).label] += 1
        else:
            what = "run.end_refused"
        level = logging.WARNING if what == "run.end_refused" else logging.INFO
        if logger.isEnabledFor(level):
            _log(ending, what, level)
    metrics.ended(ends, again)


def _log(ending: Ending, what: str, level: int) -> None:
    run = ending.run
    with request_id.bound(request_id.of_run(run.execution_id, run.request_id)):
        logger.log(
            level,
            "%s kind=%s job=%s execution=%s attempt=%s outcome=%s",
            what,
            run.job_kind,
            run.job_number,
            run.number,
            run.attempt,
            ending.outcome.status.label,
        )


def backoff_seconds(attempt: int, *, first: int, longest: int) -> float:
    """Return the seconds to wait after the failed ``attempt`` (from 1): doubling, capped, with half of it jitter."""
    whole = min(first * 2.0 ** min(attempt - 1, 30), longest)
    return whole / 2 + random.uniform(0, whole / 2)  # noqa: S311 - jitter, not a secret


def _retry(cursor: Any, ending: Ending) -> bool:
    run, interrupted = ending.run, ending.outcome.interrupted
    delay = backoff_seconds(run.own_attempt, first=run.retry_delay_seconds, longest=run.retry_max_delay_seconds)
    message = "; ".join(ending.outcome.messages) or "failed"
    return requeue(cursor, run.execution_id, run.token, message, 0.0 if interrupted else delay, rescue=interrupted)


def requeue(
    cursor: Any, execution_id: int, token: int, message: str, delay: float, *, rescue: bool, lapsed: bool = False
) -> bool:
    """Put a running execution back into the queue, due in ``delay`` seconds, and record the attempt that ended.

    ``rescue`` says that this is none of the job's own retries, ``lapsed`` that it is for a lease that ran out only.
    Return False where it is not held under the token any more, or was to be cancelled.
    """
    cursor.execute(
        """
        WITH was AS (
            SELECT id, attempt, worker, started_at, clock_timestamp() + make_interval(secs => %(delay)s) AS next_at
              FROM scheduler_execution
             WHERE id = %(id)s AND status = 1 AND token = %(token)s AND NOT cancel_requested
               AND (NOT %(lapsed)s OR lease_until < now())
               FOR UPDATE
        ), back AS (
            UPDATE scheduler_execution e
               SET status = 0, token = NULL, lease_until = NULL, worker = NULL, rescues = e.rescues + %(rescue)s,
                   ready_at = was.next_at, publish_at = was.next_at
              FROM was WHERE e.id = was.id
            RETURNING e.id, e.ready_at
        )
        INSERT INTO scheduler_attempt (execution_id, number, worker, started_at, ended_at, message, retry_at)
        SELECT was.id, was.attempt, was.worker, was.started_at, clock_timestamp(), %(message)s, back.ready_at
          FROM was JOIN back USING (id)
        """,
        {
            "id": execution_id,
            "token": token,
            "message": history.storable_text(message)[:10_000],
            "delay": delay,
            "rescue": int(rescue),
            "lapsed": lapsed,
        },
    )
    return bool(cursor.rowcount)


def release_held(cursor: Any, job_pk: int) -> None:
    """Let the oldest run that was held behind another go, where no other run of the job is open."""
    cursor.execute(
        """
        UPDATE scheduler_execution e SET ready_at = now(), publish_at = now() + make_interval(secs => %s)
         WHERE e.id = (SELECT id FROM scheduler_execution
                        WHERE job_id = %s AND status = 0 AND ready_at IS NULL ORDER BY number LIMIT 1)
           AND NOT EXISTS (SELECT 1 FROM scheduler_execution o
                            WHERE o.job_id = e.job_id AND o.status < 2 AND o.ready_at IS NOT NULL)
        RETURNING e.id, e.queue, e.priority, (SELECT headers::text FROM scheduler_job WHERE id = e.job_id)
        """,
        [REPUBLISH_SECONDS, job_pk],
    )
    hints = [Hint(*row) for row in cursor.fetchall()]
    if hints:
        transaction.on_commit(lambda: messages.publish(hints, front=True))


def end_queued(execution_id: int, job_pk: int, *, status: Status, message: str, reason: Reason | None = None) -> bool:
    """End an execution that is still queued. Return False where it is not.

    Raises ``OperationalError`` (see ``connections.gave_way``) where somebody holds its job for longer than a moment.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        lock_states(cursor, [job_pk])
        return end_queued_locked(cursor, execution_id, job_pk, status=status, message=message, reason=reason)


def end_queued_locked(
    cursor: Any, execution_id: int, job_pk: int, *, status: Status, message: str, reason: Reason | None = None
) -> bool:
    """End a queued execution inside the caller's transaction, which holds the job's state row."""
    cursor.execute(
        """
        UPDATE scheduler_execution e
           SET status = %s, reason = %s, ended_at = clock_timestamp(), publish_at = NULL, messages = %s::jsonb,
               visible = j.history_strategy <> 'OFF',
               expires_at = clock_timestamp() + make_interval(days => j.retention_days)
          FROM scheduler_job j
         WHERE e.id = %s AND e.status = 0 AND j.id = e.job_id
        RETURNING e.visible, j.kind
        """,
        [status.value, reason.value if reason else None, listed(message), execution_id],
    )
    row = cursor.fetchone()
    if row is None:
        return False
    if status is Status.SKIPPED:
        outbox.write(cursor, [execution_id])
        cursor.execute("UPDATE scheduler_jobstate SET open_runs = open_runs - 1 WHERE job_id = %s", [job_pk])
        release_held(cursor, job_pk)
        transaction.on_commit(partial(metrics.SKIPPED.add, row[1], Reason.EXPIRED.value))
    else:
        count(cursor, [(execution_id, job_pk, status.value, row[0])])
        transaction.on_commit(partial(metrics.ENDED.add, row[1], status.label))
    return True


def ask_to_stop(cursor: Any, execution_id: int, *, message: str) -> bool:
    """Ask a running execution to stop, saying why, inside the caller's transaction, which holds the job's state row.

    Return False where it does not run.
    """
    cursor.execute(
        "UPDATE scheduler_execution SET cancel_requested = true, messages = %s::jsonb WHERE id = %s AND status = 1",
        [listed(message), execution_id],
    )
    return bool(cursor.rowcount)


def listed(message: str) -> str:
    return json.dumps([history.storable_text(message)])
