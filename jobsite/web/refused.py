"""What gunicorn's parser refuses, told in the form of whose address it is.

A head that is none never becomes a request that a view could answer. So that clients need not know two forms, the
application is asked for one: by a request for the same path that carries the refusal, which a middleware gives back
inside those of the surfaces.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from django.http import HttpRequest, HttpResponse

from accounts.refusals import refusal

_MARK = "jobsite.refused"
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_SENTENCES = {
    400: "The request is not HTTP as this server reads it",
    414: "The request line is too long",
    431: "The request's head is too large, or has too many fields",
}


class RefusedMiddleware:
    """Gives a refusal back. It stands inside the surfaces' middlewares, which put it into their forms."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Clients set no such name: theirs begin with HTTP_.
        status = request.META.get(_MARK)
        return self._get_response(request) if status is None else refusal(request, status, _SENTENCES[status])


class Words:
    """Stands for the client while gunicorn writes to it."""

    def __init__(self) -> None:
        self.written = b""

    def gettimeout(self) -> float:
        """Return what a socket that does not block has."""
        return 0.0

    def sendall(self, data: bytes) -> None:
        """Keep it."""
        self.written += data

    @property
    def status(self) -> int:
        """The status of what was written; 0 where there is none."""
        found = _STATUS.match(self.written)
        return int(found[1]) if found else 0


def answer(application: Any, line: bytes, *, status: int, address: str) -> bytes:
    """Return the answer to a request with this first line; empty where gunicorn's own has to do."""
    # A transfer coding, or an expectation, that nobody knows is the client's fault, and no client of either API knows
    # other words for it: RFC 9112, 6.1, would rather have 501 for the one, RFC 9110, 10.1.1, allows 417 for the other.
    status = 400 if status in (417, 501) else status
    if status not in _SENTENCES:
        return b""
    told: list[Any] = []
    with closing(application(_environ(line, status, address), lambda *parts, **_: told.extend(parts[:2]))) as response:
        body = b"".join(response)
    if not told or not told[0].startswith(str(status)):
        # Somebody further out has answered for itself.
        return b""
    fields = [*told[1], ("Connection", "close"), ("Content-Length", str(len(body)))]
    unique = {name.lower(): (name, value) for name, value in fields if name.lower() != "set-cookie"}
    head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in unique.values())]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + (b"" if line.startswith(b"HEAD ") else body)


def _environ(line: bytes, status: int, address: str) -> dict[str, Any]:
    return {
        _MARK: status,
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": _path(line),
        "QUERY_STRING": "",
        "REMOTE_ADDR": address,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def _path(line: bytes) -> str:
    """Return the path that a request line names, as WSGI writes it; the root where it names none."""
    parts = line.split(b" ")
    target = parts[1] if len(parts) > 1 else b""
    if not target.startswith(b"/"):
        try:
            target = urlsplit(target).path
        except ValueError:
            target = b""
    return unquote_to_bytes(re.split(rb"[?#]", target)[0] or b"/").decode("latin-1")
