"""The demo's registry entry and job."""

from __future__ import annotations

from scheduler import jobs
from scheduler.models import Job
from voltmx import registry, serializers
from voltmx.models import Service

JOB_NAME = "weather-demo"
_SERVICE = "openweather"


def load(*, by: str = "demo") -> Job:
    """Register the demo service and create a job that calls it every five minutes; what is there already stays.

    Returns the job.
    """
    if not Service.objects.filter(name=_SERVICE, version="").exists():
        # Without a server of its own it is called at the default one, wherever the stack listens this time.
        registry.save(Service(name=_SERVICE, description="The weather service of the demo."))
    found = Job.objects.with_state().filter(kind="voltmx", name=JOB_NAME).first()
    if found is not None:
        return found
    _number, definition = serializers.read_new(
        {
            "jobName": JOB_NAME,
            "jobFrequency": "0 0/5 * * * ? *",
            "description": "Asks the demo's weather service every five minutes",
            "jobServiceInfo": {
                "version": "1.0",
                "serviceType": "intSer",
                "serviceName": _SERVICE,
                "objectName": "",
                "operationName": "getWeather",
                "requestheaderMap": {},
                "serviceExecutionType": "SERVER_URL",
                "postData": '{"cityName":"Hyderabad"}',
                "operationSecurityLevel": "public",
            },
            "jobStatus": "Active",
            "historyStrategy": "FULL",
            "retentionPeriod": "30",
        }
    )
    return jobs.create("voltmx", definition, by=by)
