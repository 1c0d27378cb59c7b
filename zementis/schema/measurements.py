"""The operations on measurements."""

from __future__ import annotations

from typing import Any

from zementis.platform.base import VENDOR
from zementis.schema.inventory import GONE, LOCATION
from zementis.schema.words import (
    DATE,
    FLAG,
    MEASUREMENTS,
    PAGING,
    TEXT,
    answer,
    content,
    path_parameter,
    platform_refusals,
    query,
    ref,
)

_ONE = {
    "source": {"id": "103030"},
    "type": "motion",
    "time": "2026-05-01T12:00:00.000Z",
    "c8y_Acceleration": {"accelerationX": {"value": 0.1, "unit": "m/s2"}},
}
_FILTER = [
    query("source", TEXT, "The device's id."),
    query("type", TEXT),
    query("valueFragmentType", TEXT),
    query("valueFragmentSeries", TEXT),
    query("dateFrom", DATE),
    query("dateTo", DATE, "Not part of the range."),
]
_ID = path_parameter("id", "The measurement's id.")
_PATH = "/measurement/measurements"

MEASUREMENT_OPERATIONS: dict[tuple[str, str], dict[str, Any]] = {
    (_PATH, "get"): {
        "operationId": "platform_measurements",
        "summary": "List measurements",
        "description": "The oldest first. Needs `view_measurement`.",
        "tags": [MEASUREMENTS],
        "parameters": [*_FILTER, query("revert", FLAG, "The newest first."), *PAGING],
        "responses": {
            "200": answer("A page.", ref("PlatformMeasurements"), kind="measurementcollection"),
            **platform_refusals(422),
        },
    },
    (_PATH, "post"): {
        "operationId": "platform_create_measurements",
        "summary": "Store one measurement, or all of a collection or none",
        "description": "Without `Accept` the answer has no body. Needs `add_measurement`.",
        "tags": [MEASUREMENTS],
        "requestBody": {
            "required": True,
            "content": {
                **content(
                    {"anyOf": [ref("PlatformNewMeasurements"), ref("PlatformNewMeasurement")]},
                    examples={"one": _ONE, "many": {"measurements": [_ONE]}},
                ),
                **content(ref("PlatformNewMeasurement"), f"{VENDOR}measurement+json"),
                **content(ref("PlatformNewMeasurements"), f"{VENDOR}measurementcollection+json"),
            },
        },
        "responses": {
            "201": {
                "description": "What was stored, in its order.",
                "headers": LOCATION,
                "content": {
                    **content({"anyOf": [ref("PlatformMeasurement"), ref("PlatformMeasurementsCreated")]}),
                    **content(ref("PlatformMeasurement"), f"{VENDOR}measurement+json"),
                    **content(ref("PlatformMeasurementsCreated"), f"{VENDOR}measurementcollection+json"),
                },
            },
            **platform_refusals(400, 413, 415, 422),
        },
    },
    (_PATH, "delete"): {
        "operationId": "platform_delete_measurements",
        "summary": "Delete the measurements that match",
        "description": "At least one parameter is needed: all at once is not offered. Needs `delete_measurement`.",
        "tags": [MEASUREMENTS],
        "parameters": _FILTER,
        "responses": {**GONE, **platform_refusals(422)},
    },
    (f"{_PATH}/series", "get"): {
        "operationId": "platform_series",
        "summary": "Get a device's series over time",
        "description": "Per instant, or per minute, hour or day, the smallest and largest value of each series. Needs "
        "`view_measurement`.",
        "tags": [MEASUREMENTS],
        "parameters": [
            query("source", TEXT, "The device's id.", required=True),
            query("dateFrom", DATE),
            query("dateTo", DATE),
            query("series", {"type": "array", "items": TEXT, "maxItems": 100}, "`fragment.series`, several times."),
            query("aggregationType", {"type": "string", "enum": ["MINUTELY", "HOURLY", "DAILY"]}),
            query("revert", FLAG, "The newest first."),
        ],
        "responses": {
            "200": answer("The series.", ref("PlatformSeries"), kind="series"),
            **platform_refusals(404, 422),
        },
    },
    (f"{_PATH}/{{id}}", "get"): {
        "operationId": "platform_measurement",
        "summary": "Get a measurement",
        "description": "Needs `view_measurement`.",
        "tags": [MEASUREMENTS],
        "parameters": [_ID],
        "responses": {
            "200": answer("The measurement.", ref("PlatformMeasurement"), kind="measurement"),
            **platform_refusals(404),
        },
    },
    (f"{_PATH}/{{id}}", "delete"): {
        "operationId": "platform_delete_measurement",
        "summary": "Delete a measurement",
        "description": "Needs `delete_measurement`.",
        "tags": [MEASUREMENTS],
        "parameters": [_ID],
        "responses": {**GONE, **platform_refusals(404)},
    },
}
