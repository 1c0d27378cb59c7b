"""The operations on jobs, executions and inferences, with the samples of the vendor's reference."""

from __future__ import annotations

from typing import Any

from zementis.schema.words import FLAG, JOBS, answer, content, path_parameter, query, ref, service_refusals

_PERIODIC = {
    "frequency": "periodic",
    "cronExpression": "0 0 5 1/1 * ? *",
    "timeZone": "Asia/Calcutta",
    "dataFromPreviousNSeconds": 18000,
    "scheduleAt": None,
    "dataFrom": None,
    "dataTo": None,
}
_JOB = {
    "jobId": 10979435,
    "jobName": "Job1",
    "jobDescription": "DemoJob",
    "jobCreationDate": "2019-09-30T15:58:20.749Z",
    "associatedModel": "IsolationForest",
    "associatedGroupOrDeviceId": 10417743,
    "modelToDeviceMappings": {
        "accelerationX": "c8y_Acceleration.accelerationX.value",
        "accelerationY": "c8y_Acceleration.accelerationY.value",
        "accelerationZ": "c8y_Acceleration.accelerationZ.value",
    },
    "jobSchedule": _PERIODIC,
    "jobStatus": "Warning",
    "lastExecutionDuration": "63",
}
_SENT_COMMON = {
    "jobName": "SampleJob",
    "jobDescription": "SampleDescription",
    "associatedGroupOrDeviceId": 123456,
    "associatedModel": "ActivityRecognitionModel",
    "modelToDeviceMappings": {
        "c8y_Acceleration.c8y_AccelerationX.value": "accelerationX",
        "c8y_Acceleration.c8y_AccelerationY.value": "accelerationY",
        "c8y_Acceleration.c8y_AccelerationZ.value": "accelerationZ",
    },
}
_SENT = {
    "periodic": {
        **_SENT_COMMON,
        "jobSchedule": {
            "frequency": "periodic",
            "cronExpression": "10 * * ? * *",
            "dataFromPreviousNSeconds": 10,
            "timeZone": "Asia/Kolkata",
        },
    },
    "once": {
        **_SENT_COMMON,
        "jobSchedule": {
            "frequency": "once",
            "scheduleAt": "2029-10-05T14:14:56.235+05:30",
            "dataFrom": "2019-10-04T12:01:55.235+05:30",
            "dataTo": "2019-10-05T12:01:55.235+05:30",
        },
    },
}
_CREATED = {
    "jobId": 11058170,
    "jobName": "SampleJob",
    "jobDescription": "SampleDescription",
    "jobCreationDate": "2019-10-05T08:12:21.340Z",
    "associatedGroupOrDeviceId": 123456,
    "associatedModel": "ActivityRecognitionModel",
    "modelToDeviceMappings": _SENT_COMMON["modelToDeviceMappings"],
    "jobSchedule": {
        **_PERIODIC,
        "cronExpression": "10 * * ? * *",
        "dataFromPreviousNSeconds": 10,
        "timeZone": "Asia/Kolkata",
    },
}
_EXECUTION = {
    "jobId": 10979435,
    "jobExecutionNumber": 1,
    "isExecutionForDeviceGroup": True,
    "jobExecutionStartTime": "2019-09-23T15:39:15Z",
    "jobExecutionEndTime": "2019-09-23T15:39:19.051Z",
    "jobExecutionDuration": "4051",
    "jobExecutionStatus": "Success",
    "jobExecutionStatusMessage": [],
}
_INFERENCES = {
    "inferenceCollection": [
        {
            "recordCollection": {
                "normalizedAnomalyScore": [0.30919784638525916, 0.5981812541231656],
                "outlier": [False, True],
            },
            "deviceId": 103030,
        }
    ],
    "currentPage": 1,
}
_NO_JOB = {"errors": ["Zementis job ID '00000' not found."]}
_NO_EXECUTION = {"errors": ["Job Execution number 0 does not exist."]}
_JOB_ID = path_parameter("jobId", "The job's number. What is no number names no job (404).")
_EXECUTION_ID = path_parameter("executionId", "The execution's number within the job.")
_REMAINING = answer("The jobs that remain.", {"type": "array", "items": ref("ZementisJob")}, example=[])

JOB_OPERATIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("/service/zementis/jobs", "get"): {
        "operationId": "zementis_jobs",
        "summary": "List available jobs",
        "description": "The newest first. Needs `view_job`.",
        "tags": [JOBS],
        "responses": {
            "200": answer("The jobs.", {"type": "array", "items": ref("ZementisJob")}, example=[_JOB]),
            **service_refusals(),
        },
    },
    ("/service/zementis/jobs", "delete"): {
        "operationId": "zementis_delete_jobs",
        "summary": "Remove all jobs",
        "description": "Executions and inferences go with them. Needs `delete_job`.",
        "tags": [JOBS],
        "responses": {"200": _REMAINING, **service_refusals()},
    },
    ("/service/zementis/job", "post"): {
        "operationId": "zementis_create_job",
        "summary": "Create a job",
        "description": "404 where all that is wrong is that the model, the device or the group does not exist. "
        "Needs `add_job`.",
        "tags": [JOBS],
        "requestBody": {"required": True, "content": content(ref("ZementisNewJob"), examples=_SENT)},
        "responses": {
            "201": answer("The job.", ref("ZementisCreatedJob"), example=_CREATED),
            **service_refusals(
                *(400, 404, 413, 415, 502),
                e400={"errors": ["frequency can be either once or periodic."]},
                e404={"errors": ["Model 'Dummy' not found."]},
            ),
        },
    },
    ("/service/zementis/job/{jobId}", "get"): {
        "operationId": "zementis_job",
        "summary": "Get job information",
        "description": "Needs `view_job`.",
        "tags": [JOBS],
        "parameters": [_JOB_ID],
        "responses": {
            "200": answer("The job.", ref("ZementisJob"), example=_JOB),
            **service_refusals(404, e404=_NO_JOB),
        },
    },
    ("/service/zementis/job/{jobId}", "delete"): {
        "operationId": "zementis_delete_job",
        "summary": "Remove a job",
        "description": "Its executions and inferences go with it; a running one is cancelled. Needs `delete_job`.",
        "tags": [JOBS],
        "parameters": [_JOB_ID],
        "responses": {"200": _REMAINING, **service_refusals(404, e404=_NO_JOB)},
    },
    ("/service/zementis/job/{jobId}/history", "get"): {
        "operationId": "zementis_history",
        "summary": "List job execution history",
        "description": "Ended executions, the oldest first. Needs `view_execution`.",
        "tags": [JOBS],
        "parameters": [_JOB_ID],
        "responses": {
            "200": answer(
                "The executions.", {"type": "array", "items": ref("ZementisExecution")}, example=[_EXECUTION]
            ),
            **service_refusals(404, e404=_NO_JOB),
        },
    },
    ("/service/zementis/job/{jobId}/history/{executionId}", "get"): {
        "operationId": "zementis_execution",
        "summary": "Get specific job execution information",
        "description": "The job is looked up before the execution. Needs `view_execution`.",
        "tags": [JOBS],
        "parameters": [_JOB_ID, _EXECUTION_ID],
        "responses": {
            "200": answer("The execution.", ref("ZementisExecution"), example=_EXECUTION),
            **service_refusals(404, e404=_NO_EXECUTION),
        },
    },
    ("/service/zementis/job/{jobId}/history/{executionId}/inferences", "get"): {
        "operationId": "zementis_inferences",
        "summary": "List inferences of a job execution",
        "description": "At most 2000 rows per device and page; a page past the end is empty. Needs `view_execution`.",
        "tags": [JOBS],
        "parameters": [
            _JOB_ID,
            _EXECUTION_ID,
            query("currentPage", {"type": "integer", "minimum": 1, "default": 1}),
            query("withTimestamps", FLAG, "Adds a column `timestamp_<jobId>`. An addition to the reference."),
        ],
        "responses": {
            "200": answer("A page.", ref("ZementisInferences"), example=_INFERENCES),
            **service_refusals(400, 404, e404=_NO_EXECUTION),
        },
    },
}
