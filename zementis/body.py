"""Request bodies: read up to a limit, of the types a resource takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.request import Request

from zementis import json_values
from zementis.errors import TooLarge

KILOBYTE = 1024
MEGABYTE = 1024 * KILOBYTE
JSON_TYPES = ("application/json",)


def read(request: Request, *, limit: int) -> bytes:
    """Return the body. Raises ``TooLarge``, and ``ParseError`` where the client stopped sending."""
    raw = request._request
    try:
        declared = int(raw.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        declared = 0
    if declared > limit:
        raise too_large(limit)
    try:
        data = raw.read(limit + 1)
    except OSError as error:
        raise ParseError("The request body could not be read.") from error
    if len(data) > limit:
        raise too_large(limit)
    return data


def json(request: Request, *, limit: int = MEGABYTE, types: Sequence[str] = JSON_TYPES) -> Any:
    """Return the body's JSON. Raises ``UnsupportedMediaType``, ``TooLarge``, ``ParseError``."""
    kind = media_type(request)
    if not kind and request._request.META.get("CONTENT_LENGTH") in (None, "", "0"):
        raise ParseError("The request has no body.")
    if kind not in types and not _vendor_json(kind, types):
        raise UnsupportedMediaType(kind or "none", detail=_unsupported(kind, types))
    data = read(request, limit=limit)
    try:
        return json_values.read(data)
    except json_values.UnreadableJson as error:
        raise ParseError(f"The request body is not valid JSON: {error}.") from error


def media_type(request: Request) -> str:
    """Return the body's type without its parameters, in lower case; empty where the client named none."""
    return (request._request.META.get("CONTENT_TYPE") or "").split(";")[0].strip().lower()


def too_large(limit: int) -> TooLarge:
    """The refusal of a body beyond ``limit`` bytes."""
    size = f"{limit // MEGABYTE} MB" if limit >= MEGABYTE else f"{limit // KILOBYTE} KB"
    return TooLarge(f"The request body is larger than {size}.")


def _vendor_json(kind: str, types: Sequence[str]) -> bool:
    return any(item.endswith("*+json") and kind.startswith(item[:-6]) and kind.endswith("+json") for item in types)


def _unsupported(kind: str, types: Sequence[str]) -> str:
    named = f"Content type '{kind[:100]}' is not supported" if kind else "The request names no content type"
    return f"{named}; send {' or '.join(types)}."
