"""Request bodies: of the types a resource takes, and refused in the surface's words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.request import Request

from accounts import bodies
from scheduler import strict_json
from zementis.errors import TooLarge, TooLate

KILOBYTE = 1024
MEGABYTE = 1024 * KILOBYTE
JSON_TYPES = ("application/json",)


def read(request: Request, *, limit: int) -> bytes:
    """Return the body, unpacked. Raises ``TooLarge``, ``TooLate``, ``UnsupportedMediaType``, ``ParseError``."""
    try:
        return bodies.read(request._request, limit=limit)
    except bodies.BodyRefused as error:
        raise refused(error) from error


def is_plain(request: Request) -> bool:
    """Whether the body comes with its length and as it is, so that Django can read it as well."""
    http = request._request
    return not bodies.in_chunks(http) and not http.headers.get("Content-Encoding")


def declared_length(request: Request) -> int:
    """Return the length that the client declared, in bytes; 0 where it declared none."""
    return bodies.declared_length(request._request)


def json(request: Request, *, limit: int | None = None, types: Sequence[str] = JSON_TYPES) -> Any:
    """Return the body's JSON, of at most ZEMENTIS_BODY_LIMIT_BYTES unless ``limit`` is given.

    Raises ``UnsupportedMediaType``, ``TooLarge``, ``TooLate``, ``ParseError``.
    """
    kind = media_type(request)
    if not kind and not bodies.in_chunks(request._request) and declared_length(request) == 0:
        raise ParseError("The request has no body.")
    require_type(kind, types)
    data = read(request, limit=settings.ZEMENTIS_BODY_LIMIT_BYTES if limit is None else limit)
    try:
        return strict_json.read(data)
    except strict_json.UnreadableJson as error:
        raise ParseError(f"The request body cannot be read: {error}.") from error


def media_type(request: Request) -> str:
    """Return the body's type without its parameters, in lower case; empty where the client named none."""
    return bodies.media_type(request._request)


def require_type(kind: str, types: Sequence[str], *, also: Collection[str] = ()) -> None:
    """Raise ``UnsupportedMediaType`` unless ``kind`` is one of ``types``, which the refusal names, or of ``also``.

    ``application/*+json`` among the types stands for every type of that kind.
    """
    taken = (*types, *also)
    if kind not in taken and not _vendor_json(kind, taken):
        raise UnsupportedMediaType(kind or "none", detail=_unsupported(kind, types))


def refused(error: bodies.BodyRefused) -> APIException:
    """Return the refusal of a body that could not be had."""
    match error:
        case bodies.BodyTooLarge():
            return too_large(error.limit)
        case bodies.BodyLate():
            return TooLate()
        case bodies.BodyEndless():
            return ParseError("This server takes no request body in chunks; send it with a Content-Length.")
        case bodies.UnknownCoding():
            return UnsupportedMediaType("", detail=f"The Content-Encoding is not one of {', '.join(bodies.CODINGS)}.")
        case _:
            return ParseError("The request body could not be read.")


def unreadable(error: OSError) -> APIException:
    """Return the refusal of a body that broke off or came too late while something else read it."""
    return refused(bodies.failure(error))


def too_large(limit: int) -> TooLarge:
    """The refusal of a body beyond ``limit`` bytes."""
    size = f"{limit // MEGABYTE} MB" if limit >= MEGABYTE else f"{limit // KILOBYTE} KB"
    return TooLarge(f"The request body is larger than {size}.")


def _vendor_json(kind: str, types: Sequence[str]) -> bool:
    return any(item.endswith("*+json") and kind.startswith(item[:-6]) and kind.endswith("+json") for item in types)


def _unsupported(kind: str, types: Sequence[str]) -> str:
    named = f"Content type '{kind[:100]}' is not supported" if kind else "The request names no content type"
    return f"{named}; send {' or '.join(types)}."
