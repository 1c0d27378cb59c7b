"""A job that does nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from scheduler import job_types
from scheduler.job_types import Link, Outcome, RunContext
from scheduler.models import Execution, Status
from scheduler.schedule import Schedule

_DONE = Outcome(Status.SUCCEEDED, request={"call": "noop"}, response={"done": True})


class NoopJob:
    kind = "noop"
    title = "No-op"
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
        return _DONE

    def masked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return dict(arguments)

    def links(self, execution: Execution) -> Sequence[Link]:
        """Return nothing: the run's own page has it all."""
        return ()

    def forget(self, execution_ids: Sequence[int]) -> None:
        """Nothing is kept."""

    def ended(self, execution: Execution) -> None:
        """Nothing follows."""


job_types.register(NoopJob())
