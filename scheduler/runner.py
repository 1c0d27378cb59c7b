"""Runs executions in a worker: start, do the work, write the end. What a Celery task of this project calls."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from scheduler import executions, job_types
from scheduler.endings import Ending
from scheduler.exceptions import RunError
from scheduler.heart import Heart
from scheduler.job_types import Outcome, RunCancelled
from scheduler.lanes import Ender, Lanes
from scheduler.models import Status
from scheduler.run import Run, Stop

logger = logging.getLogger(__name__)


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
    """Start those of ``ids`` that are still queued and ready, and hold their leases."""
    runs = [Run(started) for started in executions.start(ids, worker=worker_name())]
    for run in runs:
        heart.hold(run)
    return runs


def work(run: Run, *, then_end: Callable[[Run, Outcome], None]) -> None:
    """Do the work of a started run and hand its outcome on; the lease is held until that has been written."""
    try:
        try:
            run.enter()
            outcome = _outcome(run)
        finally:
            run.leave()
    except RunCancelled:
        # Raised into this thread by the heart, which has written the end.
        logger.info("run.interrupted execution_id=%s", run.execution_id)
        outcome = _stopped(run)
    if run.end():
        then_end(run, outcome)
    else:
        heart.drop(run)


def _finish_at_once(run: Run, outcome: Outcome) -> None:
    try:
        finish([Ending(run.started, outcome)])
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
    try:
        return job_types.get(started.job_kind).run(started.arguments, run)
    except RunCancelled:
        return _stopped(run)
    except RunError as error:
        if run.stop_reason is not None:
            return _stopped(run)
        return Outcome(
            Status.FAILED, (error.message,), request=error.request, response=error.response, retryable=error.retryable
        )
    except Exception as error:
        if run.stop_reason is not None:
            return _stopped(run)
        logger.exception(
            "run.crashed kind=%s job=%s execution=%s", started.job_kind, started.job_number, started.number
        )
        return Outcome(Status.FAILED, (f"Internal error during job execution: {type(error).__name__}: {error}",))
    finally:
        # A job type that left a transaction open or a connection broken must not reach the end of the run.
        if connection.in_atomic_block or connection.needs_rollback:
            connection.close()


def _stopped(run: Run) -> Outcome:
    """Return the outcome of a run that was told to stop."""
    if run.stop_reason is Stop.TIMED_OUT:
        limit = run.started.timeout_seconds
        return Outcome(Status.FAILED, (f"stopped at its time limit of {limit} s",), retryable=True)
    if run.stop_reason is Stop.CANCELLED:
        return Outcome(Status.CANCELLED, ("cancelled while running",))
    if run.stop_reason is Stop.SHUTDOWN:
        return Outcome(Status.FAILED, ("stopped because its worker was shut down",), retryable=True)
    return Outcome(Status.FAILED, ("stopped because its lease was lost",))


def stop_all() -> None:
    """Tell every run of this process to stop because the worker does."""
    for run in heart.held:
        run.stop(Stop.SHUTDOWN)


def finish(endings: list[Ending]) -> None:
    """Write how runs ended, again and again while the database is away and the leases may still be ours."""
    give_up = time.monotonic() + 6 * settings.SCHEDULER_LEASE_SECONDS
    wait = 0.1
    while True:
        try:
            executions.finish_many(endings)
            return
        except (DatabaseError, InterfaceError) as error:
            connection.close()
            if time.monotonic() > give_up:
                logger.exception("run.ends_lost executions=%s", [ending.run.execution_id for ending in endings])
                return
            logger.warning("run.ends_delayed runs=%d error=%s", len(endings), type(error).__name__)
            time.sleep(wait)
            wait = min(wait * 2, 2.0)


def _abandon(run: Run) -> None:
    """Write the end of a run that did not stop when it was told to."""
    if run.end() and run.stop_reason is not Stop.LOST:
        executions.finish(run.started, _stopped(run))


heart = Heart(_abandon)


def lanes(slots: int) -> Lanes:
    """Return lanes that run executions beside each other in this process."""
    ender = Ender(finish)

    def in_lane(run: Run, over: Callable[[], None]) -> None:
        handed_on = False

        def written() -> None:
            heart.drop(run)
            over()

        def then_end(run: Run, outcome: Outcome) -> None:
            nonlocal handed_on
            handed_on = True
            ender.add(Ending(run.started, outcome), written)

        work(run, then_end=then_end)
        if not handed_on:
            over()

    return Lanes(slots, start=start, work=in_lane)
