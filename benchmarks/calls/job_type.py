"""A job that calls the address in the environment variable BENCH_URL."""

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import requests

from scheduler import job_types
from scheduler.job_types import Link, Outcome, RunContext
from scheduler.models import Execution, Status
from scheduler.schedule import Schedule

_local = threading.local()


def _session() -> requests.Session:
    """One session a thread: they are not safe to share, and a connection is worth keeping."""
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
    session: requests.Session = _local.session
    return session


class CallJob:
    kind = "call"
    title = "Call"
    queue = "services"
    unique_names = False

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Anything goes."""

    def check_schedule(self, schedule: Schedule) -> None:
        """Any will do."""

    def check_together(self, arguments: Mapping[str, Any], schedule: Schedule) -> None:
        """Take any schedule with any arguments."""

    def stored(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return dict(arguments)

    def run(self, arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        answer = _session().get(os.environ["BENCH_URL"], timeout=min(30.0, context.seconds_left))
        status = Status.SUCCEEDED if answer.ok else Status.FAILED
        return Outcome(status, request={"call": "GET"}, response=answer.json())

    def masked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return dict(arguments)

    def links(self, execution: Execution) -> Sequence[Link]:
        """Return nothing: the run's own page has it all."""
        return ()

    def forget(self, execution_ids: Sequence[int]) -> None:
        """Nothing is kept."""

    def ended(self, execution: Execution) -> None:
        """Nothing follows."""


job_types.register(CallJob())
