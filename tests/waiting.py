"""Waiting for what other processes do: with a deadline, and saying what was not seen."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(look: Callable[[], T | None], *, deadline: float = 20, every: float = 0.05, what: str = "") -> T:
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
