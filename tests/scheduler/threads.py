"""Threads that do the same at the same moment, each on a database connection of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

from tests.waiting import PATIENCE

T = TypeVar("T")


def together(*calls: Callable[[], T]) -> list[T | Exception]:
    """Make all ``calls`` at once; return their results, or what they raised, in the order of the calls."""
    barrier = threading.Barrier(len(calls))

    def one(call: Callable[[], T]) -> T | Exception:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=PATIENCE)
            return call()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def in_thread(call: Callable[[], object]) -> "Background":
    """Start ``call`` in a thread with a database connection of its own."""
    return Background(call)


class Background(threading.Thread):
    """A call that runs beside the test."""

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._result: object = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:
            self._error = error
        finally:
            connection.close()

    def result(self, *, deadline: float = PATIENCE) -> object:
        """What the call returned; raises what it raised, or AssertionError where it does not end in time."""
        self.join(deadline)
        assert not self.is_alive(), f"still running after {deadline} s"
        if self._error is not None:
            raise self._error
        return self._result
