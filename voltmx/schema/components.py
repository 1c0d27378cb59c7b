"""The surface's shapes as JSON Schema. Members come in the order that is given here."""

from __future__ import annotations

from typing import Any

from scheduler.history import Strategy
from scheduler.quartz.fields import DAY_NAMES
from voltmx.arguments import EXECUTION_TYPE, ServiceType
from voltmx.schema.words import ref, refusal_responses
from voltmx.serializers import ACTIVE, INACTIVE

TEXT: dict[str, Any] = {"type": "string"}
INTEGER: dict[str, Any] = {"type": "integer"}
COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
PERCENTAGE: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 100}
INSTANT: dict[str, Any] = {
    "type": "string",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$",
    "description": "`yyyy-MM-dd HH:mm:ss` in the surface's time zone (VOLTMX_TIME_ZONE).",
    "examples": ["2018-12-24 09:35:41"],
}
ENDING: dict[str, Any] = {"type": "string", "enum": ["Success", "Fail"]}
NAME: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^(?!\.{1,2}$)[A-Za-z0-9_.-]+$"}
JOB_ID: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}


def or_null(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a schema that takes null too."""
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}], **more}
    nullable = {**schema, "type": [schema["type"], "null"], **more}
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable


def closed(properties: dict[str, Any], *, optional: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """Return an answer's object: these members, all of them but the optional ones, and no others."""
    required = [name for name in properties if name not in optional]
    shape = {"type": "object", "properties": properties, "required": required, "additionalProperties": False, **more}
    return shape if required else {name: value for name, value in shape.items() if name != "required"}


_SUCCESS = closed(
    {
        "status": {"type": "string", "const": "SUCCESS"},
        "result": {"type": "null"},
        "message": {"type": "null"},
        "token": {"type": "null"},
    },
    description="The envelope of a write that was done.",
)
_FAIL = closed(
    {
        "status": {"type": "string", "const": "FAIL"},
        "result": or_null(
            {"type": "object", "additionalProperties": {"type": "array", "items": TEXT, "minItems": 1}},
            description="Member (dotted path) -> its problems; null where no member is at fault.",
        ),
        "message": {"type": "string", "minLength": 1, "description": "One short sentence."},
        "token": {"type": "null"},
    },
    description="The envelope of everything that is refused on the jobs API, under 4xx and 5xx.",
)
# Any letter case; the dialect of regular expressions has no flag for it.
_DAY_NAMES = f"^({'|'.join(''.join(f'[{x}{x.lower()}]' for x in name) for name in DAY_NAMES)})$"
_FREQUENCY_INFO: dict[str, Any] = {
    "type": "object",
    "description": "The frequency as the console's form has it. Echoed as it was sent. It drives the schedule where "
    "`jobFrequency` is absent: type 1 needs `minuteValues`, 2 `hourValues`, 3 `dayOfWeekValues`, 4 `dayOfMonthValues`; "
    "finer values that are absent count as 0.",
    "properties": {
        "frequencyType": or_null(
            {"type": "integer", "enum": [1, 2, 3, 4]}, description="1 hour, 2 day, 3 week, 4 month."
        ),
        "minuteValues": or_null({"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 59}}),
        "hourValues": or_null({"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 23}}),
        "dayOfWeekValues": or_null(
            {
                "type": "array",
                "items": {
                    "anyOf": [
                        {"type": "integer", "minimum": 1, "maximum": 7},
                        {"type": "string", "pattern": _DAY_NAMES},
                    ]
                },
            },
            description="1 to 7 from Sunday on, or names from SUN to SAT.",
        ),
        "dayOfMonthValues": or_null(
            {
                "type": "array",
                "items": {
                    "anyOf": [
                        {"type": "integer", "minimum": 1, "maximum": 31},
                        {"type": "string", "const": "L", "description": "The last day."},
                    ]
                },
            }
        ),
    },
    "additionalProperties": True,
}
_SCALARS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
_HEADERS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": TEXT,
    "maxProperties": 50,
    "description": "Headers of the call; this exact spelling. Values of headers whose names say that they are "
    "credentials are stored encrypted and shown as `********`.",
}
_AUTHENTICATION: dict[str, Any] = {
    "type": "object",
    "description": "The identity that the call is made with. `appSecret` and `password` are shown as `********`; "
    "asterisks sent back keep what is stored.",
    "properties": {
        "type": or_null({"type": "string", "enum": ["ADMIN", "APP_USER"]}),
        **{name: or_null(TEXT) for name in ("appKey", "appSecret", "identity", "username", "password")},
    },
}
_SERVICE_INFO = closed(
    {
        "version": TEXT,
        "serviceType": {"type": "string", "enum": [item.value for item in ServiceType]},
        "serviceName": NAME,
        "objectName": {"type": "string", "description": 'Empty unless `serviceType` is "objSer".'},
        "operationName": NAME,
        "requestheaderMap": _HEADERS,
        "serviceExecutionType": {"type": "string", "const": EXECUTION_TYPE},
        "postData": {"type": "string", "description": "JSON as text."},
        "operationSecurityLevel": TEXT,
        "queryParams": _SCALARS,
        "successCriteria": TEXT,
        "authentication": _AUTHENTICATION,
    },
    optional=("queryParams", "successCriteria", "authentication"),
)
_SERVICE_INFO_SENT: dict[str, Any] = {
    "type": "object",
    "description": "The service that the job calls. The last three members are additions to the reference.",
    "properties": {
        "version": or_null({**NAME, "maxLength": 64}, default="1.0"),
        "serviceType": {
            "type": "string",
            "enum": [item.value for item in ServiceType],
            "description": "Integration, object or orchestration service.",
        },
        "serviceName": NAME,
        "objectName": or_null(
            {"type": "string", "maxLength": 255}, description='Required where `serviceType` is "objSer", else ignored.'
        ),
        "operationName": NAME,
        "requestheaderMap": or_null(_HEADERS),
        "serviceExecutionType": {"type": "string", "const": EXECUTION_TYPE},
        "postData": {
            "type": ["string", "object", "null"],
            "default": "{}",
            "description": "JSON as text, or an object, which is echoed as text. An object (either way) unless the "
            "call sends JSON.",
        },
        "operationSecurityLevel": or_null(
            TEXT, default="public", description="public, anonymous or authenticated, or the console's labels of these."
        ),
        "queryParams": or_null({**_SCALARS, "maxProperties": 100}),
        "successCriteria": or_null(
            {"type": "string", "maxLength": 4096},
            description="The run succeeds only if the response body contains this.",
        ),
        "authentication": or_null(_AUTHENTICATION),
    },
    "required": ["serviceType", "serviceName", "operationName", "serviceExecutionType"],
}
_MAIL = {
    "type": "object",
    "description": "Addition to the reference: whom to mail when a run has failed for good.",
    "properties": {
        "onFailure": or_null({"type": "array", "items": {"type": "string", "format": "email"}, "maxItems": 20})
    },
}
_STATUS = {"type": "string", "enum": [ACTIVE, INACTIVE]}
_STRATEGY = {
    "type": "string",
    "enum": [item.value for item in Strategy],
    "description": "OFF: no row. MINIMAL: a row without payload. ERROR: failed runs with payload and response, "
    "successful ones without. FULL: every run with both.",
}
_JOB_SENT: dict[str, Any] = {
    "jobName": {"type": "string", "minLength": 1, "maxLength": 255, "description": "Unique within this surface."},
    "jobFrequency": or_null(
        {"type": "string", "minLength": 1, "maxLength": 512},
        description="Quartz, six or seven fields. A seconds field that is not a single number counts as 0; two minute "
        "values of one hour must lie VOLTMX_MIN_INTERVAL_MINUTES apart. Echoed as sent.",
    ),
    "description": or_null({"type": "string", "maxLength": 10_000}),
    "jobServiceInfo": ref("VoltmxServiceInfoSent"),
    "jobStatus": or_null(_STATUS, default=ACTIVE),
    "historyStrategy": or_null(_STRATEGY, default=Strategy.MINIMAL.value),
    "retentionPeriod": or_null(
        {
            "type": "string",
            "pattern": "^0*([1-9][0-9]{0,2}|[12][0-9]{3}|3[0-5][0-9]{2}|36[0-4][0-9]|3650)$",
            "maxLength": 4,
        },
        default="30",
        description="Days, 1 to 3650, as a string.",
    ),
    "jobFrequencyInfo": or_null(ref("VoltmxFrequencyInfo")),
    "emailNotifications": or_null(_MAIL),
}
_NEW_JOB: dict[str, Any] = {
    "type": "object",
    "properties": {
        "jobId": or_null(
            {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
            description="A free id is kept, as the answer carries none; absent, null or 0 takes the next free one.",
        ),
        **_JOB_SENT,
    },
    "required": ["jobName", "jobServiceInfo"],
    "anyOf": [
        {"required": ["jobFrequency"], "properties": {"jobFrequency": {"type": "string"}}},
        {"required": ["jobFrequencyInfo"], "properties": {"jobFrequencyInfo": {"type": "object"}}},
    ],
}
_JOB_CHANGES: dict[str, Any] = {
    "type": "object",
    "description": "Absent members keep their value, also inside `jobServiceInfo`. `description`, `queryParams`, "
    "`successCriteria`, `authentication` and `emailNotifications` go with null.",
    "properties": {
        "jobId": JOB_ID,
        **_JOB_SENT,
        "jobName": or_null(_JOB_SENT["jobName"]),
        "jobServiceInfo": or_null({"type": "object", "description": "Any members of `VoltmxServiceInfoSent`."}),
    },
    "required": ["jobId"],
}
_JOB = closed(
    {
        "jobId": JOB_ID,
        "jobName": TEXT,
        "jobFrequency": TEXT,
        "jobServiceInfo": ref("VoltmxServiceInfo"),
        "jobStatus": _STATUS,
        "historyStrategy": _STRATEGY,
        "retentionPeriod": {"type": "string", "pattern": "^[0-9]+$"},
        "jobFrequencyInfo": or_null(
            ref("VoltmxFrequencyInfo"),
            description="As sent, else what says the same as `jobFrequency`, null where nothing does.",
        ),
        "emailNotifications": _MAIL,
    },
    optional=("emailNotifications",),
)
_JOB_SUMMARY = closed(
    {
        "jobId": JOB_ID,
        "jobName": TEXT,
        "description": or_null(TEXT),
        "cronExpression": or_null(TEXT),
        "updatedUser": {"type": "string", "description": "E-mail of who changed it last."},
        "updatedDate": INSTANT,
        "jobStatus": _STATUS,
        "jobHistoryTotal": COUNT,
        "jobHistorySuccessCount": COUNT,
        "jobHistoryFailCount": COUNT,
        "jobHistorySucPercentage": PERCENTAGE,
        "jobHistoryFailPercentage": PERCENTAGE,
        "jobLastRunStatus": or_null(ENDING, description="Null before the first run."),
        "jobNextRunTime": or_null(INSTANT, description="Null where nothing will fire."),
    }
)
_RUN_MEMBERS: dict[str, Any] = {
    "jobRunId": {"type": "integer", "minimum": 1, "description": "1, 2, … within the job."},
    "jobStartTime": INSTANT,
    "jobEndTime": INSTANT,
    "jobDuration": {"type": "integer", "minimum": 0, "description": "Milliseconds."},
    "executionFrequency": or_null(TEXT, description="The expression in force when the run fired."),
    "executionStatus": ENDING,
    "completeHistory": {"type": "boolean", "description": "Whether payload and response were recorded."},
}
_ATTEMPT = closed(
    {"attempt": INTEGER, "startTime": or_null(INSTANT), "endTime": INSTANT, "message": TEXT},
    description="An attempt that was followed by another.",
)
_RUN_IN_FULL = closed(
    {
        **_RUN_MEMBERS,
        "messages": {"type": "array", "items": TEXT},
        "attempts": {"type": "array", "items": _ATTEMPT},
        "truncated": {"type": "boolean", "description": "Whether something was cut off at the size limit."},
        "request": {"description": "What was sent, secrets masked; null unless the history is complete."},
        "response": {"description": "What came back; null unless the history is complete."},
    }
)
_PERSON = {"firstname": TEXT, "userid": TEXT, "email": TEXT, "lastname": TEXT}
_LOGIN_ANSWER = closed(
    {
        "profile": closed(
            {
                "userid": TEXT,
                "email": TEXT,
                "firstname": TEXT,
                "lastname": TEXT,
                "user_attributes": closed({"user_id": TEXT}),
                "profile_attributes": closed(_PERSON),
            }
        ),
        "claims_token": closed(
            {
                "value": {"type": "string", "minLength": 1},
                "exp": {"type": "integer", "description": "When it expires, in milliseconds since the epoch."},
                "integrity_check_required": {"type": "boolean", "const": False},
            }
        ),
        "refresh_token": {"type": "string", "minLength": 1},
    }
)
_LOGIN: dict[str, Any] = {
    "type": "object",
    "properties": {
        "userid": {"type": "string", "minLength": 1, "description": "User name or e-mail."},
        "password": {"type": "string", "minLength": 1, "format": "password"},
        "provider": {"type": "string", "description": "Taken and ignored."},
        "domain": {"type": "string", "description": "Taken and ignored."},
    },
    "required": ["userid", "password"],
}
_AUTH_ERROR = closed(
    {
        "domain": {"type": "string", "const": "AUTH"},
        "code": {"type": "integer", "enum": [-5, -4, -3, -2, -1]},
        "mfcode": {"type": "string", "pattern": "^Auth-[1-5]$"},
        "message": TEXT,
        "details": closed({"message": TEXT, "errcode": {"type": "integer", "const": 0}, "errmsg": TEXT}),
        "requestid": {"type": "string", "format": "uuid"},
        "httpstatus": {"type": "string", "description": "The status's phrase, such as `Unauthorized`."},
    },
    description="How the login door refuses: -2 for 400, 408, 413, 415 and 431, -3 for 404 and 405, -4 for 401, "
    "-5 for 429.",
)

COMPONENTS: dict[str, dict[str, Any]] = {
    "schemas": {
        "VoltmxAuthError": _AUTH_ERROR,
        "VoltmxFail": _FAIL,
        "VoltmxFrequencyInfo": _FREQUENCY_INFO,
        "VoltmxJob": _JOB,
        "VoltmxJobChanges": _JOB_CHANGES,
        "VoltmxJobSummary": _JOB_SUMMARY,
        "VoltmxLogin": _LOGIN,
        "VoltmxLoginAnswer": _LOGIN_ANSWER,
        "VoltmxNewJob": _NEW_JOB,
        "VoltmxRun": closed(_RUN_MEMBERS),
        "VoltmxRunInFull": _RUN_IN_FULL,
        "VoltmxServiceInfo": _SERVICE_INFO,
        "VoltmxServiceInfoSent": _SERVICE_INFO_SENT,
        "VoltmxSuccess": _SUCCESS,
    },
    "responses": refusal_responses(),
    "securitySchemes": {
        "refreshToken": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "A refresh token (at logout a claims token too), bare or after `Bearer `.",
        },
    },
}
