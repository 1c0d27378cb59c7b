"""Shorthand for the parts of an operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts import rates

ACCOUNTS, JOBS = "Volt MX accounts", "Volt MX jobs"

# Statuses with which an address of the jobs API may refuse: when, and the envelope's sentence and details by example.
_BAD = {"jobServiceInfo.serviceName": ["is required"]}
_REFUSALS: dict[int, tuple[str, str, Any]] = {
    400: ("Bad values, or a body that cannot be read.", "The request has invalid values", _BAD),
    401: ("No token, or one that is not valid any more.", "A valid X-VoltMX-Authorization token is needed", None),
    403: ("The account lacks the permission.", "The account lacks the permission for this", None),
    404: ("There is no such job or run.", "There is no such job", None),
    408: ("The body did not come within UPLOAD_SECONDS.", "The body did not come in time", None),
    409: ("`jobId` or `jobName` is taken.", "A job with this jobId exists already", {"jobId": ["is taken"]}),
    413: ("The body is larger than VOLTMX_BODY_LIMIT_BYTES.", "The body is too large", None),
    415: ("The body is of a type that is not taken.", "The Content-Type must be application/json", None),
    429: ("Too many requests of the user or from the address.", rates.sentence(12), None),
    431: ("Too many or too large header fields.", "The request has more than 100 header fields", None),
    503: ("The database does not answer.", "The database does not answer; try again", None),
}
# 400: any address refuses a request of too many parameters.
_COMMON = (400, 401, 403, 429, 431, 503)
_AUTH_REFUSALS = {
    400: "A field is missing, or the body cannot be read.",
    401: "Wrong credentials, or a token that is dead.",
    408: "The body did not come within UPLOAD_SECONDS.",
    413: "The body is too large.",
    415: "Neither a form nor JSON.",
    429: "Too many logins failed for the account or from the address, or too many requests from the address.",
    431: "Too many or too large header fields.",
    503: "The database does not answer.",
}


def ref(name: str) -> dict[str, str]:
    """Return the reference to a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def content(schema: Mapping[str, Any], *types: str, examples: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the media types of a body, JSON unless others are named, with examples by name."""
    shown = {"examples": {name: {"value": value} for name, value in examples.items()}} if examples else {}
    return {kind: {"schema": dict(schema), **shown} for kind in types or ("application/json",)}


def answer(description: str, schema: Mapping[str, Any], *, example: Any = None) -> dict[str, Any]:
    """Return a response with a JSON body."""
    examples = None if example is None else {"sample": example}
    return {"description": description, "content": content(schema, examples=examples)}


def refusals(*statuses: int) -> dict[str, Any]:
    """Return the responses with the FAIL envelope that an address may give, those common to all among them."""
    # What takes a body may wait for it in vain.
    found = {*_COMMON, *statuses, *((408,) if 413 in statuses else ())}
    return {str(status): {"$ref": f"#/components/responses/VoltmxFail{status}"} for status in sorted(found)}


def refusal_responses() -> dict[str, Any]:
    """Return the components that ``refusals`` refers to."""
    found = {}
    for status, (description, message, result) in _REFUSALS.items():
        sample = {"status": "FAIL", "result": result, "message": message, "token": None}
        found[f"VoltmxFail{status}"] = answer(description, ref("VoltmxFail"), example=sample)
    for status, description in _AUTH_REFUSALS.items():
        found[f"VoltmxAuthError{status}"] = answer(description, ref("VoltmxAuthError"))
    for name in ("VoltmxFail429", "VoltmxFail503", "VoltmxAuthError429", "VoltmxAuthError503"):
        found[name]["headers"] = RETRY_AFTER
    return found


RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string", "pattern": "^[0-9]+$"}}}
SUCCESS = answer(
    "Done.", ref("VoltmxSuccess"), example={"status": "SUCCESS", "result": None, "message": None, "token": None}
)
