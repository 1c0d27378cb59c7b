"""The operations of the Scheduling Job APIs, with the samples of the vendor's reference."""

from __future__ import annotations

from typing import Any

from voltmx.schema.words import JOBS, SUCCESS, answer, content, ref, refusals

_SERVICE = {
    "version": "1.0",
    "serviceType": "intSer",
    "serviceName": "openweather",
    "objectName": "",
    "operationName": "getWeather",
    "requestheaderMap": {},
    "serviceExecutionType": "SERVER_URL",
    "postData": '{"cityName":""}',
    "operationSecurityLevel": "public",
}
_DETAILS = {
    "jobId": 1,
    "jobName": "job1",
    "jobFrequency": "41 5 * * * ? *",
    "jobServiceInfo": _SERVICE,
    "jobStatus": "Active",
    "historyStrategy": "MINIMAL",
    "retentionPeriod": "30",
    "jobFrequencyInfo": {"frequencyType": 1, "minuteValues": [5]},
}
_SENT = {
    "jobId": 2,
    "jobName": "testjob1",
    "jobFrequency": "19 0 * * * ? *",
    "description": "Job for testjob2",
    "jobServiceInfo": {
        **_SERVICE,
        "serviceName": "jsonservices",
        "operationName": "metadatajson",
        "postData": "{}",
    },
    "jobStatus": "Active",
    "historyStrategy": "OFF",
    "retentionPeriod": "30",
    "jobFrequencyInfo": {"frequencyType": 1, "minuteValues": [0], "hourValues": [1]},
}
_LISTED = {
    "jobId": 1,
    "jobName": "job1",
    "description": None,
    "cronExpression": "41 5 * * * ? *",
    "updatedUser": "user.id@example.com",
    "updatedDate": "2018-12-24 09:04:55",
    "jobStatus": "Active",
    "jobHistoryTotal": 0,
    "jobHistorySuccessCount": 0,
    "jobHistoryFailCount": 0,
    "jobHistorySucPercentage": 0,
    "jobHistoryFailPercentage": 0,
    "jobLastRunStatus": None,
    "jobNextRunTime": "2018-12-24 09:35:41",
}
_RUN = {
    "jobRunId": 2,
    "jobStartTime": "2018-12-24 10:35:41",
    "jobEndTime": "2018-12-24 10:35:41",
    "jobDuration": 0,
    "executionFrequency": "41 5 * * * ? *",
    "executionStatus": "Fail",
    "completeHistory": False,
}
_JOB_ID = {
    "name": "jobId",
    "in": "path",
    "required": True,
    "description": "The job's id. What is no number names no job (404).",
    "schema": {"type": "string"},
}
_RUN_ID = {**_JOB_ID, "name": "jobRunId", "description": "The run's number within the job."}


def _body(schema: str, sample: Any) -> dict[str, Any]:
    return {"required": True, "content": content(ref(schema), examples={"sample": sample})}


def _one_job(suffix: str, hint: str) -> dict[str, dict[str, Any]]:
    """Return the operations on one job. Both spellings of its address have them."""
    return {
        "get": {
            "operationId": f"voltmx_job{suffix}",
            "summary": f"Get all job details with job ID{hint}",
            "description": "Credentials are shown as `********`. Needs `view_job`.",
            "tags": [JOBS],
            "parameters": [_JOB_ID],
            "responses": {"200": answer("The job.", ref("VoltmxJob"), example=_DETAILS), **refusals(404)},
        },
        "delete": {
            "operationId": f"voltmx_delete_job{suffix}",
            "summary": f"Delete a job with job ID{hint}",
            "description": "Its history goes with it; a running run is told to stop. Needs `delete_job`.",
            "tags": [JOBS],
            "parameters": [_JOB_ID],
            "responses": {"200": SUCCESS, **refusals(404)},
        },
    }


JOB_OPERATIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("/admin/api/jobs/job", "get"): {
        "operationId": "voltmx_jobs",
        "summary": "Get all jobs",
        "description": "By id, ascending. The figures count retained history. Needs `view_job`.",
        "tags": [JOBS],
        "responses": {
            "200": answer("The jobs.", {"type": "array", "items": ref("VoltmxJobSummary")}, example=[_LISTED]),
            **refusals(),
        },
    },
    ("/admin/api/jobs/job", "post"): {
        "operationId": "voltmx_create_job",
        "summary": "Create a job",
        "description": "`jobFrequency` drives the schedule; where it is absent it is derived from "
        "`jobFrequencyInfo`. Needs `add_job`.",
        "tags": [JOBS],
        "requestBody": _body("VoltmxNewJob", _SENT),
        "responses": {"200": SUCCESS, **refusals(400, 409, 413, 415)},
    },
    ("/admin/api/jobs/job", "put"): {
        "operationId": "voltmx_update_job",
        "summary": "Update the job that jobId names",
        "description": "Members that are sent replace their values; `jobFrequency` and `jobFrequencyInfo` say one "
        "thing twice, and a new value of one alone replaces both. Needs `change_job`, or `pause_job` for a change of "
        "`jobStatus` alone.",
        "tags": [JOBS],
        "requestBody": _body("VoltmxJobChanges", {**_SENT, "description": "Job for testjob 1"}),
        "responses": {"200": SUCCESS, **refusals(400, 404, 409, 413, 415)},
    },
    **{
        ("/admin/api/jobs/job{jobId}", method): operation
        for method, operation in _one_job("", ", as the reference prints the address").items()
    },
    **{
        ("/admin/api/jobs/job/{jobId}", method): operation
        for method, operation in _one_job("_by_part", ", the id as a part of its own").items()
    },
    ("/admin/api/jobs/job/run/{jobId}", "post"): {
        "operationId": "voltmx_run_job",
        "summary": "Run a job now",
        "description": "Answers when the run is recorded, not when it has ended. Under the job's overlap policy it may "
        "be recorded as skipped. A body is ignored. Needs `run_job`.",
        "tags": [JOBS],
        "parameters": [_JOB_ID],
        "responses": {"200": SUCCESS, **refusals(404)},
    },
    ("/admin/api/jobs/history/{jobId}", "get"): {
        "operationId": "voltmx_history",
        "summary": "Get job history",
        "description": "The ended runs that the history strategy shows, newest first. Needs `view_execution`.",
        "tags": [JOBS],
        "parameters": [_JOB_ID],
        "responses": {
            "200": answer("The runs.", {"type": "array", "items": ref("VoltmxRun")}, example=[_RUN]),
            **refusals(404),
        },
    },
    ("/admin/api/jobs/history/{jobId}/{jobRunId}", "get"): {
        "operationId": "voltmx_run",
        "summary": "Get one run with what was recorded of it",
        "description": "An addition to the reference. Needs `view_execution`.",
        "tags": [JOBS],
        "parameters": [_JOB_ID, _RUN_ID],
        "responses": {
            "200": answer(
                "The run.",
                ref("VoltmxRunInFull"),
                example={
                    **_RUN,
                    "messages": ["the service answered HTTP 503"],
                    "attempts": [],
                    "truncated": False,
                    "request": None,
                    "response": None,
                },
            ),
            **refusals(404),
        },
    },
}
