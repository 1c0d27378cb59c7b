"""Requests as bytes, so that nothing is put right on the way, and the answers to them."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

Headers = tuple[tuple[str, str], ...]

# Beyond this the server may answer, and close, before it has read all of a body.
_LONG_BODY = 32 * 1024


@dataclass(frozen=True)
class Sent:
    """A request. Text is sent as Latin-1, so that any byte may be in it.

    ``odd``: no server has to hand it to an application. ``cut``: the client stops sending before its body ends.
    """

    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""
    odd: bool = False
    cut: bool = False
    label: str = ""

    def head(self, name: str) -> str | None:
        """Return a header's value, the first of several."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def with_headers(self, *more: tuple[str, str]) -> Sent:
        """Return it with headers added."""
        return replace(self, headers=(*self.headers, *more))

    def told(self) -> str:
        """Return it for people, shortened."""
        head = ", ".join(f"{name}: {value[:80]!r}" for name, value in self.headers if name != "Authorization")
        return f"{self.method} {self.target[:300]!r} [{head}] {self.body[:600]!r}{' (cut)' if self.cut else ''}"


@dataclass(frozen=True)
class Answer:
    """An answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


class NoAnswer(Exception):
    """The server said nothing, or broke off."""


@dataclass
class Wire:
    """One connection to a server at a time, kept as long as the server keeps it."""

    host: str
    port: int
    patience: float = 30.0
    _connection: socket.socket | None = field(default=None, init=False)

    def send(self, sent: Sent) -> Answer | None:
        """Return the answer; None where it got lost because the server closed while a long body was on its way.

        Raises ``NoAnswer``.
        """
        data = self._bytes(sent)
        began = time.monotonic()
        fresh = self._connection is None
        try:
            return self._exchange(sent, data, began)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not fresh and not isinstance(error, TimeoutError):
                # A connection that was kept may have been closed meanwhile.
                return self._again(sent, data)
            self._lost(sent, error, began)
            return None

    def _again(self, sent: Sent, data: bytes) -> Answer | None:
        began = time.monotonic()
        try:
            return self._exchange(sent, data, began)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            self._lost(sent, error, began)
            return None

    def _lost(self, sent: Sent, error: Exception, began: float) -> None:
        if isinstance(error, ConnectionError) and len(sent.body) > _LONG_BODY:
            return
        raise NoAnswer(f"{type(error).__name__}: {error} after {time.monotonic() - began:.1f} s") from error

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, sent: Sent, data: bytes, began: float) -> Answer:
        if self._connection is None:
            self._connection = socket.create_connection((self.host, self.port), timeout=self.patience)
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A server that answers before it has read all may close: its answer is there to be read nevertheless.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._connection.sendall(data)
            if sent.cut:
                self._connection.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(self._connection, method=sent.method)
        try:
            response.begin()
            body = response.read()
            headers = {name.lower(): value for name, value in response.getheaders()}
            answer = Answer(response.status, headers, body, time.monotonic() - began)
            if response.will_close or sent.cut or sent.odd:
                self.close()
            return answer
        finally:
            response.close()

    def _bytes(self, sent: Sent) -> bytes:
        names = {name.lower() for name, _ in sent.headers}
        lines = [f"{sent.method} {sent.target} HTTP/1.1"]
        if "host" not in names:
            lines.append(f"Host: {self.host}:{self.port}")
        lines += [f"{name}: {value}" for name, value in sent.headers]
        if not names & {"content-length", "transfer-encoding"} and (
            sent.body or sent.method in ("POST", "PUT", "PATCH")
        ):
            lines.append(f"Content-Length: {len(sent.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + sent.body
