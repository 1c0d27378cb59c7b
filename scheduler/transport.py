"""Pooled HTTP connections that go only where they may, and that another thread can cut.

A connection resolves its host once, checks the addresses and connects to exactly those. Each thread has a session of
its own; proxies, ``.netrc`` and cookies of the environment are left out, so that a call is what the job says.
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.poolmanager import PoolManager

from scheduler.addresses import Rules

_local = threading.local()
_PIECE = 1 << 16


class Line:
    """The sockets that a call uses; ``cut`` ends them from any thread, now and for the rest of the call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.is_cut = False

    def attach(self, connected: socket.socket) -> None:
        """Note a socket that the call uses from now on; cut it at once where the line is cut already."""
        with self._lock:
            self._sockets.append(connected)
            is_cut = self.is_cut
        if is_cut:
            _shut_down(connected)

    def cut(self) -> None:
        """Shut the call's sockets down: whoever waits on them wakes with an error."""
        with self._lock:
            self.is_cut = True
            sockets = list(self._sockets)
        for connected in sockets:
            _shut_down(connected)


def session(rules: Rules) -> requests.Session:
    """Return this thread's session under ``rules``."""
    sessions: dict[Rules, requests.Session] = _local.__dict__.setdefault("sessions", {})
    found = sessions.get(rules)
    if found is None:
        found = requests.Session()
        found.trust_env = False
        found.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        found.headers.clear()
        found.headers.update({"User-Agent": "jobsite", "Accept-Encoding": "gzip, deflate"})
        for scheme in ("http://", "https://"):
            found.mount(scheme, _GuardedAdapter(rules))
        sessions[rules] = found
    return found


class AnswerTooLarge(ValueError):
    """A server's answer is larger, unpacked, than whoever asked takes."""


class AnswerTooSlow(TimeoutError):
    """A server's answer did not come within the time that whoever asked has."""


def content_of(response: requests.Response, *, limit: int, seconds: float) -> bytes:
    """Return the body of an answer that was asked for with ``stream``, unpacked piece by piece.

    Raises ``AnswerTooLarge`` beyond ``limit`` bytes, unpacked, and ``AnswerTooSlow`` after ``seconds`` in all, also
    where bytes drip in too often for any time-out of a read; else what ``requests`` raises.
    """
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(Exception):
            # Wakes whoever reads, in another thread.
            response.raw.shutdown()

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    body = bytearray()
    try:
        for piece in response.iter_content(_PIECE):
            body += piece
            if len(body) > limit:
                raise AnswerTooLarge(f"an answer of more than {limit} bytes")
    except requests.RequestException:
        if not late.is_set():
            raise
    finally:
        timer.cancel()
    if late.is_set():
        # One without a length ends like any other when it is cut.
        raise AnswerTooSlow(f"an answer that takes longer than {seconds:g} s")
    return bytes(body)


def use_line(line: Line | None) -> None:
    """Make the connections that this thread uses from now on attach themselves to ``line``."""
    _local.line = line


def _shut_down(connected: socket.socket) -> None:
    with suppress(OSError):
        # The plain socket's method: an SSL socket's own would also drop its state under a thread that reads from it.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _attach(connected: Any) -> None:
    line: Line | None = getattr(_local, "line", None)
    if line is not None and isinstance(connected, (socket.socket, ssl.SSLSocket)):
        line.attach(connected)


class _Guarded:
    """What both sorts of connections do beyond urllib3's."""

    host: str
    port: int
    timeout: Any
    sock: Any
    _dns_host: str
    rules: Rules

    def _new_conn(self) -> socket.socket:
        try:
            found = self.rules.resolve(self._dns_host, self.port)
        except OSError as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        refusal: OSError | None = None
        for address in found:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            connected = socket.socket(family, socket.SOCK_STREAM)
            try:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connected.settimeout(self.timeout if isinstance(self.timeout, (int, float)) else None)
                _attach(connected)
                connected.connect((address, self.port))
                return connected
            except TimeoutError as error:
                connected.close()
                raise ConnectTimeoutError(self, f"no connection to {self.host} in time") from error
            except OSError as error:
                connected.close()
                refusal = error
        raise NewConnectionError(self, f"no connection to {self.host}: {refusal}") from refusal  # type: ignore[arg-type]

    def request(self, *args: Any, **kwargs: Any) -> None:
        # A connection out of the pool is connected already.
        if self.sock is not None:
            _attach(self.sock)
        super().request(*args, **kwargs)  # type: ignore[misc]

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        _attach(self.sock)


class _GuardedHttp(_Guarded, HTTPConnection):
    pass


class _GuardedHttps(_Guarded, HTTPSConnection):
    pass


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, rules: Rules) -> None:
        # What the pools make are classes of urllib3's choice of arguments, so the rules are told to the class.
        http = type("Http", (_GuardedHttp,), {"rules": rules})
        https = type("Https", (_GuardedHttps,), {"rules": rules})
        self._pools = {
            "http": type("HttpPool", (HTTPConnectionPool,), {"ConnectionCls": http}),
            "https": type("HttpsPool", (HTTPSConnectionPool,), {"ConnectionCls": https}),
        }
        super().__init__(pool_connections=32, pool_maxsize=2, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools
