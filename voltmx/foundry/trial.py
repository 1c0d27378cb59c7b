"""A call made by hand, to see what a registered service answers. No job, no history."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scheduler.job_types import Outcome
from voltmx.arguments import Arguments
from voltmx.foundry import operation
from voltmx.foundry.client import Answer
from voltmx.models import Service
from voltmx.registry import server_of

SECONDS = 30


@dataclass(frozen=True)
class Trial:
    """What came of a call: verdict, the request as sent and the answer, credentials replaced."""

    succeeded: bool
    messages: tuple[str, ...]
    request: Any
    response: Any
    answer: Answer | None

    @property
    def outcome(self) -> str:
        """The verdict in the vendor's words."""
        return "Success" if self.succeeded else "Fail"


class _Moment:
    """The run of a trial: nobody cancels it, and it has half a minute."""

    def __init__(self) -> None:
        self._ends = time.monotonic() + SECONDS

    @property
    def seconds_left(self) -> float:
        return max(0.0, self._ends - time.monotonic())

    def check(self) -> None:
        """Nothing stops it but its time."""

    def on_cancel(self, action: Callable[[], None]) -> None:
        """Nobody cancels it."""


def call(service: Service, arguments: Arguments) -> Trial:
    """Call ``service`` as a job with ``arguments`` would, switched off or not, and return what came of it."""
    result = operation.perform_on(server_of(service), arguments, _Moment())
    outcome: Outcome = result.outcome
    return Trial(result.succeeded, outcome.messages, outcome.request, outcome.response, result.answer)
