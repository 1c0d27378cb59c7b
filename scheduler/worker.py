"""A worker process' own row: which queues it serves and that it is alive. Connected to Celery's worker signals."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from billiard import process as multiprocessing
from celery.signals import (
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from scheduler import executions, metrics, processes, runner, standstill
from scheduler.connections import close_quietly, first_line, lose_idle_transactions
from scheduler.lanes import Lanes
from scheduler.models import Process

logger = logging.getLogger(__name__)

RENEW_EVERY_SECONDS = 2.0
# How long a child process may take to tell its parent that its task is done.
TOLD_AFTER_SECONDS = 0.5
# What a worker tells its child processes when it is asked to stop.
HAND_BACK = signal.SIGUSR2


class Presence(threading.Thread):
    """Renews the worker's row until it is told to stop, then removes it."""

    def __init__(self, *, queues: list[str], slots: int, pool: str, node: str) -> None:
        super().__init__(daemon=True)
        self.name = processes.name_of("worker")
        self.slots = slots
        self.threads = pool == "thread"
        self._queues, self._info = queues, {"pool": pool, "node": node}
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            self._try(self._renew)
            self._try(metrics.flush)
            self._stopping.wait(RENEW_EVERY_SECONDS)
        self._try(lambda: processes.remove(self.name))
        close_quietly()

    def stop(self) -> None:
        self._stopping.set()

    def _renew(self) -> None:
        processes.renew(self.name, Process.Kind.WORKER, queues=self._queues, slots=self.slots, info=self._info)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except (DatabaseError, InterfaceError) as error:
            close_quietly()
            logger.warning("presence.database_error error=%s", first_line(error))
        except Exception:
            # A worker whose row is not renewed counts as dead, whatever it was that failed once.
            close_quietly()
            logger.exception("presence.failed")


_presence: list[Presence] = []
_lanes: list[Lanes] = []
# The ids of processes that are on their way out: a child inherits what its parent noted.
_leaving: set[int] = set()


def lanes() -> Lanes | None:
    """Return the lanes of this process: as many as it has threads, one in a child process; None in any other pool."""
    return _lanes[0] if _lanes else None


@worker_init.connect  # type: ignore[untyped-decorator]
def _limit(**_: Any) -> None:
    """Before any connection, and before the children of a pool are forked, which inherit it."""
    lose_idle_transactions()


@worker_ready.connect  # type: ignore[untyped-decorator]
def _appear(sender: Any = None, **_: Any) -> None:
    controller = sender.controller
    presence = Presence(
        queues=sorted(queue.name for queue in sender.task_consumer.queues),
        slots=int(controller.concurrency or 1),
        pool=controller.pool_cls.__module__.rsplit(".", 1)[-1],
        node=str(sender.hostname),
    )
    if presence.threads and not _lanes:
        _lanes.append(runner.lanes(presence.slots, full=_leave))
        standstill.watch(settings.SCHEDULER_STANDSTILL_SECONDS)
    _presence.append(presence)
    presence.start()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _disappear(**_: Any) -> None:
    """Hand back what has not begun, and give what has a few seconds to end before it is told to stop."""
    while _presence:
        _presence.pop().stop()
    threading.Thread(target=_hand_back, name="scheduler-shutdown", daemon=True).start()


def _hand_back() -> None:
    for child in multiprocessing.active_children():
        with suppress(ProcessLookupError):
            os.kill(child.pid, HAND_BACK)
    _drain()
    threading.Event().wait(settings.SCHEDULER_SHUTDOWN_SECONDS)
    runner.stop_all()


def _drain() -> None:
    for lane in _lanes:
        ids = lane.drain()
        try:
            executions.give_back(ids)
        except Exception as error:
            # The runs must be told to stop all the same; the sweep publishes what is queued.
            logger.warning("worker.not_handed_back executions=%d error=%s", len(ids), type(error).__name__)
        finally:
            close_quietly()


def _leave() -> None:
    """Have this process end in order: it holds as many threads as it has slots that may never come back.

    Who started it starts another: Celery a child, a supervisor the whole worker.
    """
    if os.getpid() in _leaving:
        return
    _leaving.add(os.getpid())
    logger.error("worker.leaves stuck=%d", sum(lane.stuck for lane in _lanes))
    if _presence:
        os.kill(os.getpid(), signal.SIGTERM)
    else:
        threading.Thread(target=_leave_pool, name="scheduler-leave", daemon=True).start()


def _leave_pool() -> None:
    """In a child process: take nothing any more, end what it has, and go once its parent knows of that."""
    _drain()
    _wait_for_runs(settings.SCHEDULER_SHUTDOWN_SECONDS)
    runner.stop_all()
    _wait_for_runs(settings.SCHEDULER_LEASE_SECONDS)
    threading.Event().wait(TOLD_AFTER_SECONDS)
    metrics.flush_at_end()
    os.kill(os.getpid(), signal.SIGTERM)


def _wait_for_runs(longest: float) -> None:
    end = time.monotonic() + longest
    while runner.heart.held and time.monotonic() < end:
        threading.Event().wait(TOLD_AFTER_SECONDS / 5)


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
@worker_shutdown.connect  # type: ignore[untyped-decorator]
def _count_up(**_: Any) -> None:
    """Add what was counted last: the ends of runs while the worker was stopping."""
    metrics.flush_at_end()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _begin_in_child(**_: Any) -> None:
    """Give the child a lane, so that the runs of a message share starts and ends here too, and have it obey.

    It listens for the parent's word in a thread: a run deep in a library would keep a signal handler from running.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {HAND_BACK})
    # Children that are started later inherit the presence of their parent.
    _presence.clear()
    _lanes[:] = [runner.lanes(1, full=_leave)]
    metrics.flush_by_timer()
    standstill.watch(settings.SCHEDULER_STANDSTILL_SECONDS)
    threading.Thread(target=_hand_back_when_told, name="scheduler-obey", daemon=True).start()


def _hand_back_when_told() -> None:
    while True:
        signal.sigwait({HAND_BACK})
        _hand_back()
