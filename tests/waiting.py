"""Waiting for what other threads and processes do: with a deadline, and saying what was not seen.

A deadline is there to end a test that would hang, not to measure: it is long, since the machine may be busy. What is
measured is measured against what we promise and ``NOISE``, which is none where a quiet machine is told so.
"""

import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 60.0
# What a busy machine adds to what we promise.
NOISE = timedelta(seconds=float(os.environ.get("TEST_NOISE_SECONDS", "5")))


def wait_for(look: Callable[[], T | None], *, deadline: float = PATIENCE, every: float = 0.05, what: str = "") -> T:
    """The first truthy answer of `look`, asked again every `every` seconds.

    Raises AssertionError after `deadline` seconds, naming `what` was waited for and the last answer.
    """
    end = time.monotonic() + deadline
    pause = threading.Event()
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() >= end:
            raise AssertionError(f"not seen within {deadline} s: {what or look}; last answer {seen!r}")
        pause.wait(every)
