"""Reading a request's body: within the limit, whatever way it comes."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

from voltmx import jsontext
from voltmx.errors import BodyTooLarge, BrokenBody, WrongMediaType
from voltmx.jsontext import UnreadableJson


def media_type(request: Request) -> str:
    """Return the body's media type in lower case, without parameters; empty where the request names none."""
    return str(request.META.get("CONTENT_TYPE", "")).split(";")[0].strip().lower()


def read_bytes(request: Request) -> bytes:
    """Return the body.

    Raises ``BodyTooLarge`` above the setting VOLTMX_BODY_LIMIT_BYTES, before reading all of it, and ``BrokenBody``
    where the client stops sending or sends chunks that make no sense.
    """
    try:
        return _read(request)
    except OSError as error:
        raise BrokenBody from error


def _read(request: Request) -> bytes:
    """Django takes a body without a length for an empty one; clients that send in chunks are read here too."""
    limit: int = settings.VOLTMX_BODY_LIMIT_BYTES
    http: HttpRequest = request._request
    length = str(http.META.get("CONTENT_LENGTH") or "")
    if length.isdigit():
        if int(length) > limit:
            raise BodyTooLarge
        return http.body
    if "chunked" in http.headers.get("Transfer-Encoding", "").lower() and http.META.get("wsgi.input_terminated"):
        chunks, size = [], 0
        while chunk := _read_some(http.META["wsgi.input"]):
            size += len(chunk)
            if size > limit:
                raise BodyTooLarge
            chunks.append(chunk)
        return b"".join(chunks)
    return http.body


def _read_some(stream: Any) -> bytes:
    try:
        some: bytes = stream.read(65536)
    except Exception as error:  # Every server has classes of its own for chunks that make no sense.
        raise BrokenBody from error
    return some


def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body. Raises what ``read_bytes`` raises, ``WrongMediaType``, ``UnreadableJson``."""
    kind = media_type(request)
    if kind and kind not in ("application/json", "text/json") and not kind.endswith("+json"):
        raise WrongMediaType
    value = jsontext.loads(read_bytes(request))
    if not isinstance(value, dict):
        raise UnreadableJson("a JSON object is needed")
    return value
