"""Exceptions as answers: the one place that knows the vendor's two error forms.

The Zementis service tells every problem of a request in ``{"errors": […]}``; the platform's own resources (inventory,
measurements) answer ``{"error", "message", "info"}``. A missing or wrong login gets the platform's form from both.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.core.exceptions import SuspiciousOperation, TooManyFieldsSent, TooManyFilesSent
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response

from scheduler.connections import first_line
from zementis.devices import DataSourceError
from zementis.devices.exceptions import InvalidContent, MeasurementNotFound, ObjectNotFound
from zementis.inference import InvalidModel, ScoringError
from zementis.job_form import JobRefused
from zementis.model_store import ModelExists, ModelNotFound, StoreBusy

logger = logging.getLogger(__name__)

INFO = "https://www.cumulocity.com/guides/reference-guide/#error_reporting"
Handler = Callable[[Exception, dict[str, Any]], Response]


class TooLarge(exceptions.APIException):
    """The request body is larger than this resource takes."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request body is too large."
    default_code = "payload_too_large"


class TooLate(exceptions.APIException):
    """The request body did not come in time."""

    status_code = status.HTTP_408_REQUEST_TIMEOUT
    default_detail = "The request body did not come in time."
    default_code = "request_timeout"


class Unprocessable(exceptions.APIException):
    """The platform's answer to content that it understands and cannot take."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "invalid"


def service(exception: Exception, context: dict[str, Any]) -> Response:
    """Answer in the Zementis service's form."""
    if isinstance(exception, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)):
        return unauthorized(exception)
    code, errors = _service_errors(exception, context)
    return Response(service_body(errors), status=code, headers=_headers(exception))


def platform(exception: Exception, context: dict[str, Any]) -> Response:
    """Answer in the platform's form."""
    if isinstance(exception, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)):
        return unauthorized(exception)
    code, error, message = _platform_error(exception, context)
    return Response(platform_body(error, message), status=code, headers=_headers(exception))


def service_body(errors: list[str]) -> dict[str, Any]:
    """Return the Zementis service's form."""
    return {"errors": errors}


def platform_body(error: str, message: str) -> dict[str, Any]:
    """Return the platform's form. ``error`` is ``<room>/<code>``."""
    return {"error": error, "message": message, "info": INFO}


def platform_code(status_code: int) -> str:
    """Return the platform's word for a status."""
    return _PLATFORM_CODES.get(status_code, "internalError")


def unauthorized(exception: exceptions.APIException) -> Response:
    """Answer that nobody, or nobody known, has asked."""
    challenge = getattr(exception, "auth_header", 'Basic realm="Cumulocity"')
    return Response(
        platform_body("general/internalError", "Not authorized!"),
        status=status.HTTP_401_UNAUTHORIZED,
        headers={"WWW-Authenticate": challenge},
    )


def _service_errors(exception: Exception, context: dict[str, Any]) -> tuple[int, list[str]]:
    if isinstance(exception, JobRefused):
        return (404 if exception.missing else 400), exception.errors
    if isinstance(exception, InvalidModel):
        return (413 if any("larger than" in error for error in exception.errors) else 400), list(exception.errors)
    if isinstance(exception, ModelNotFound):
        return 404, [str(exception)]
    if isinstance(exception, ModelExists):
        return 409, [str(exception)]
    if isinstance(exception, StoreBusy):
        return 503, [str(exception)]
    if isinstance(exception, ScoringError):
        return (503 if exception.retryable else 400), [str(exception)]
    code, message = _common(exception, context)
    return code, [message]


def _platform_error(exception: Exception, context: dict[str, Any]) -> tuple[int, str, str]:
    room = getattr(context.get("view"), "room", "general")
    if isinstance(exception, ObjectNotFound):
        return 404, "inventory/notFound", f"Finding device data from database failed : {exception}"
    if isinstance(exception, MeasurementNotFound):
        return 404, "measurement/notFound", str(exception)
    if isinstance(exception, InvalidContent):
        return 422, f"{room}/invalid", str(exception)
    code, message = _common(exception, context)
    return code, f"{room}/{platform_code(code)}", message


_PLATFORM_CODES = {
    400: "badRequest",
    403: "forbidden",
    404: "notFound",
    405: "methodNotAllowed",
    406: "notAcceptable",
    408: "requestTimeout",
    409: "duplicate",
    413: "payloadTooLarge",
    415: "unsupportedMediaType",
    422: "invalid",
    429: "tooManyRequests",
    431: "headersTooLarge",
    503: "unavailable",
}


def _common(exception: Exception, context: dict[str, Any]) -> tuple[int, str]:
    """Return status and sentence of what can happen to any request."""
    request = context.get("request")
    match exception:
        case exceptions.PermissionDenied():
            return 403, "You do not have the permission to do this."
        case exceptions.MethodNotAllowed():
            return 405, f"Method '{request.method if request else '?'}' is not allowed here."
        case exceptions.UnsupportedMediaType():
            return 415, str(exception.detail)
        case exceptions.Throttled():
            wait = _wait(exception)
            return 429, f"Too many requests.{f' Try again in {wait} seconds.' if wait else ''}"
        case exceptions.APIException():
            return exception.status_code, str(exception.detail)
        case Http404():
            return 404, str(exception) or "There is no such resource."
        case TooManyFieldsSent() | TooManyFilesSent():
            return 400, "The form has too many fields or files."
        case SuspiciousOperation():
            return 400, "The request cannot be read."
        case DataSourceError():
            return 503 if exception.retryable else 502, str(exception)
        case DataError():
            # A value that passed every check and that PostgreSQL still cannot hold is the client's.
            logger.warning("request.unstorable why=%s", exception)
            return 400, "A value of the request is out of range."
        case OperationalError() | InterfaceError():
            # It was away, or somebody held for too long what the request needed: the same request may work next.
            logger.error("request.failed reason=database error=%s", first_line(exception))
            return 503, "The database does not answer; try again."
    logger.exception("request.crashed path=%s", getattr(request, "path", "?"), exc_info=exception)
    return 500, "The request could not be answered because of an internal error."


def _headers(exception: Exception) -> dict[str, str]:
    if isinstance(exception, (OperationalError, InterfaceError)):
        return {"Retry-After": "5"}
    wait = _wait(exception) if isinstance(exception, exceptions.Throttled) else 0
    return {"Retry-After": str(wait)} if wait else {}


def _wait(exception: exceptions.Throttled) -> int:
    """Return the seconds to wait, 0 where nobody knows."""
    return int(getattr(exception, "wait", None) or 0)
