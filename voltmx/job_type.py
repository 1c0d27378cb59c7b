"""What a job of this kind does when it runs: call its service and judge the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from scheduler import job_types
from scheduler.exceptions import InvalidJob, InvalidSchedule
from scheduler.job_types import Link, Outcome, RunContext
from scheduler.models.execution import Execution, Status
from scheduler.schedule import Schedule
from voltmx.arguments import Arguments
from voltmx.frequency import InvalidFrequency, read_expression
from voltmx.reading import Problems

KIND = "voltmx"


class ServiceJob:
    """Jobs that call integration, object and orchestration services of a Foundry runtime."""

    kind: str = KIND
    title: str = "Volt MX Foundry service"
    queue: str = "services"
    unique_names: bool = True
    example: Mapping[str, Any] = {
        "jobServiceInfo": {
            "version": "1.0",
            "serviceType": "intSer",
            "serviceName": "orders",
            "objectName": "",
            "operationName": "exportOrders",
            "requestheaderMap": {"Accept-Language": "en"},
            "serviceExecutionType": "SERVER_URL",
            "postData": '{"since": "yesterday"}',
            "operationSecurityLevel": "public",
        }
    }

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise ``InvalidJob`` unless ``arguments`` describe a service call."""
        try:
            Arguments.of(arguments)
        except Problems as problems:
            field, sentences = next(iter(problems.by_field.items()))
            raise InvalidJob("arguments", f"{field} {sentences[0]}") from None

    def check_schedule(self, schedule: Schedule) -> None:
        """Raise ``InvalidSchedule`` unless a client of the API could have sent ``schedule``, whoever did."""
        if schedule.expression is None:
            raise InvalidSchedule("expression", "a service job needs an expression of six or seven fields")
        if schedule.zone != settings.VOLTMX_TIME_ZONE:
            raise InvalidSchedule("zone", f"must be {settings.VOLTMX_TIME_ZONE}, the zone of all service jobs")
        try:
            frequency = read_expression(schedule.text if schedule.text is not None else schedule.expression)
        except InvalidFrequency as refusal:
            raise InvalidSchedule("expression", refusal.problem) from None
        if schedule.expression != frequency.expression:
            raise InvalidSchedule(
                "expression", "the seconds must be a single number: anything else counts as 0 in a service job"
            )

    def check_together(self, arguments: Mapping[str, Any], schedule: Schedule) -> None:
        """Take any schedule with any arguments."""

    def stored(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``arguments`` as they are to be stored: credentials that somebody wrote in the clear encrypted."""
        return Arguments.of(arguments).stored()

    def run(self, arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        """Call the service. Every failure that has a known reason comes back as a FAILED outcome that tells it."""
        # The web process loads this module too and calls nothing.
        from voltmx.foundry import operation

        return operation.perform(Arguments.of(arguments), context).outcome

    def masked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``arguments`` with credentials as asterisks."""
        return Arguments.of(arguments).masked()

    def links(self, execution: Execution) -> Sequence[Link]:
        """Return nothing: the run's own page has it all."""
        return ()

    def forget(self, execution_ids: Sequence[int]) -> None:
        """Nothing is kept beside the executions themselves."""

    def ended(self, execution: Execution) -> None:
        """Mail those whom the job names where the run failed for good. Raises ``NotTold``.

        A run that somebody cancelled, or that was not started in time, is no failure of its service.
        """
        if execution.status != Status.FAILED:
            return
        from voltmx import mail

        job = execution.job
        call = Arguments.of(job.arguments if execution.arguments is None else execution.arguments)
        if call.mail_on_failure:
            mail.tell_of_failure(
                call.mail_on_failure,
                job_name=job.name,
                job_number=job.number,
                run_number=execution.number or 0,
                service=f"{call.service_name} {call.version}, {call.operation_name}",
                why="; ".join(str(message) for message in execution.messages),
            )


job_types.register(ServiceJob())
