"""What the platform's resources share: error form, content types, creation answers, query parameters."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from zementis import body, errors, instants
from zementis.devices.exceptions import ObjectNotFound
from zementis.errors import Unprocessable
from zementis.job_form import shown
from zementis.views.base import SurfaceView

VENDOR = "application/vnd.com.nsn.cumulocity."
JSON_TYPES = ("application/json", f"{VENDOR}*+json")
# The first words of the platform's paths.
ROOMS = ("inventory", "measurement", "platform", "tenant", "user")
_ID = re.compile(r"[0-9]{1,19}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class PlatformView(SurfaceView):
    """A resource of the platform. ``room`` is the first word of its error codes."""

    room = "general"

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Any]:
        """Errors go out in the platform's form."""
        return errors.platform

    def content(self, request: Request, *, limit: int | None = None) -> Any:
        """Return the body's JSON."""
        return body.json(request, limit=limit, types=JSON_TYPES)

    def answer(self, request: Request, data: Any, *, kind: str, status: int = 200) -> Response:
        """Answer ``data`` under the vendor's type where the client asks for a vendor's type, else as plain JSON."""
        vendor = VENDOR in request.META.get("HTTP_ACCEPT", "")
        return Response(data, status=status, content_type=f"{VENDOR}{kind}+json" if vendor else "application/json")

    def created(self, request: Request, data: Any, *, kind: str, location: str | None = None) -> Response:
        """Answer 201, with the new object only where the client sent Accept, as the platform does."""
        accepts = bool(request.META.get("HTTP_ACCEPT", "").strip())
        response = self.answer(request, data if accepts else None, kind=kind, status=201)
        if location is not None:
            response["Location"] = location
        return response


def url(request: Request, path: str) -> str:
    """Return the absolute address of a path of this server."""
    return request._request.build_absolute_uri(path)


def root(request: Request) -> str:
    """Return the absolute address of this server, without a slash at its end."""
    return url(request, "/")[:-1]


def identifier(segment: str) -> int:
    """Return the id that a path segment or parameter holds. Raises ``ObjectNotFound``."""
    if not _ID.fullmatch(segment):
        raise ObjectNotFound(f"No managedObject for id '{shown(segment)}'!")
    return int(segment)


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    """Return a parameter that is true or false; anything else counts as false, as on the platform."""
    text = request.query_params.get(name)
    return default if text is None else text.strip().lower() == "true"


def text(request: Request, name: str) -> str | None:
    """Return a text parameter, None where it is absent or blank. Raises ``Unprocessable``."""
    value = request.query_params.get(name)
    if value is not None and "\x00" in value:
        raise Unprocessable(f"{name} must not hold the character U+0000.")
    return value.strip() if value and value.strip() else None


def instant(request: Request, name: str) -> datetime | None:
    """Return a parameter that is a date or a date and time, in UTC. Raises ``Unprocessable``."""
    value = text(request, name)
    if value is None:
        return None
    if _DATE.fullmatch(value):
        value += "T00:00:00Z"
    try:
        # A plus sign that a client forgot to encode arrives as a space.
        return instants.parse(value.replace(" ", "+")).astimezone(UTC)
    except ValueError as error:
        raise Unprocessable(f"{name} '{shown(value)}' is not {error}.") from None
