"""Shorthand for the parts of an operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zementis.errors import INFO
from zementis.platform.base import VENDOR

JOBS, MODELS = "Zementis jobs", "Zementis models"
INVENTORY, MEASUREMENTS = "Platform inventory", "Platform measurements"

_STATUSES = {
    400: "Something in the request is wrong.",
    401: "Nobody, or nobody known, has asked.",
    403: "The user lacks the permission.",
    404: "There is no such thing.",
    408: "The body did not come within UPLOAD_SECONDS.",
    409: "It is there already, or not in the state for this.",
    413: "The body is too large.",
    415: "The body is of a type that is not taken.",
    422: "The content is understood and cannot be taken.",
    429: "Too many logins failed, or too many requests of the user or from the address.",
    431: "Too many or too large header fields.",
    502: "The source of devices and measurements answered with an error.",
    503: "Something that is needed does not answer at the moment.",
}
# Whatever is asked for may be answered so.
_COMMON = (400, 401, 403, 429, 431, 503)
SERVICE, PLATFORM = "ZementisErrors", "PlatformError"
# Nobody refuses so, or everybody who does has an example of its own.
_NEVER = {
    *((SERVICE, status) for status in (401, 404, 409, 422)),
    *((PLATFORM, status) for status in (409, 502)),
}
_UNAUTHORIZED = {"error": "general/internalError", "message": "Not authorized!", "info": INFO}
_CHALLENGE = {
    "WWW-Authenticate": {"description": "Basic, of the realm Cumulocity.", "schema": {"type": "string"}},
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string", "pattern": "^[0-9]+$"}}}


def ref(name: str) -> dict[str, str]:
    """Return the reference to a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def content(schema: Mapping[str, Any], *types: str, examples: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the media types of a body, JSON unless others are named, with examples by name."""
    shown = {"examples": {name: {"value": value} for name, value in examples.items()}} if examples else {}
    return {kind: {"schema": dict(schema), **shown} for kind in types or ("application/json",)}


def answer(description: str, schema: Mapping[str, Any], *, example: Any = None, kind: str = "") -> dict[str, Any]:
    """Return a response with a JSON body; ``kind`` names the platform's own media type for it."""
    types = ("application/json", f"{VENDOR}{kind}+json") if kind else ("application/json",)
    examples = None if example is None else {"sample": example}
    return {"description": description, "content": content(schema, *types, examples=examples)}


def service_refusals(*statuses: int, **examples: Any) -> dict[str, Any]:
    """Return the responses of the service's refusals; an example of its own goes by ``e`` and its status: ``e404``."""
    return _refusals(SERVICE, statuses, examples)


def platform_refusals(*statuses: int, **examples: Any) -> dict[str, Any]:
    """Return the responses of the platform's refusals."""
    return _refusals(PLATFORM, statuses, examples)


def _refusals(form: str, statuses: tuple[int, ...], examples: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    # What takes a body may wait for it in vain.
    for status in sorted({*_COMMON, *statuses, *((408,) if 413 in statuses else ())}):
        example = examples.get(f"e{status}")
        # A missing or wrong login is answered in the platform's form by both.
        name = f"{PLATFORM if status == 401 else form}{status}"
        shared = {"$ref": f"#/components/responses/{name}"}
        found[str(status)] = shared if example is None else answer(_STATUSES[status], ref(form), example=example)
    return found


def refusal_responses() -> dict[str, Any]:
    """Return the components that refusals refer to."""
    found = {
        f"{form}{status}": answer(description, ref(form), example=_UNAUTHORIZED if status == 401 else None)
        for form in (SERVICE, PLATFORM)
        for status, description in _STATUSES.items()
        if (form, status) not in _NEVER
    }
    found[f"{PLATFORM}401"]["headers"] = _CHALLENGE
    for form in (SERVICE, PLATFORM):
        for status in (429, 503):
            found[f"{form}{status}"]["headers"] = _RETRY_AFTER
    return found


def path_parameter(name: str, description: str) -> dict[str, Any]:
    """Return a part of the path; what it may hold is looked at when it is looked up."""
    return {"name": name, "in": "path", "required": True, "description": description, "schema": {"type": "string"}}


def query(name: str, schema: Mapping[str, Any], description: str = "", *, required: bool = False) -> dict[str, Any]:
    """Return a query parameter."""
    told = {"description": description} if description else {}
    return {"name": name, "in": "query", **({"required": True} if required else {}), **told, "schema": dict(schema)}


TEXT: dict[str, Any] = {"type": "string"}
FLAG: dict[str, Any] = {"type": "boolean", "default": False}
ID: dict[str, Any] = {"type": "string", "pattern": "^[1-9][0-9]*$"}
ADDRESS: dict[str, Any] = {"type": "string", "format": "uri"}
DATE: dict[str, Any] = {
    "type": "string",
    "description": "A date, or a date and time with an offset or Z.",
    "examples": ["2026-05-01T12:00:00.000Z"],
}
PAGING = [
    query("currentPage", {"type": "integer", "minimum": 1, "default": 1}, "A page past the end is empty."),
    query("pageSize", {"type": "integer", "minimum": 1, "maximum": 2000, "default": 5}),
    query("withTotalPages", FLAG, "Adds `totalPages` to the statistics."),
    query("withTotalElements", FLAG, "Adds `totalElements` to the statistics."),
]


def closed(properties: dict[str, Any], *, optional: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """Return an answer's object: these members, all of them but the optional ones, and no others."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False, **more}
