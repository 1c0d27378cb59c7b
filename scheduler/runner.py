"""Runs executions in a worker: start, do the work, write the end. What a Celery task of this project calls."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from django.conf import settings
from django.db import connection

from scheduler import clock, executions, job_types, metrics, request_id
from scheduler.connections import LOST, gave_way, prepared
from scheduler.ender import GIVE_UP_LEASES, Ender, write_now
from scheduler.endings import Ending
from scheduler.exceptions import RunError
from scheduler.heart import Heart
from scheduler.job_types import Outcome, RunCancelled
from scheduler.lanes import Lanes
from scheduler.models import Status
from scheduler.models.execution import ENDED
from scheduler.run import Run, Stop

logger = logging.getLogger(__name__)

# A database connection that a thread has not used for this long may have died since.
LOOK_AFTER_SECONDS = 1.0
# How long to wait before runs are handed on again where the database was away.
HAND_ON_AGAIN_SECONDS = 0.5
# How much longer to wait before each try but the first two to start runs where the database is away.
START_AGAIN_SECONDS = 0.2
_last_use = threading.local()


def worker_name() -> str:
    """Return what executions call this worker: host, process and thread."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.current_thread().name}"[:255]


def run_all(ids: Sequence[int]) -> int:
    """Run those of ``ids`` that are still queued and ready, one after the other; return how many this worker ran."""
    ran = 0
    for execution_id in ids:
        for run in start([execution_id]):
            work(run, then_end=_finish_at_once)
            ran += 1
    return ran


def start(ids: Sequence[int]) -> list[Run]:
    """Start those of ``ids`` that are still queued and ready, and hold their leases.

    Where the answer is lost with the connection, as when PostgreSQL is restarted, some may have been started: they are
    asked for until the database is back, for as long as a lease lasts.
    """
    token = executions.new_token()
    give_up = time.monotonic() + settings.SCHEDULER_LEASE_SECONDS
    asked, tries = False, 0
    while True:
        since = clock.elapsed()
        try:
            with prepared():
                taken = executions.adopt(ids, token=token) if asked else []
                asked = True
                known = {started.execution_id for started in taken}
                left = [execution_id for execution_id in ids if execution_id not in known]
                taken += executions.start(left, worker=worker_name(), token=token) if left else []
            break
        except LOST:
            connection.close()
            tries += 1
            if tries > 1 and (not asked or time.monotonic() > give_up):
                raise
            time.sleep(min(START_AGAIN_SECONDS * (tries - 1), 1.0))
    runs = [Run(started, since=since) for started in taken]
    if runs:
        heart.hold(*runs)
    return runs


def work(
    run: Run, *, then_end: Callable[[Run, Outcome], None], replace_thread: Callable[[], None] | None = None
) -> None:
    """Do the work of a started run and hand its outcome on; the lease is held until that has been written.

    ``replace_thread`` is called (from another thread) where the run has been ended without this thread, which does not
    come back from its work. Should it come back after all, ``run.given_up`` says so.
    """
    with request_id.bound(request_id.of_run(run.execution_id, run.started.request_id)):
        _work(run, then_end, replace_thread)


def _work(run: Run, then_end: Callable[[Run, Outcome], None], replace_thread: Callable[[], None] | None) -> None:
    try:
        try:
            run.enter(replace_thread)
            outcome = _outcome(run)
        finally:
            run.leave()
    except RunCancelled:
        # Raised into this thread by the heart, which has the end written. It may have come as this thread was leaving.
        run.leave()
        logger.info("run.interrupted execution_id=%s", run.execution_id)
        outcome = _stopped(run)
    if run.end():
        then_end(run, outcome)
    else:
        # The heart has its end written; until then the message of this run is not done.
        run.wait_until_released()


def _finish_at_once(run: Run, outcome: Outcome) -> None:
    try:
        write_now([Ending(run.started, outcome)], _write)
    finally:
        heart.drop(run)


def _outcome(run: Run) -> Outcome:
    """Return how the work ended. The one place where exceptions become outcomes."""
    started = run.started
    logger.info(
        "run.started kind=%s job=%s execution=%s attempt=%s",
        started.job_kind,
        started.job_number,
        started.number,
        started.attempt,
    )
    # Counted here, not when it was started: it may have waited for a lane, and have been handed on.
    metrics.started([started])
    _freshen()
    began = time.monotonic()
    try:
        # It may have been told to stop, or have lost its lease, while it waited.
        run.check()
        return _checked(job_types.get(started.job_kind).run(started.arguments, run))
    except RunCancelled:
        return _stopped(run)
    except RunError as error:
        if run.stop_reason is not None:
            return _stopped(run)
        return Outcome(
            Status.FAILED, (error.message,), request=error.request, response=error.response, retryable=error.retryable
        )
    except (Exception, SystemExit) as error:
        if run.stop_reason is not None:
            return _stopped(run)
        logger.exception(
            "run.crashed kind=%s job=%s execution=%s", started.job_kind, started.job_number, started.number
        )
        return Outcome(Status.FAILED, (f"Internal error during job execution: {type(error).__name__}: {error}",))
    finally:
        # A job type that left a transaction open or a connection broken must not reach the end of the run.
        open_transaction = connection.in_atomic_block or connection.needs_rollback or not connection.autocommit
        if connection.connection is not None and (open_transaction or connection.errors_occurred):
            connection.close()
        _last_use.at = time.monotonic()
        metrics.DURATION.observe(_last_use.at - began, started.job_kind)


def _checked(outcome: Outcome) -> Outcome:
    """Return ``outcome`` with messages that are texts. Raises ``TypeError`` unless it is the end of a run."""
    if not isinstance(outcome, Outcome) or outcome.status not in ENDED:
        raise TypeError(f"the job type gave {str(outcome)[:200]} instead of an outcome")
    messages = outcome.messages if isinstance(outcome.messages, (tuple, list)) else (outcome.messages,)
    return replace(outcome, messages=tuple(str(message) for message in messages if message is not None))


def _freshen() -> None:
    """Let this thread's database connection be looked at before its next use where it has been idle for a while."""
    if time.monotonic() - getattr(_last_use, "at", 0.0) > LOOK_AFTER_SECONDS:
        connection.close_if_unusable_or_obsolete()


def _stopped(run: Run) -> Outcome:
    """Return the outcome of a run that was told to stop."""
    if run.stop_reason is Stop.TIMED_OUT:
        limit = run.started.timeout_seconds
        return Outcome(Status.FAILED, (f"stopped at its time limit of {limit} s",), retryable=True)
    if run.stop_reason is Stop.CANCELLED:
        return Outcome(Status.CANCELLED, ("cancelled while running",))
    if run.stop_reason is Stop.LAPSED:
        return Outcome(
            Status.FAILED,
            ("stopped because its worker could not renew its lease in time",),
            retryable=True,
            interrupted=True,
        )
    if run.stop_reason is Stop.SHUTDOWN:
        return Outcome(Status.FAILED, ("stopped because its worker was shut down",), retryable=True, interrupted=True)
    return Outcome(Status.FAILED, ("stopped because its lease was lost",))


def stop_all() -> None:
    """Tell every run of this process to stop because the worker does."""
    for run in heart.held:
        run.stop(Stop.SHUTDOWN)


def _write(endings: list[Ending]) -> None:
    with prepared():
        executions.finish_many(endings)


def _abandon(run: Run) -> None:
    """Have the end of a run written that did not stop when it was told to."""
    if not run.end():
        # It has ended at last, and its own end is being written.
        return
    if run.stop_reason is Stop.LOST:
        heart.drop(run)
    else:
        ender.add(Ending(run.started, _stopped(run)), partial(heart.drop, run))


ender = Ender(_write)
heart = Heart(_abandon)


def hand_on(ids: list[int], runs: list[Run]) -> None:
    """Publish ``ids`` in front of what waits, and ``runs`` too, started and not begun: another worker may be idle.

    Raises only where nothing has changed. ``runs`` are held until they are known to be back in the queue: where the
    answer was lost with the connection, they may be in other hands already, and only the next try tells.
    """
    give_up = time.monotonic() + GIVE_UP_LEASES * settings.SCHEDULER_LEASE_SECONDS
    while True:
        try:
            executions.hand_on(ids, [run.started for run in runs])
            break
        except LOST as error:
            connection.close()
            if not runs or gave_way(error):
                raise
            if time.monotonic() > give_up:
                logger.exception("run.hand_on_given_up executions=%s", [run.execution_id for run in runs])
                break
            logger.warning("run.hand_on_delayed runs=%d error=%s", len(runs), type(error).__name__)
            time.sleep(HAND_ON_AGAIN_SECONDS)
    for run in runs:
        heart.drop(run)


def lanes(slots: int, *, full: Callable[[], None] = lambda: None) -> Lanes:
    """Return lanes that run executions beside each other in this process; ``full``: see ``Lanes``."""

    def in_lane(run: Run, over: Callable[[], None], replace: Callable[[], None]) -> None:
        handed_on = False

        def written() -> None:
            heart.drop(run)
            over()

        def then_end(run: Run, outcome: Outcome) -> None:
            nonlocal handed_on
            handed_on = True
            ender.add(Ending(run.started, outcome), written)

        work(run, then_end=then_end, replace_thread=replace)
        if not handed_on and not run.given_up:
            over()

    return Lanes(slots, start=start, work=in_lane, hand_on=hand_on, full=full)
