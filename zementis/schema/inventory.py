"""The operations on managed objects, and on who asks."""

from __future__ import annotations

from typing import Any

from zementis.platform.base import VENDOR
from zementis.schema.words import (
    ADDRESS,
    FLAG,
    INVENTORY,
    PAGING,
    TEXT,
    answer,
    content,
    path_parameter,
    platform_refusals,
    query,
    ref,
)

LOCATION = {"Location": {"description": "The address of what was made.", "schema": ADDRESS}}
GONE = {"204": {"description": "Done."}}
OBJECT_ID = path_parameter("id", "The managed object's id.")
_DEVICE = {"name": "machine", "type": "machine", "c8y_IsDevice": {}}
_SHOWN = [
    query("withChildren", {"type": "boolean", "default": True}),
    query("skipChildrenNames", FLAG),
    query("withParents", FLAG),
]
_BODY = {
    "required": True,
    "content": content(
        ref("PlatformNewManagedObject"),
        "application/json",
        f"{VENDOR}managedobject+json",
        examples={"device": _DEVICE},
    ),
}
_ONE = answer("The managed object.", ref("PlatformManagedObject"), kind="managedobject")
_MISSING = {
    "error": "inventory/notFound",
    "message": "Finding device data from database failed : No managedObject for id '1'!",
    "info": "https://www.cumulocity.com/guides/reference-guide/#error_reporting",
}
_OBJECTS = "/inventory/managedObjects"

INVENTORY_OPERATIONS: dict[tuple[str, str], dict[str, Any]] = {
    (_OBJECTS, "get"): {
        "operationId": "platform_managed_objects",
        "summary": "List managed objects",
        "description": "By id, ascending, unless a query orders them. Needs `view_managedobject`.",
        "tags": [INVENTORY],
        "parameters": [
            query("ids", TEXT, "Ids, separated by commas."),
            query("type", TEXT),
            query("owner", TEXT),
            query("name", TEXT),
            query("fragmentType", TEXT, "Objects that have this fragment."),
            query("text", TEXT, "Objects whose name contains this."),
            query("query", TEXT, "For example `$filter=(has(c8y_IsDevice) and name eq 'pump*') $orderby=name`."),
            query("q", TEXT, "The same, of devices only."),
            *_SHOWN,
            *PAGING,
        ],
        "responses": {
            "200": answer("A page.", ref("PlatformManagedObjects"), kind="managedobjectcollection"),
            **platform_refusals(422),
        },
    },
    (_OBJECTS, "post"): {
        "operationId": "platform_create_managed_object",
        "summary": "Create a managed object",
        "description": "Without `Accept` the answer has no body. Needs `add_managedobject`.",
        "tags": [INVENTORY],
        "requestBody": _BODY,
        "responses": {"201": {**_ONE, "headers": LOCATION}, **platform_refusals(400, 413, 415, 422)},
    },
    (f"{_OBJECTS}/{{id}}", "get"): {
        "operationId": "platform_managed_object",
        "summary": "Get a managed object",
        "description": "Needs `view_managedobject`.",
        "tags": [INVENTORY],
        "parameters": [OBJECT_ID, *_SHOWN],
        "responses": {"200": _ONE, **platform_refusals(404, e404=_MISSING)},
    },
    (f"{_OBJECTS}/{{id}}", "put"): {
        "operationId": "platform_update_managed_object",
        "summary": "Change a managed object",
        "description": "Keys that are sent are replaced; null removes one. Needs `change_managedobject`.",
        "tags": [INVENTORY],
        "parameters": [OBJECT_ID],
        "requestBody": _BODY,
        "responses": {"200": _ONE, **platform_refusals(400, 404, 413, 415, 422, e404=_MISSING)},
    },
    (f"{_OBJECTS}/{{id}}", "delete"): {
        "operationId": "platform_delete_managed_object",
        "summary": "Delete a managed object",
        "description": "Its measurements go with it. Needs `delete_managedobject`.",
        "tags": [INVENTORY],
        "parameters": [OBJECT_ID, query("cascade", FLAG, "Whether everything below it goes too.")],
        "responses": {**GONE, **platform_refusals(404, e404=_MISSING)},
    },
    (f"{_OBJECTS}/{{id}}/supportedSeries", "get"): {
        "operationId": "platform_supported_series",
        "summary": "List the series a device has sent",
        "description": "As `fragment.series`. Needs `view_managedobject`.",
        "tags": [INVENTORY],
        "parameters": [OBJECT_ID],
        "responses": {
            "200": answer("The series.", ref("PlatformSupportedSeries"), kind="supportedseries"),
            **platform_refusals(404, e404=_MISSING),
        },
    },
    (f"{_OBJECTS}/{{id}}/supportedMeasurements", "get"): {
        "operationId": "platform_supported_measurements",
        "summary": "List the fragments a device has sent",
        "description": "Needs `view_managedobject`.",
        "tags": [INVENTORY],
        "parameters": [OBJECT_ID],
        "responses": {
            "200": answer("The fragments.", ref("PlatformSupportedMeasurements"), kind="supportedmeasurements"),
            **platform_refusals(404, e404=_MISSING),
        },
    },
    ("/tenant/currentTenant", "get"): {
        "operationId": "platform_tenant",
        "summary": "Get the tenant",
        "tags": [INVENTORY],
        "responses": {"200": answer("The tenant.", ref("PlatformTenant"), kind="currenttenant"), **platform_refusals()},
    },
    ("/user/currentUser", "get"): {
        "operationId": "platform_user",
        "summary": "Get who is asking",
        "tags": [INVENTORY],
        "responses": {"200": answer("The user.", ref("PlatformUser"), kind="currentuser"), **platform_refusals()},
    },
}
