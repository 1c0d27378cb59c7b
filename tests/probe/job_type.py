"""A kind of job whose arguments say how its run behaves."""

import ctypes
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DatabaseError, InterfaceError, connection

from scheduler import job_types
from scheduler.exceptions import InvalidJob, RunError
from scheduler.job_types import Link, Outcome, RunContext
from scheduler.models import Execution, Status
from scheduler.schedule import Schedule


class ProbeJob:
    """Records an effect and ends as its arguments say.

    * ``gate``: wait until the gate of that name is gone (``deaf``: without listening for cancellation; ``patient``:
      also while the database is away).
    * ``calls``: send a request to this address again and again until it says that this is enough (``deaf``: as above).
    * ``stuck``: call C and not come back from there, with the interpreter "free" meanwhile or "held".
    * ``status``, ``messages``, ``request``, ``response``: the outcome.
    * ``error`` with ``retryable``: raise ``RunError``; ``crash``: raise ``ZeroDivisionError``.
    * ``fail_attempts``: fail retryably in that many attempts, then succeed.
    """

    kind = "probe"
    title = "Probe"
    queue = "services"
    unique_names = False

    def check(self, arguments: Mapping[str, Any]) -> None:
        if arguments.get("refuse"):
            raise InvalidJob("arguments", str(arguments["refuse"]))

    def check_schedule(self, schedule: Schedule) -> None:
        """Any will do."""

    def check_together(self, arguments: Mapping[str, Any], schedule: Schedule) -> None:
        """Take any schedule with any arguments."""

    def stored(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return dict(arguments)

    def run(self, arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        from tests.probe.models import Effect

        Effect.objects.create(execution_id=context.execution_id, attempt=context.attempt)
        pause = threading.Event()
        gate = arguments.get("gate")
        while gate and _closed(gate, patient=bool(arguments.get("patient"))):
            if not arguments.get("deaf"):
                context.check()
            pause.wait(0.02)
        while "calls" in arguments and _told_to_go_on(f"{arguments['calls']}/{context.execution_id}/{context.attempt}"):
            if not arguments.get("deaf"):
                context.check()
            pause.wait(0.02)
        if "stuck" in arguments:
            library = ctypes.PyDLL if arguments["stuck"] == "held" else ctypes.CDLL
            library(None).sleep(3600)
        if context.attempt <= arguments.get("fail_attempts", 0):
            raise RunError(f"attempt {context.attempt} fails", retryable=True)
        if "error" in arguments:
            raise RunError(arguments["error"], retryable=bool(arguments.get("retryable")))
        if arguments.get("crash"):
            return Outcome(Status(1 // 0))
        return Outcome(
            Status(arguments.get("status", Status.SUCCEEDED)),
            tuple(arguments.get("messages", ())),
            request=arguments.get("request"),
            response=arguments.get("response"),
        )

    def masked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {**arguments, "secret": "********"} if "secret" in arguments else dict(arguments)

    def links(self, execution: Execution) -> Sequence[Link]:
        """Return nothing: the run's own page has it all."""
        return ()

    def forget(self, execution_ids: Sequence[int]) -> None:
        from tests.probe.models import Effect

        Effect.objects.filter(execution_id__in=list(execution_ids)).delete()

    def ended(self, execution: Execution) -> None:
        """Nothing follows."""


def _closed(gate: str, *, patient: bool) -> bool:
    from tests.probe.models import Gate

    try:
        return Gate.objects.filter(name=gate).exists()
    except (DatabaseError, InterfaceError):
        if not patient:
            raise
        connection.close()
        return True


def _told_to_go_on(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bool(answer.read() == b"again")


job_types.register(ProbeJob())
