"""Clients that send or read a byte at a time hold no thread of the web server, and are cut off in the end."""

from __future__ import annotations

import http.client
import json
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any
from urllib.parse import urlsplit

import pytest
import requests
from django.contrib.auth.models import User

from tests.processes import Processes
from tests.zementis.conftest import basic

pytestmark = pytest.mark.live
USER, PASSWORD = "agent", "agent secret"
LOGIN, JOBS, MODEL = "/authService/accounts/login", "/admin/api/jobs/job", "/service/zementis/onnx/model"
OBJECTS = "/inventory/managedObjects"
LARGE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
# Many more of each sort than the server of the tests has threads.
EACH = 25
PATIENCE = 60


class Peer:
    """A connection on which nothing is sent or read but what a test says."""

    def __init__(self, address: str, sent: bytes, *, source: str = "127.0.0.1") -> None:
        place = urlsplit(address)
        server = (str(place.hostname), int(place.port or 0))
        self.socket = socket.create_connection(server, timeout=PATIENCE, source_address=(source, 0))
        self.socket.sendall(sent)

    def answer(self) -> tuple[int, bytes]:
        """Status and body, once the server has answered and closed; (0, b"") where it closed without a word."""
        with self.socket:
            first = self.socket.recv(1, socket.MSG_PEEK)
            if not first:
                return 0, b""
            found = http.client.HTTPResponse(self.socket)
            found.begin()
            body = found.read()
            assert self.socket.recv(1) == b""
            return found.status, body


def head(path: str, *fields: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *fields, "", ""]).encode()


@pytest.fixture
def user(transactional_db: None) -> User:
    return User.objects.create_superuser(USER, password=PASSWORD)


def log_in(address: str) -> int:
    fields = {"userid": USER, "password": PASSWORD}
    return requests.post(address + LOGIN, data=fields, timeout=PATIENCE).status_code


@pytest.mark.usefixtures("user")
def test_slow_clients_do_not_keep_others_waiting(processes: Processes) -> None:
    patient = {"HEAD_SECONDS": "600", "UPLOAD_SECONDS": "600", "DOWNLOAD_SECONDS": "600"}
    _server, address = processes.web(**patient)
    login = basic(USER, PASSWORD)
    peers = [
        *(Peer(address, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ") for _ in range(EACH)),
        *(Peer(address, head(LOGIN, "Content-Length: 1000") + b"userid=") for _ in range(EACH)),
        *(Peer(address, head(MODEL, f"Authorization: {login}", "Transfer-Encoding: chunked") + b"400\r\n<PM")
          for _ in range(EACH)),
    ]  # fmt: skip
    # Ten megabytes each, of which nothing is read.
    readers = [Peer(address, head(LARGE, method="GET") * 8) for _ in range(8)]
    for _ in range(3):
        assert log_in(address) == 200
        for peer in peers:
            peer.socket.sendall(b"x")
    answered, _, _ = select.select([peer.socket for peer in peers], [], [], 0)
    assert answered == []
    # Who reads at last gets all of it.
    with readers[0].socket.makefile("rb") as stream:
        sizes = [_next_size(stream) for _ in range(8)]
    assert (len(set(sizes)), sizes[0] > 1_000_000) == (1, True)
    for peer in (*peers, *readers):
        peer.socket.close()
    assert log_in(address) == 200


def _next_size(stream: IO[bytes]) -> int:
    """Read one answer of several in a row; return the bytes of its body."""
    assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
    fields = http.client.parse_headers(stream)
    return len(stream.read(int(fields["Content-Length"])))


@pytest.fixture
def hasty(processes: Processes, user: User) -> Iterator[str]:
    yield processes.web(
        HEAD_SECONDS="1", UPLOAD_SECONDS="1", UPLOADS_LIMIT_BYTES=str(1 << 20), HEADERS_LIMIT_BYTES="8192"
    )[1]


def test_whoever_is_too_slow_or_sends_too_much_is_cut_off(hasty: str) -> None:
    login = f"Authorization: {basic(USER, PASSWORD)}"
    form = "Content-Type: multipart/form-data; boundary=b"
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.onnx"\r\n\r\nx'
    length, chunked = "Content-Length: 1000", "Transfer-Encoding: chunked"
    # All at once, so that the test waits for the server's second only once.
    peers = {
        "no byte": Peer(hasty, b""),
        "half a head": Peer(hasty, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: x"),
        "a login": Peer(hasty, head(LOGIN, length) + b"userid="),
        "a login as JSON": Peer(hasty, head(LOGIN, length, "Content-Type: application/json") + b"{"),
        "a model": Peer(hasty, head(MODEL, login, length, "Content-Type: application/octet-stream") + b"x"),
        "a model in chunks": Peer(hasty, head(MODEL, login, chunked) + b"400\r\nx"),
        "a model in a form": Peer(hasty, head(MODEL, login, length, form) + part),
        "an object": Peer(hasty, head(OBJECTS, login, length, "Content-Type: application/json") + b"{"),
        "without a login": Peer(hasty, head(JOBS, length) + b"{"),
        "an unknown coding": Peer(hasty, head(JOBS, "Transfer-Encoding: rot13")),
        "a method that is none": Peer(hasty, head(OBJECTS, method="G@T")),
        "a great head": Peer(hasty, b"GET / HTTP/1.1\r\nX-Great: " + b"x" * 40_000),
    }
    late = {"errors": ["The request body did not come in time."]}
    found = {name: peer.answer() for name, peer in peers.items()}
    assert (found["no byte"], found["half a head"]) == ((0, b""), (408, b"408 Request Timeout\n"))
    assert found["a great head"] == (431, b"431 Request Header Fields Too Large\n")
    told = {name: (status, _told(body)) for name, (status, body) in list(found.items())[2:-1]}
    assert told == {
        "a login": (408, "The body did not come in time"),
        "a login as JSON": (408, "The body did not come in time"),
        "a model": (408, late),
        "a model in chunks": (408, late),
        "a model in a form": (408, late),
        "an object": (408, "The request body did not come in time."),
        "without a login": (401, "A valid X-VoltMX-Authorization token is needed"),
        "an unknown coding": (400, "The request is not HTTP as this server reads it"),
        "a method that is none": (400, "The request is not HTTP as this server reads it."),
    }
    # One body more than there is room for.
    many = [Peer(hasty, head(LOGIN, "Content-Length: 900000") + b"x" * 600_000) for _ in range(2)]
    assert sorted(peer.answer()[0] for peer in many) in ([408, 503], [413, 503])
    # Heads within what the server reads are the surface's to refuse.
    answer = requests.get(hasty + JOBS, headers={"X-Great": "x" * 9000}, timeout=PATIENCE)
    assert (answer.status_code, answer.json()["message"]) == (
        431,
        "The request's header fields have more than 8192 bytes",
    )
    assert _continued(hasty) == (b"HTTP/1.1 100 Continue", 200)


def _told(body: bytes) -> Any:
    value = json.loads(body)
    return value.get("message", value)


def _continued(address: str) -> tuple[bytes, int]:
    """What a client is told that asks whether to go on, and the status once it went on."""
    body = f"userid={USER}&password={PASSWORD.replace(' ', '+')}".encode()
    fields = ("Content-Type: application/x-www-form-urlencoded", "Connection: close", "Expect: 100-continue")
    peer = Peer(address, head(LOGIN, f"Content-Length: {len(body)}", *fields))
    told = peer.socket.recv(25)
    peer.socket.sendall(body)
    return told[:21], peer.answer()[0]


def body_of(name: str = USER) -> bytes:
    return f"userid={name}&password={PASSWORD.replace(' ', '+')}".encode()


@pytest.mark.usefixtures("user")
def test_one_address_takes_neither_all_connections_nor_all_room_from_the_others(processes: Processes) -> None:
    patient = {"HEAD_SECONDS": "600", "UPLOAD_SECONDS": "600", "DOWNLOAD_SECONDS": "600"}
    limits = {"WEB_CONNECTIONS": "40", "UPLOADS_LIMIT_BYTES": str(1 << 20)}
    _server, address = processes.web(**patient, **limits)
    form = ("Content-Type: application/x-www-form-urlencoded", "Connection: close", f"Content-Length: {len(body_of())}")
    # Somebody is sending a login when another address takes whatever it can, with bodies that do not end.
    innocent = Peer(address, head(LOGIN, *form) + body_of()[:5], source="127.0.0.3")
    greedy = [Peer(address, head(LOGIN, "Content-Length: 1000") + b"userid=", source="127.0.0.2") for _ in range(60)]
    assert [log_in(address) for _ in range(3)] == [200] * 3
    innocent.socket.sendall(body_of()[5:])
    assert innocent.answer()[0] == 200
    # The oldest of the greedy one's gave way: 60 and some others do not go into 40.
    with suppress(ConnectionResetError):
        assert greedy[0].socket.recv(1) == b""
    for peer in greedy:
        peer.socket.close()
    # And so with the room for what arrives.
    full = [Peer(address, head(LOGIN, "Content-Length: 900000") + b"x" * 450_000, source="127.0.0.2") for _ in range(2)]
    large = head(OBJECTS, "Connection: close", "Content-Length: 300000") + b"{" * 299_999
    other = Peer(address, large, source="127.0.0.3")
    answered, _, _ = select.select([peer.socket for peer in full], [], [], PATIENCE)
    assert [peer.answer()[0] for peer in full if peer.socket in answered] == [503]
    other.socket.sendall(b"}")
    assert other.answer()[0] == 401
    for peer in full:
        peer.socket.close()
