"""What gunicorn's parser refuses is told in the form of whose address it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections

from jobsite.web.refused import Words, answer


@pytest.fixture(autouse=True)
def _connections_stay() -> Iterator[None]:
    """A request of a server looks after the thread's connection to the database, which is the tests' here."""
    ends = (request_started, request_finished)
    for signal in ends:
        signal.disconnect(close_old_connections)
    yield
    for signal in ends:
        signal.connect(close_old_connections)


def told(line: bytes, status: int = 400) -> tuple[int, str, Any]:
    """Status, content type and body of the answer; JSON read."""
    head, _, body = answer(get_wsgi_application(), line, status=status, address="203.0.113.9").partition(b"\r\n\r\n")
    if not head:
        return 0, "", b""
    first, *fields = head.decode().split("\r\n")
    found = dict(field.split(": ", 1) for field in fields)
    assert (found["Connection"], int(found["Content-Length"])) == ("close", len(body))
    assert "Content-Security-Policy" in found
    kind = found["Content-Type"].partition(";")[0]
    return int(first.split()[1]), kind, json.loads(body) if kind == "application/json" else body


@pytest.mark.parametrize(
    ("line", "status", "member"),
    [
        (b"G@T /admin/api/jobs/job HTTP/1.1", 400, "message"),
        (b"POST /authService/accounts/login?x HTTP/1.1", 501, "message"),
        (b"GET /service/zementis/jobs HTTP/1.1", 414, "errors"),
        (b"GET http://host/inventory/managedObjects HTTP/1.1", 431, "message"),
        (b"GET /api/schedule/preview HTTP/1.1", 417, "errors"),
        (b"GET /%61dmin/api/jobs/job HTTP/9", 400, "message"),
    ],
)
def test_a_refusal_below_a_surface_has_its_form(line: bytes, status: int, member: str) -> None:
    found, kind, body = told(line, status)
    assert (found, kind, member in body) == (400 if status in (417, 501) else status, "application/json", True)


@pytest.mark.parametrize(
    "line", [b"", b"\xff\x00 \xff", b"GET", b"GET  HTTP/1.1", b"GET http://[ HTTP/1.1", b"* * *", b"PRI * HTTP/2.0"]
)
def test_a_line_that_names_no_path_is_refused_with_a_page(line: bytes) -> None:
    status, kind, body = told(line)
    assert (status, kind) == (400, "text/html") and b"not HTTP as this server reads it" in body


def test_what_cannot_be_told_so_is_left_to_gunicorn() -> None:
    assert told(b"GET /healthz HTTP/1.1") == (0, "", b"")
    assert told(b"GET /admin/ HTTP/1.1", 500) == (0, "", b"")
    words = Words()
    words.sendall(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert (words.status, Words().status) == (431, 0)
