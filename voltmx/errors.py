"""What this surface refuses, in the vendor's words: the jobs API's FAIL envelope, the login door's AUTH shape.

The only place where exceptions become answers. Nothing here ever shows a stack trace or a page of HTML.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import SuspiciousOperation, TooManyFieldsSent, TooManyFilesSent
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions
from rest_framework.response import Response

from accounts import bodies, rates
from accounts.lockout import LockedOut
from scheduler.exceptions import InvalidJob, JobNotFound, NameTaken, NumberTaken
from scheduler.strict_json import UnreadableJson
from voltmx.frequency import InvalidFrequency
from voltmx.reading import Problems

logger = logging.getLogger(__name__)

Details = Mapping[str, Sequence[str]] | None

# The core's names of what a client calls otherwise.
_FIELDS = {
    "name": "jobName",
    "number": "jobId",
    "expression": "jobFrequency",
    "retention_days": "retentionPeriod",
    "history_strategy": "historyStrategy",
    "arguments": "jobServiceInfo",
    "active": "jobStatus",
}


class WrongMediaType(Exception):
    """A request's body is in a form that its address does not take."""


def success() -> Response:
    """Return the envelope of a write that was done."""
    return Response({"status": "SUCCESS", "result": None, "message": None, "token": None})


def fail(status: int, message: str, result: Details = None, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return the FAIL envelope: ``message`` one short sentence, ``result`` field -> problems, or None."""
    return Response(fail_body(status, message, result), status=status, headers=dict(headers or {}))


def fail_body(status: int, message: str, result: Details = None) -> dict[str, Any]:
    """Return the FAIL envelope alone."""
    return {"status": "FAIL", "result": result, "message": message, "token": None}


def refusal_of(error: Exception) -> tuple[int, str, Details, dict[str, str]]:
    """Return HTTP status, sentence, details and headers for what went wrong; unknown errors are logged and give 500."""
    match error:
        case Problems():
            return 400, "The request has invalid values", error.by_field, {}
        case InvalidFrequency():
            path = error.field if error.field == "jobFrequency" else f"jobFrequencyInfo.{error.field}"
            return 400, "The request has invalid values", {path: [error.problem]}, {}
        case InvalidJob():
            return 400, "The request has invalid values", {_FIELDS.get(error.field, error.field): [error.problem]}, {}
        case UnreadableJson():
            details = {error.path: [error.problem]} if error.path else None
            return 400, f"The body cannot be read: {error.problem}", details, {}
        case JobNotFound():
            return 404, "There is no such job", None, {}
        case NumberTaken():
            return 409, "A job with this jobId exists already", {"jobId": ["is taken"]}, {}
        case NameTaken():
            return 409, "A job with this jobName exists already", {"jobName": ["is taken"]}, {}
        case bodies.BodyTooLarge():
            return 413, "The body is too large", None, {}
        case bodies.BodyLate():
            return 408, "The body did not come in time", None, {}
        case bodies.BodyEndless():
            return 400, "A body in chunks cannot be read here; send it with a Content-Length", None, {}
        case bodies.UnknownCoding():
            codings = ", ".join(bodies.CODINGS)
            return 415, f"The Content-Encoding is not one of {codings}", None, {"Accept-Encoding": codings}
        case bodies.BodyRefused():
            return 400, "The body breaks off or is garbled", None, {}
        case TooManyFieldsSent() | TooManyFilesSent():
            return 400, "The form has too many fields or files", None, {}
        case WrongMediaType() | exceptions.UnsupportedMediaType():
            return 415, "The Content-Type must be application/json", None, {}
        case LockedOut():
            return (
                429,
                f"Too many failed logins; try again in {error.seconds} seconds",
                None,
                {"Retry-After": str(error.seconds)},
            )
        case exceptions.Throttled():
            wait = max(1, int(getattr(error, "wait", None) or 1))
            return 429, rates.sentence(wait), None, {"Retry-After": str(wait)}
        case exceptions.NotAuthenticated():
            return 401, "A valid X-VoltMX-Authorization token is needed", None, {}
        case exceptions.AuthenticationFailed():
            return 401, str(error.detail), None, {}
        case exceptions.PermissionDenied():
            return 403, "The account lacks the permission for this", None, {}
        case exceptions.MethodNotAllowed():
            return 405, "The method is not allowed here", None, {}
        case exceptions.NotFound() | Http404():
            return 404, "There is nothing at this address", None, {}
        case exceptions.APIException():
            return error.status_code, "The request cannot be answered", None, {}
        case SuspiciousOperation() | MultiPartParserError():
            return 400, "The request cannot be read", None, {}
        case OperationalError() | InterfaceError():
            logger.error("request.failed reason=database error=%s", error)
            return 503, "The database does not answer; try again", None, {"Retry-After": "5"}
        case _:
            logger.error("request.failed", exc_info=error)
            return 500, "Internal error", None, {}


def fail_of(error: Exception) -> Response:
    """Return the FAIL envelope for what went wrong on the jobs API."""
    status, message, details, headers = refusal_of(error)
    return fail(status, message, details, headers=headers)


# code and text of the login door's answers by HTTP status; -4 is the vendor's, the others are ours.
_AUTH_CODES = {400: -2, 401: -4, 404: -3, 405: -3, 408: -2, 413: -2, 415: -2, 429: -5, 431: -2}


def auth_fail(status: int, message: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return the login door's error shape."""
    return Response(auth_body(status, message), status=status, headers=dict(headers or {}))


def auth_body(status: int, message: str) -> dict[str, Any]:
    """Return the login door's error shape alone."""
    code = _AUTH_CODES.get(status, -1)
    return {
        "domain": "AUTH",
        "code": code,
        "mfcode": f"Auth{code}",
        "message": message,
        "details": {"message": message, "errcode": 0, "errmsg": message},
        "requestid": str(uuid.uuid4()),
        "httpstatus": HTTPStatus(status).phrase,
    }


def auth_fail_of(error: Exception) -> Response:
    """Return the login door's error shape for what went wrong there."""
    status, message, details, headers = refusal_of(error)
    if isinstance(error, exceptions.AuthenticationFailed):
        message = str(error.detail)
    elif isinstance(error, WrongMediaType):
        message = "The Content-Type must be application/x-www-form-urlencoded or application/json"
    elif isinstance(error, Problems):
        message = "; ".join(f"{name} {problem}" for name, found in (details or {}).items() for problem in found)
    return auth_fail(status, message, headers=headers)
