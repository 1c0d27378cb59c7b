"""Jobs, executions and models as the Zementis service writes them. Key order is the reference's."""

from __future__ import annotations

from typing import Any

from scheduler.models import Execution, Job, Status
from scheduler.schedule import Schedule
from zementis import instants
from zementis.arguments import Arguments
from zementis.inference import Field
from zementis.job_form import ONCE, PERIODIC
from zementis.model_store import StoredModel

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STATUS = {
    Status.SUCCEEDED: "Success",
    Status.WARNED: "Warning",
    Status.FAILED: "Failure",
    Status.CANCELLED: "Failure",
}


def job(stored: Job, *, running: bool) -> dict[str, Any]:
    """Return a job as GET answers it. Needs the job's state; ``running`` says whether a run is in progress."""
    arguments = Arguments.from_json(stored.arguments)
    return {
        "jobId": stored.number,
        "jobName": stored.name,
        "jobDescription": stored.description,
        "jobCreationDate": instants.with_milliseconds(stored.created_at),
        "associatedModel": arguments.model,
        "associatedGroupOrDeviceId": arguments.target,
        "modelToDeviceMappings": dict(arguments.mappings),
        "jobSchedule": schedule(stored, arguments),
        "jobStatus": _job_status(stored, running=running),
        "lastExecutionDuration": _last_duration(stored),
    }


def created_job(stored: Job, *, mappings: Any) -> dict[str, Any]:
    """Return a job as POST answers it: its own order of keys, and the mapping as it was sent."""
    arguments = Arguments.from_json(stored.arguments)
    times = schedule(stored, arguments)
    order = (
        "frequency",
        "cronExpression",
        "dataFromPreviousNSeconds",
        "timeZone",
        "scheduleAt",
        "dataFrom",
        "dataTo",
    )
    return {
        "jobId": stored.number,
        "jobName": stored.name,
        "jobDescription": stored.description,
        "jobCreationDate": instants.with_milliseconds(stored.created_at),
        "associatedGroupOrDeviceId": arguments.target,
        "associatedModel": arguments.model,
        "modelToDeviceMappings": mappings,
        "jobSchedule": {key: times[key] for key in order},
    }


def schedule(stored: Job, arguments: Arguments) -> dict[str, Any]:
    """Return ``jobSchedule``; the keys of the other frequency are null."""
    when = Schedule.of(stored)
    return {
        "frequency": PERIODIC if arguments.periodic else ONCE,
        "cronExpression": (when.text or when.expression) if arguments.periodic else None,
        "timeZone": when.zone if arguments.periodic else None,
        "dataFromPreviousNSeconds": arguments.data_from_previous_seconds,
        "scheduleAt": instants.shortest(when.run_at) if when.run_at else None,
        "dataFrom": instants.shortest(arguments.data_from) if arguments.data_from else None,
        "dataTo": instants.shortest(arguments.data_to) if arguments.data_to else None,
    }


def execution(stored: Execution, *, job_number: int, for_group: bool) -> dict[str, Any]:
    """Return an ended execution."""
    started = stored.started_at or stored.ended_at or stored.created_at
    ended = stored.ended_at or started
    return {
        "jobId": job_number,
        "jobExecutionNumber": stored.number,
        "isExecutionForDeviceGroup": for_group,
        "jobExecutionStartTime": instants.shortest(started),
        "jobExecutionEndTime": instants.shortest(ended),
        "jobExecutionDuration": str(instants.milliseconds_between(started, ended)),
        "jobExecutionStatus": _STATUS[Status(stored.status)],
        "jobExecutionStatusMessage": list(stored.messages) if isinstance(stored.messages, list) else [],
    }


def model(stored: StoredModel) -> dict[str, Any]:
    """Return a model's information."""
    description = stored.description
    created = description.creation_date or stored.uploaded_at.date()
    return {
        "modelName": stored.name,
        "description": description.description,
        "creationDate": f"{_MONTHS[created.month - 1]} {created.day}, {created.year}",
        "isActive": stored.active,
        "inputFields": [_field(item) for item in description.inputs],
        "outputFields": [_field(item) for item in description.outputs],
    }


def _field(item: Field) -> dict[str, str]:
    return {"usage": item.usage, "name": item.name, "type": item.type}


def _job_status(stored: Job, *, running: bool) -> str:
    if running:
        return "Running"
    last = stored.state.last_status
    return "Scheduled" if last is None else _STATUS.get(Status(last), "Scheduled")


def _last_duration(stored: Job) -> str | None:
    state = stored.state
    if state.last_started_at is None or state.last_ended_at is None:
        return None
    return str(instants.milliseconds_between(state.last_started_at, state.last_ended_at))
