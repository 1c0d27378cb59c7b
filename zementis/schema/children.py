"""The operations on children of managed objects: three families with the same resources."""

from __future__ import annotations

from typing import Any

from zementis.platform.base import VENDOR
from zementis.schema.inventory import GONE, LOCATION, OBJECT_ID
from zementis.schema.words import INVENTORY, PAGING, answer, content, path_parameter, platform_refusals, ref

_FAMILY = {
    "name": "family",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "enum": ["childAssets", "childDevices", "childAdditions"]},
}
_CHILD_ID = path_parameter("childId", "The child's id.")
_SENT = content(
    ref("PlatformChildrenSent"),
    "application/json",
    f"{VENDOR}managedobjectreference+json",
    f"{VENDOR}managedobjectreferencecollection+json",
    examples={"one": {"managedObject": {"id": "103030"}}},
)
_MADE = {
    "description": "The reference, the references, or the new object, as the body was one, several or an object.",
    "headers": LOCATION,
    "content": {
        **content(
            {"anyOf": [ref("PlatformReference"), ref("PlatformReferencesCreated"), ref("PlatformManagedObject")]}
        ),
        **content(ref("PlatformReference"), f"{VENDOR}managedobjectreference+json"),
        **content(ref("PlatformReferencesCreated"), f"{VENDOR}managedobjectreferencecollection+json"),
        **content(ref("PlatformManagedObject"), f"{VENDOR}managedobject+json"),
    },
}
_FAMILIES = "/inventory/managedObjects/{id}/{family}"

CHILDREN_OPERATIONS: dict[tuple[str, str], dict[str, Any]] = {
    (_FAMILIES, "get"): {
        "operationId": "platform_children",
        "summary": "List children",
        "description": "Needs `view_managedobject`.",
        "tags": [INVENTORY],
        "parameters": [OBJECT_ID, _FAMILY, *PAGING],
        "responses": {
            "200": answer("A page.", ref("PlatformReferences"), kind="managedobjectreferencecollection"),
            **platform_refusals(404, 422),
        },
    },
    (_FAMILIES, "post"): {
        "operationId": "platform_add_children",
        "summary": "Make objects children, or create one as a child",
        "description": f"A body of the type `{VENDOR}managedobject+json` is a new object; any other names objects that "
        "are there. Without `Accept` the answer has no body. Needs `change_managedobject`.",
        "tags": [INVENTORY],
        "parameters": [OBJECT_ID, _FAMILY],
        "requestBody": {
            "required": True,
            "content": {**_SENT, **content(ref("PlatformNewManagedObject"), f"{VENDOR}managedobject+json")},
        },
        "responses": {"201": _MADE, **platform_refusals(400, 404, 413, 415, 422)},
    },
    (_FAMILIES, "delete"): {
        "operationId": "platform_remove_children",
        "summary": "End that objects are children",
        "description": "The body names them. Needs `change_managedobject`.",
        "tags": [INVENTORY],
        "parameters": [OBJECT_ID, _FAMILY],
        "requestBody": {"required": True, "content": _SENT},
        "responses": {**GONE, **platform_refusals(400, 404, 413, 415, 422)},
    },
    (f"{_FAMILIES}/{{childId}}", "get"): {
        "operationId": "platform_child",
        "summary": "Get the reference to a child",
        "description": "Needs `view_managedobject`.",
        "tags": [INVENTORY],
        "parameters": [OBJECT_ID, _FAMILY, _CHILD_ID],
        "responses": {
            "200": answer("The reference.", ref("PlatformReference"), kind="managedobjectreference"),
            **platform_refusals(404),
        },
    },
    (f"{_FAMILIES}/{{childId}}", "delete"): {
        "operationId": "platform_remove_child",
        "summary": "End that an object is a child",
        "description": "Needs `change_managedobject`.",
        "tags": [INVENTORY],
        "parameters": [OBJECT_ID, _FAMILY, _CHILD_ID],
        "responses": {**GONE, **platform_refusals(404)},
    },
}
