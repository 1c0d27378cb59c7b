"""A job that does nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from scheduler import job_types
from scheduler.job_types import Outcome, RunContext
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

    def stored(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return dict(arguments)

    def run(self, arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        return _DONE

    def masked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return dict(arguments)

    def forget(self, execution_ids: Sequence[int]) -> None:
        """Nothing is kept."""

    def ended(self, execution: Execution) -> None:
        """Nothing follows."""


job_types.register(NoopJob())
