"""Reading a request's body within the surface's limit."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.request import Request

from accounts import bodies
from scheduler.strict_json import UnreadableJson, read_storable
from voltmx.errors import WrongMediaType


def media_type(request: Request) -> str:
    """Return the body's media type in lower case, without parameters; empty where the request names none."""
    return bodies.media_type(request._request)


def read_bytes(request: Request) -> bytes:
    """Return the body, unpacked, of at most VOLTMX_BODY_LIMIT_BYTES. Raises ``accounts.bodies.BodyRefused``."""
    return bodies.read(request._request, limit=settings.VOLTMX_BODY_LIMIT_BYTES)


def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body. Raises what ``read_bytes`` raises, ``WrongMediaType``, ``UnreadableJson``."""
    kind = media_type(request)
    if kind and kind not in ("application/json", "text/json") and not kind.endswith("+json"):
        raise WrongMediaType
    value = read_storable(read_bytes(request))
    if not isinstance(value, dict):
        raise UnreadableJson("a JSON object is needed")
    return value
