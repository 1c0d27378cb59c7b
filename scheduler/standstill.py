"""Ends a process in which no Python runs any more: a library that was called holds the interpreter and does not return.

No thread of such a process can do anything, its heart included: its runs are rescued elsewhere, but it would hold its
place for ever. The interpreter's own watchdog, which is no Python, prints where each thread is, and ends the process.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading

# How often the watchdog is put off, in parts of the time that it waits.
_PARTS = 5
# By process: a forked child is not watched until it asks.
_watched: dict[int, float] = {}


def watch(seconds: float) -> None:
    """Have this process ended with code 1 when no thread of it ran for so many ``seconds``; 0: never.

    One that is frozen for as long is ended when it wakes: whatever it held is somebody else's by then.
    """
    if not seconds or os.getpid() in _watched:
        return
    if not _watched:
        # A child would wait for ever for its parent's watchdog, which is a thread, as soon as it sets one of its own.
        os.register_at_fork(before=faulthandler.cancel_dump_traceback_later, after_in_parent=_put_off)
    _watched[os.getpid()] = seconds
    threading.Thread(target=_go_on_putting_off, args=(seconds,), name="scheduler-standstill", daemon=True).start()


def _put_off() -> None:
    seconds = _watched.get(os.getpid())
    # Celery puts something in the place of stderr that is no file.
    if seconds is not None and sys.__stderr__ is not None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)


def _go_on_putting_off(seconds: float) -> None:
    pause = threading.Event()
    while True:
        _put_off()
        pause.wait(seconds / _PARTS)
