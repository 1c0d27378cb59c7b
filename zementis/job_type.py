"""The job type ``zementis``: scores the measurements of devices with a model. Cheap to import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse

from scheduler import job_types
from scheduler.exceptions import InvalidJob, InvalidSchedule
from scheduler.job_types import Link, Outcome, RunContext
from scheduler.models import Execution, Status
from scheduler.quartz import InvalidExpression, QuartzExpression
from scheduler.schedule import Schedule
from zementis.arguments import Arguments

KIND = "zementis"


class ZementisJobs:
    """Scores a range of measurements of one device, or of the devices of a group, and stores the inferences."""

    kind = KIND
    title = "Zementis scoring"
    queue = "inference"
    unique_names = False
    example: Mapping[str, Any] = {
        "target": 1,
        "is_group": False,
        "model": "vibration",
        "mappings": {"x": "c8y_Acceleration.accelerationX.value", "y": "c8y_Acceleration.accelerationY.value"},
        "data_from_previous_seconds": 3600,
    }

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise ``InvalidJob`` unless ``arguments`` can be stored."""
        Arguments.from_json(arguments)

    def check_schedule(self, schedule: Schedule) -> None:
        """Raise ``InvalidSchedule`` unless it is one instant or an expression of six or seven fields."""
        if schedule.expression is not None:
            try:
                QuartzExpression.parse(schedule.expression)
            except InvalidExpression as refusal:
                raise InvalidSchedule("expression", str(refusal)) from None

    def check_together(self, arguments: Mapping[str, Any], schedule: Schedule) -> None:
        """Raise ``InvalidJob`` unless the range of data moves along with an expression, or is fixed for one instant."""
        periodic = Arguments.from_json(arguments).periodic
        if schedule.expression is not None and not periodic:
            raise InvalidJob("arguments", "a job with an expression needs data_from_previous_seconds")
        if schedule.expression is None and periodic:
            raise InvalidJob("arguments", "a job for one instant needs data_from and data_to")

    def stored(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return them as they are: a scoring job has no secrets."""
        return dict(arguments)

    def run(self, arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        """Score the run's window. SUCCEEDED, WARNED where devices were silent, FAILED where the model did not run."""
        # NumPy and the engines stay out of the processes that only list jobs.
        from zementis import scoring

        return scoring.run(Arguments.from_json(arguments), context)

    def masked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``arguments``: there is no secret in them."""
        return dict(arguments)

    def links(self, execution: Execution) -> Sequence[Link]:
        """Return the plot of the inferences of a run that stored some."""
        from zementis import inference_pages

        if Status(execution.status) not in inference_pages.SHOWN:
            return ()
        address = reverse("admin:zementis_inferences", args=[execution.pk])
        return (Link("Inferences", address, "zementis.view_inferencepage"),)

    def forget(self, execution_ids: Sequence[int]) -> None:
        """Delete the inferences of these executions, inside the caller's transaction."""
        from zementis import inference_pages

        inference_pages.forget(execution_ids)

    def ended(self, execution: Execution) -> None:
        """Nothing follows."""


job_types.register(ZementisJobs())
