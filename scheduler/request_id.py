"""The id that one piece of work carries through all log lines, from the request that asked for it to the run.

Whoever serves a request binds its id; a run that was asked for keeps it, and its worker binds it again. A run that the
clock made has an id of its own, made from its execution.
"""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar

LONGEST = 64
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,63}")
_current: ContextVar[str | None] = ContextVar("scheduler_request_id", default=None)


def current() -> str | None:
    """Return the id of what is being done in this thread, None where it has none."""
    return _current.get()


def is_sane(text: str) -> bool:
    """Whether ``text`` can go into a log line, a header and a row as it is."""
    return bool(_SANE.fullmatch(text))


class bound:  # noqa: N801 - reads as the context manager that it is; a generator's costs each run three times as much
    """Let the log lines of this thread carry ``request_id`` inside the block."""

    __slots__ = ("_mark", "_request_id")

    def __init__(self, request_id: str | None) -> None:
        self._request_id = request_id

    def __enter__(self) -> None:
        self._mark = _current.set(self._request_id)

    def __exit__(self, *error: object) -> None:
        _current.reset(self._mark)


def of_run(execution_id: int, requested: str | None) -> str:
    """Return the id of a run: that of the request that asked for it, else one of its own."""
    return requested or f"run-{execution_id}"


class RequestIdFilter(logging.Filter):
    """Gives each log line the id in force, as its member ``request_id``. Lets all lines pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        request_id = _current.get()
        if request_id is not None and not hasattr(record, "request_id"):
            record.request_id = request_id
        return True
