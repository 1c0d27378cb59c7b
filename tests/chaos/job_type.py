"""A kind of job that leaves an effect and takes a while, some attempts failing."""

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.db.models.functions import Now

from scheduler import job_types
from scheduler.exceptions import RunError
from scheduler.job_types import Link, Outcome, RunContext
from scheduler.models import Execution, Status
from scheduler.schedule import Schedule


class ChaosJob:
    """Arguments: ``milliseconds`` the work takes, ``fail_attempts`` that fail as worth retrying, ``deaf`` to stops."""

    kind = "chaos"
    title = "Chaos"
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
        from tests.chaos.models import Effect

        try:
            effect = Effect._default_manager.create(
                job_id=context.job_pk,
                execution_id=context.execution_id,
                attempt=context.attempt,
                token=context.token,
                pid=os.getpid(),
            )
            self._work(arguments, context)
            if context.attempt <= arguments.get("fail_attempts", 0):
                raise RunError(f"attempt {context.attempt} fails", retryable=True)
            Effect._default_manager.filter(pk=effect.pk).update(done_at=Now())
        except (DatabaseError, InterfaceError) as error:
            raise RunError(f"the effect could not be written: {type(error).__name__}", retryable=True) from error
        return Outcome(Status.SUCCEEDED, request={"call": "chaos"}, response={"attempt": context.attempt})

    def _work(self, arguments: Mapping[str, Any], context: RunContext) -> None:
        pause = threading.Event()
        left = arguments.get("milliseconds", 0) / 1000
        while left > 0:
            if not arguments.get("deaf"):
                context.check()
            pause.wait(min(left, 0.05))
            left -= 0.05

    def masked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return dict(arguments)

    def links(self, execution: Execution) -> Sequence[Link]:
        """Return nothing: the run's own page has it all."""
        return ()

    def forget(self, execution_ids: Sequence[int]) -> None:
        from tests.chaos.models import Effect

        Effect._default_manager.filter(execution_id__in=list(execution_ids)).delete()

    def ended(self, execution: Execution) -> None:
        """Nothing follows."""


job_types.register(ChaosJob())
