"""Request bodies: read up to a limit, of the types a resource takes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.request import Request

from zementis import json_values
from zementis.errors import TooLarge

KILOBYTE = 1024
MEGABYTE = 1024 * KILOBYTE
JSON_TYPES = ("application/json",)


def read(request: Request, *, limit: int) -> bytes:
    """Return the body, whether its length was declared or it comes in chunks.

    Raises ``TooLarge`` before reading more than ``limit`` bytes, and ``ParseError`` where the client stopped sending or
    its chunks cannot be told apart.
    """
    if in_chunks(request):
        return _read_chunks(request, limit=limit)
    if declared_length(request) > limit:
        raise too_large(limit)
    try:
        data = request._request.read(limit + 1)
    except OSError as error:
        raise unreadable() from error
    if len(data) > limit:
        raise too_large(limit)
    return data


def in_chunks(request: Request) -> bool:
    """Whether the body comes in chunks, without a length (RFC 9112, 7.1)."""
    return "chunked" in str(request._request.META.get("HTTP_TRANSFER_ENCODING", "")).lower()


def declared_length(request: Request) -> int:
    """Return the length that the client declared, in bytes; 0 where it declared none."""
    try:
        return int(request._request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _read_chunks(request: Request, *, limit: int) -> bytes:
    """Read past Django, which takes a body without a length for an empty one."""
    environ = request._request.META
    if not environ.get("wsgi.input_terminated"):
        # Nobody would tell us where the body ends, and we would wait for it until the client hangs up.
        raise ParseError("This server takes no request body in chunks; send it with a Content-Length.")
    try:
        data: bytes = environ["wsgi.input"].read(limit + 1)
    except Exception as error:  # Every server has classes of its own for chunks that make no sense.
        raise unreadable() from error
    if len(data) > limit:
        raise too_large(limit)
    return data


def json(request: Request, *, limit: int = MEGABYTE, types: Sequence[str] = JSON_TYPES) -> Any:
    """Return the body's JSON. Raises ``UnsupportedMediaType``, ``TooLarge``, ``ParseError``."""
    kind = media_type(request)
    if not kind and not in_chunks(request) and declared_length(request) == 0:
        raise ParseError("The request has no body.")
    require_type(kind, types)
    data = read(request, limit=limit)
    try:
        return json_values.read(data)
    except json_values.UnreadableJson as error:
        raise ParseError(f"The request body is not valid JSON: {error}.") from error


def media_type(request: Request) -> str:
    """Return the body's type without its parameters, in lower case; empty where the client named none."""
    return (request._request.META.get("CONTENT_TYPE") or "").split(";")[0].strip().lower()


def require_type(kind: str, types: Sequence[str], *, also: Collection[str] = ()) -> None:
    """Raise ``UnsupportedMediaType`` unless ``kind`` is one of ``types``, which the refusal names, or of ``also``.

    ``application/*+json`` among the types stands for every type of that kind.
    """
    taken = (*types, *also)
    if kind not in taken and not _vendor_json(kind, taken):
        raise UnsupportedMediaType(kind or "none", detail=_unsupported(kind, types))


def unreadable() -> ParseError:
    """The refusal of a body that breaks off, or that comes in chunks that make no sense."""
    return ParseError("The request body could not be read.")


def too_large(limit: int) -> TooLarge:
    """The refusal of a body beyond ``limit`` bytes."""
    size = f"{limit // MEGABYTE} MB" if limit >= MEGABYTE else f"{limit // KILOBYTE} KB"
    return TooLarge(f"The request body is larger than {size}.")


def _vendor_json(kind: str, types: Sequence[str]) -> bool:
    return any(item.endswith("*+json") and kind.startswith(item[:-6]) and kind.endswith("+json") for item in types)


def _unsupported(kind: str, types: Sequence[str]) -> str:
    named = f"Content type '{kind[:100]}' is not supported" if kind else "The request names no content type"
    return f"{named}; send {' or '.join(types)}."
