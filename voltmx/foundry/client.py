"""Sending one call: bounded in time and size, never off the server's host, endable from outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import requests
from django.conf import settings
from urllib3.exceptions import DecodeError, HTTPError, ProtocolError, ReadTimeoutError

from scheduler import transport
from voltmx.addresses import RULES, RefusedAddress
from voltmx.foundry.calls import Call
from voltmx.foundry.errors import CallFailed, TimedOut, TooLarge, Unreachable
from voltmx.registry import Server

_MAX_REDIRECTS = 3
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_PIECE = 65536


class Run(Protocol):
    """What a call must know of the run it is made for."""

    @property
    def seconds_left(self) -> float: ...

    def check(self) -> None: ...

    def on_cancel(self, action: Callable[[], None]) -> None: ...


@dataclass(frozen=True)
class Answer:
    """What a server said. ``body`` is decoded of its transfer coding, ``milliseconds`` run until its last byte."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    milliseconds: int


class Client:
    """Sends the calls of one run to one server."""

    def __init__(self, server: Server, run: Run) -> None:
        self._server = server
        self._run = run
        self._line = transport.Line()
        run.on_cancel(self._line.cut)

    def send(self, call: Call) -> Answer:
        """Return the server's answer, whatever its status. Raises ``CallFailed``, and what ``Run.check`` raises.

        Redirects are followed on the same scheme, host and port alone; the answer of any other is returned as it is.
        """
        for _ in range(_MAX_REDIRECTS + 1):
            answer = self._send_once(call)
            target = urljoin(call.url, answer.headers.get("Location", ""))
            if answer.status not in _REDIRECTS or not answer.headers.get("Location"):
                return answer
            if _origin(target) != _origin(call.url):
                raise CallFailed(f"the server redirects to another host, {urlsplit(target).netloc or 'unnamed'}")
            call = _redirected(call, target, answer.status)
        raise CallFailed(f"the server redirects more than {_MAX_REDIRECTS} times")

    def _send_once(self, call: Call) -> Answer:
        self._run.check()
        left = self._run.seconds_left
        if left <= 0:
            raise TimedOut("no time is left for the call")
        started = time.monotonic()
        transport.use_line(self._line)
        try:
            with transport.session(RULES).request(
                call.method,
                call.url,
                headers=dict(call.headers),
                data=call.body,
                timeout=(min(self._server.connect_timeout, left), min(self._server.read_timeout, left)),
                allow_redirects=False,
                stream=True,
                verify=True,
            ) as response:
                body = self._read(response, started + left)
                milliseconds = round((time.monotonic() - started) * 1000)
                return Answer(response.status_code, dict(response.headers), body, milliseconds)
        except (requests.RequestException, HTTPError, OSError, RefusedAddress, ValueError) as error:
            # A line that was cut breaks in many ways; what counts is that the run is to stop.
            self._run.check()
            raise _failure(error, self._server) from error
        finally:
            transport.use_line(None)

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        limit = settings.VOLTMX_RESPONSE_LIMIT_BYTES
        length = response.headers.get("Content-Length", "")
        if length.isdigit() and int(length) > limit:
            raise TooLarge(f"the answer has {length} bytes, more than the limit of {limit}")
        pieces, size = [], 0
        for piece in response.raw.stream(_PIECE, decode_content=True):
            size += len(piece)
            if size > limit:
                raise TooLarge(f"the answer has more than the limit of {limit} bytes")
            if time.monotonic() > deadline:
                raise TimedOut("the answer took longer than the run may")
            self._run.check()
            pieces.append(piece)
        return b"".join(pieces)


def _redirected(call: Call, target: str, status: int) -> Call:
    if status in (307, 308) or call.method in ("GET", "HEAD"):
        return Call(method=call.method, url=target, headers=call.headers, body=call.body)
    headers = {name: value for name, value in call.headers.items() if name.lower() != "content-type"}
    return Call(method="GET", url=target, headers=headers)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", None, None


def _failure(error: Exception, server: Server) -> CallFailed:
    """Return what went wrong in the words of people, and whether trying again may help."""
    host = urlsplit(server.url).netloc
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < 10:
        causes.append(cause)
        inner = cause.args[0] if cause.args and isinstance(cause.args[0], BaseException) else None
        cause = getattr(cause, "reason", None) if isinstance(getattr(cause, "reason", None), BaseException) else inner
    if isinstance(error, CallFailed):
        return error
    for refused in causes:
        if isinstance(refused, RefusedAddress):
            return CallFailed(f"the server {host} may not be called: {refused}")
    match error:
        case requests.exceptions.SSLError():
            return CallFailed(f"the certificate or TLS of {host} is not accepted: {_innermost(causes)}")
        case requests.exceptions.ConnectTimeout():
            return TimedOut(f"the connection to {host} timed out")
        case requests.exceptions.ReadTimeout() | ReadTimeoutError() | TimeoutError():
            return TimedOut(f"{host} did not answer in time")
        case requests.exceptions.ConnectionError() | ProtocolError():
            if any(isinstance(item, ReadTimeoutError) for item in causes):
                return TimedOut(f"{host} did not answer in time")
            return Unreachable(f"no connection to {host}: {_innermost(causes)}")
        case requests.exceptions.ContentDecodingError() | DecodeError():
            return CallFailed(f"the answer of {host} cannot be decoded")
        case OSError() if not isinstance(error, requests.RequestException):
            return Unreachable(f"no connection to {host}: {error}")
        case _:
            return CallFailed(f"the answer of {host} cannot be read: {type(error).__name__}")


def _innermost(causes: list[BaseException]) -> str:
    """Return the plainest cause: the operating system's where there is one."""
    for cause in reversed(causes):
        current: BaseException | None = cause
        while current is not None:
            if isinstance(current, OSError) and current.strerror and not isinstance(current, requests.RequestException):
                return current.strerror
            current = current.__cause__ or current.__context__
    return type(causes[-1]).__name__
