"""The Zementis service's shapes as JSON Schema. Members come in the order that is given here."""

from __future__ import annotations

from typing import Any

from zementis.arguments import MAX_SECONDS
from zementis.job_form import MAX_DESCRIPTION, MAX_MAPPINGS, MAX_NAME, ONCE, PERIODIC
from zementis.schema.words import TEXT, closed, ref

_INSTANT: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z$",
    "description": "ISO 8601 in UTC; milliseconds of zero are left out.",
}
_CREATED: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
}
_INSTANT_SENT: dict[str, Any] = {
    "type": "string",
    "maxLength": 40,
    "pattern": "[Tt]",
    "description": "ISO 8601 with an offset or Z.",
}
_MILLISECONDS: dict[str, Any] = {"type": "string", "pattern": "^-?[0-9]+$", "description": "Milliseconds, as a string."}
_JOB_ID: dict[str, Any] = {"type": "integer", "minimum": 1}
_SECONDS: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": MAX_SECONDS}
_MAPPINGS: dict[str, Any] = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": MAX_MAPPINGS,
    "additionalProperties": TEXT,
}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "type": [schema["type"], "null"]}


_SCHEDULE_SENT: dict[str, Any] = {
    "description": "Keys of the other frequency are ignored.",
    "oneOf": [
        {
            "type": "object",
            "title": "periodic",
            "properties": {
                "frequency": {"type": "string", "const": PERIODIC},
                "cronExpression": {"type": "string", "description": "Quartz, six or seven fields."},
                "dataFromPreviousNSeconds": {
                    **_SECONDS,
                    "description": "A run scores what was measured in so many seconds before its fire.",
                },
                "timeZone": {"type": "string", "description": "An IANA name; legacy aliases are taken."},
            },
            "required": ["frequency", "cronExpression", "dataFromPreviousNSeconds", "timeZone"],
        },
        {
            "type": "object",
            "title": "once",
            "properties": {
                "frequency": {"type": "string", "const": ONCE},
                "scheduleAt": {**_INSTANT_SENT, "description": "In the future. ISO 8601 with an offset or Z."},
                "dataFrom": _INSTANT_SENT,
                "dataTo": {**_INSTANT_SENT, "description": "After `dataFrom`; not part of the range."},
            },
            "required": ["frequency", "scheduleAt", "dataFrom", "dataTo"],
        },
    ],
}
_NEW_JOB: dict[str, Any] = {
    "type": "object",
    "properties": {
        "jobName": {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": r"\S"},
        "jobDescription": {"type": ["string", "null"], "maxLength": MAX_DESCRIPTION},
        "associatedGroupOrDeviceId": {
            "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[0-9]{1,19}$"}]
        },
        "associatedModel": {"type": "string", "minLength": 1, "pattern": r"\S"},
        "modelToDeviceMappings": {
            **_MAPPINGS,
            "description": "Model input -> `fragment.series.value`, or the other way about: told by which side names "
            "the model's inputs. Every input needs a series; several may share one.",
        },
        "jobSchedule": _SCHEDULE_SENT,
    },
    "required": ["jobName", "associatedGroupOrDeviceId", "associatedModel", "modelToDeviceMappings", "jobSchedule"],
}
_SCHEDULE_MEMBERS: dict[str, Any] = {
    "frequency": {"type": "string", "enum": [PERIODIC, ONCE]},
    "cronExpression": _or_null(TEXT),
    "timeZone": _or_null(TEXT),
    "dataFromPreviousNSeconds": _or_null(_SECONDS),
    "scheduleAt": _or_null(_INSTANT),
    "dataFrom": _or_null(_INSTANT),
    "dataTo": _or_null(_INSTANT),
}
_SCHEDULE = closed(_SCHEDULE_MEMBERS, description="Keys of the other frequency are null.")
_JOB_MEMBERS: dict[str, Any] = {
    "jobId": {**_JOB_ID, "description": "Given by the server, never given again."},
    "jobName": {"type": "string", "description": "Control characters and `<>&\"'` have become `_`."},
    "jobDescription": _or_null(TEXT),
    "jobCreationDate": _CREATED,
    "associatedModel": TEXT,
    "associatedGroupOrDeviceId": {"type": "integer", "minimum": 1},
    "modelToDeviceMappings": {**_MAPPINGS, "description": "Model input -> `fragment.series.value`."},
    "jobSchedule": ref("ZementisSchedule"),
}
_JOB = closed(
    {
        **_JOB_MEMBERS,
        "jobStatus": {
            "type": "string",
            "enum": ["Success", "Warning", "Failure", "Running", "Scheduled"],
            "description": "How the last execution ended; `Running` while one does, `Scheduled` before the first.",
        },
        "lastExecutionDuration": {**_or_null(_MILLISECONDS), "description": "Milliseconds; null before the first."},
    }
)
_CREATED_JOB = closed(
    {**_JOB_MEMBERS, "modelToDeviceMappings": {**_MAPPINGS, "description": "As it was sent."}},
    description="Status and duration are missing, as in the reference.",
)
_EXECUTION = closed(
    {
        "jobId": _JOB_ID,
        "jobExecutionNumber": {"type": "integer", "minimum": 1, "description": "1, 2, … within the job."},
        "isExecutionForDeviceGroup": {"type": "boolean"},
        "jobExecutionStartTime": _INSTANT,
        "jobExecutionEndTime": _INSTANT,
        "jobExecutionDuration": _MILLISECONDS,
        "jobExecutionStatus": {"type": "string", "enum": ["Success", "Warning", "Failure"]},
        "jobExecutionStatusMessage": {"type": "array", "items": TEXT},
    }
)
_INFERENCES = closed(
    {
        "inferenceCollection": {
            "type": "array",
            "items": closed(
                {
                    "recordCollection": {
                        "type": "object",
                        "description": "Model output -> its values in time order; all arrays are of one length. A "
                        "value that is no finite number is null.",
                        "additionalProperties": {
                            "type": "array",
                            "maxItems": 2000,
                            "items": {"type": ["number", "string", "boolean", "null"]},
                        },
                    },
                    "deviceId": {"type": "integer", "minimum": 1},
                }
            ),
        },
        "currentPage": {"type": "integer", "minimum": 1},
    }
)
_FIELD = closed({"usage": TEXT, "name": TEXT, "type": {**TEXT, "description": "DOUBLE, INTEGER, STRING, …"}})
_MODEL = closed(
    {
        "modelName": TEXT,
        "description": TEXT,
        "creationDate": {"type": "string", "pattern": "^[A-Z][a-z]{2} [0-9]{1,2}, [0-9]{1,4}$"},
        "isActive": {"type": "boolean"},
        "inputFields": {"type": "array", "items": _FIELD},
        "outputFields": {"type": "array", "items": _FIELD},
    }
)
_SCORES = closed(
    {
        "model": TEXT,
        "outputs": {
            "type": "array",
            "description": "One object per record: model output -> value.",
            "items": {
                "type": "object",
                "additionalProperties": {"type": ["number", "string", "boolean", "null"]},
            },
        },
    }
)
_RECORD: dict[str, Any] = {"type": "object", "description": "Model input -> value; one that is absent is missing."}

SERVICE_SCHEMAS: dict[str, Any] = {
    "ZementisCreatedJob": _CREATED_JOB,
    "ZementisErrors": closed(
        {"errors": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1}},
        description="One sentence per problem, all problems of the request together.",
    ),
    "ZementisExecution": _EXECUTION,
    "ZementisInferences": _INFERENCES,
    "ZementisJob": _JOB,
    "ZementisModel": _MODEL,
    "ZementisModels": closed({"models": {"type": "array", "items": TEXT, "description": "Names, sorted."}}),
    "ZementisNewJob": _NEW_JOB,
    "ZementisRecords": {
        "anyOf": [
            _RECORD,
            {"type": "array", "items": _RECORD},
            {"type": "object", "properties": {"records": {"type": "array", "items": _RECORD}}, "required": ["records"]},
        ]
    },
    "ZementisSchedule": _SCHEDULE,
    "ZementisScores": _SCORES,
}
