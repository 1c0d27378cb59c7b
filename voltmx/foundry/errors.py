"""Why a call failed.

CallFailed
├── Unreachable     no connection, or it broke (worth trying again unless the cause says no)
├── TimedOut        too slow (worth trying again)
├── TooLarge        the answer is larger than the limit
└── NoIdentity      the login that the operation needs is missing or was refused
"""

from __future__ import annotations


class CallFailed(Exception):
    """A call failed; the text is one sentence for people, ``retryable`` tells whether trying again may help."""

    retryable = False

    def __init__(self, message: str, *, retryable: bool | None = None) -> None:
        super().__init__(message)
        self.message = message
        if retryable is not None:
            self.retryable = retryable


class Unreachable(CallFailed):
    """There was no connection, or it broke."""

    retryable = True


class TimedOut(CallFailed):
    """The server was too slow."""

    retryable = True


class TooLarge(CallFailed):
    """The answer is larger than the limit."""


class NoIdentity(CallFailed):
    """The login that the operation needs is missing or was refused."""
