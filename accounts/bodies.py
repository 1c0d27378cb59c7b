"""Request bodies, read the same at every door: within a limit, in time, however they come.

A body may come with its length or in chunks, plain or packed (gzip, deflate); what counts is how large it is unpacked.
Each surface tells what is raised here in its own form.
"""

from __future__ import annotations

import zlib
from typing import Any

from django.conf import settings
from django.http import HttpRequest

CODINGS = ("gzip", "deflate")
# So many packed files may be one body, one behind the other.
MOST_GZIPS = 16
_GZIP, _ZLIB, _RAW = 31, 15, -15


class BodyRefused(Exception):
    """A request's body cannot be had."""


class BodyTooLarge(BodyRefused):
    """It has more bytes, as sent or unpacked, than ``limit``."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} bytes")
        self.limit = limit


class BodyBroken(BodyRefused):
    """It ends before its announced length, or its chunks or its packing make no sense."""


class BodyLate(BodyRefused):
    """It did not come within the setting UPLOAD_SECONDS."""


class BodyEndless(BodyRefused):
    """It comes in chunks through a server that does not tell where they end."""


class UnknownCoding(BodyRefused):
    """It is packed in a way that nobody here unpacks."""


def read(request: HttpRequest, *, limit: int) -> bytes:
    """Return the body, unpacked. Raises ``BodyRefused``; never reads or unpacks more than ``limit`` bytes and one.

    The setting UPLOAD_LIMIT_BYTES holds whatever the limit is.
    """
    limit = min(limit, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    coding = coding_of(request)
    data = _sent(request, limit=limit)
    return _unpacked(data, coding, limit=limit) if coding and data else data


def media_type(request: HttpRequest) -> str:
    """Return the body's media type in lower case, without parameters; empty where the request names none."""
    return str(request.META.get("CONTENT_TYPE") or "").split(";")[0].strip().lower()


def coding_of(request: HttpRequest) -> str:
    """Return how the body is packed, empty where it is not. Raises ``UnknownCoding``."""
    coding = request.headers.get("Content-Encoding", "").strip().lower().removeprefix("x-")
    if coding in ("", "identity"):
        return ""
    if coding not in CODINGS:
        raise UnknownCoding
    return coding


def in_chunks(request: HttpRequest) -> bool:
    """Whether the body comes in chunks, without a length (RFC 9112, 7.1)."""
    return "chunked" in request.headers.get("Transfer-Encoding", "").lower()


def declared_length(request: HttpRequest) -> int:
    """Return the length that the client declared, in bytes; 0 where it declared none."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def failure(error: BaseException) -> BodyRefused:
    """Return what an error that reading raised means. Every server has classes of its own for chunks without sense."""
    late = isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError)
    return BodyLate() if late else BodyBroken()


def _sent(request: HttpRequest, *, limit: int) -> bytes:
    length = declared_length(request)
    if length > limit:
        raise BodyTooLarge(limit)
    stream: Any = request
    if in_chunks(request):
        if not request.META.get("wsgi.input_terminated"):
            # Nobody would tell us where the body ends, and we would wait for it until the client hangs up.
            raise BodyEndless
        # Past Django, which takes a body without a length for an empty one.
        stream = request.META["wsgi.input"]
    try:
        data: bytes = stream.read(limit + 1)
    except Exception as error:
        raise failure(error) from error
    if len(data) > limit:
        raise BodyTooLarge(limit)
    if len(data) < length:
        raise BodyBroken
    return data


def _unpacked(data: bytes, coding: str, *, limit: int) -> bytes:
    try:
        if coding == "gzip":
            return _inflated(data, _GZIP, limit=limit)
        # What the name says is the zlib format; what some clients send under it is the bare stream (RFC 9110, 8.4.1.2).
        is_zlib = data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0
        return _inflated(data, _ZLIB if is_zlib else _RAW, limit=limit)
    except zlib.error as error:
        raise BodyBroken from error


def _inflated(data: bytes, window: int, *, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while data:
        # A gzip file may be several in a row. What is left is copied for each, so that many empty ones cost much.
        if len(parts) == MOST_GZIPS:
            raise BodyBroken
        stream = zlib.decompressobj(window)
        part = stream.decompress(data, limit + 1 - size)
        size += len(part)
        if size > limit:
            raise BodyTooLarge(limit)
        if not stream.eof or (stream.unused_data and window != _GZIP):
            raise BodyBroken
        parts.append(part)
        data = stream.unused_data
    return b"".join(parts)
