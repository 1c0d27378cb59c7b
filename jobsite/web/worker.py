"""gunicorn's worker with threads, where threads get whole requests only, and leave their answers to be taken.

In gunicorn's own, a client that sends its head or its body a byte at a time, or takes its answer so, holds a thread for
as long as it likes; sixteen such clients stop a server of sixteen threads. Here the one loop of the worker reads all
requests, without blocking, and sends what clients do not take at once; threads do nothing but work. A client that is
too slow for the settings HEAD_SECONDS, UPLOAD_SECONDS and DOWNLOAD_SECONDS is cut off.
"""

from __future__ import annotations

import errno
import selectors
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from django.conf import settings
from gunicorn import http
from gunicorn.workers.gthread import ThreadWorker

from accounts.request_limits import FORM_BYTES
from jobsite.web import refused, shares
from jobsite.web.arrival import Arrival
from jobsite.web.connection import Arrived, Connection

_PIECE = 1 << 16
# Pieces of one connection at a time, so that a fast upload leaves the loop to others.
_PIECES = 4
_LINGER_SECONDS = 2.0


class Worker(ThreadWorker):  # type: ignore[misc]
    """``--worker-class jobsite.web.worker.Worker``"""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.cfg.is_ssl:
            raise RuntimeError("TLS ends at a proxy in front of this server, see docs/configuration.md")
        # By deadline, the first to pass first: the seconds of each are the same.
        self._heads: OrderedDict[Connection, None] = OrderedDict()
        self._bodies: OrderedDict[Connection, None] = OrderedDict()
        self._answers: OrderedDict[Connection, None] = OrderedDict()
        self._lingering: OrderedDict[Connection, None] = OrderedDict()
        self._held = 0
        self._held_by: Counter[str] = Counter()

    # -- Requests ----------------------------------------------------------------------------------------------------

    def accept(self, listener: Any) -> None:
        """Take a client in; where all places are taken, another gives way."""
        try:
            connected, client = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            self._make_room()
        self.enqueue_req(Connection(self, connected, client, listener.getsockname()))

    def _make_room(self) -> None:
        """Drop one connection: of the address that has too many, whatever it is about; else the oldest with a head."""
        waiting = (self._heads, self._bodies, self._answers)
        source = shares.greedy((conn for each in waiting for conn in each), limit=self.worker_connections)
        of_source = (conn for each in waiting for conn in each if conn.source == source)
        oldest = next(of_source if source else iter(self._heads), None)
        if oldest is not None:
            self._drop(oldest)

    def enqueue_req(self, conn: Connection) -> None:
        """Wait for the connection's next request; gunicorn calls this where something of it may be here."""
        conn.arrival = Arrival(
            head_limit=2 * settings.HEADERS_LIMIT_BYTES + self.cfg.limit_request_line,
            body_limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE + FORM_BYTES,
        )
        conn.deadline = time.monotonic() + settings.HEAD_SECONDS
        self._heads[conn] = None
        conn.sock.setblocking(False)
        if conn.parser is not None:
            # What came behind the request before.
            sent = conn.parser.unreader.take_buffered()
            if sent:
                conn.arrival.add(sent)
        self._receive(conn)
        if conn in self._heads or conn in self._bodies:
            self.poller.register(conn.sock, selectors.EVENT_READ, self._guarded(self._receive, conn))

    def _receive(self, conn: Connection) -> None:
        arrival = conn.arrival
        if arrival is None or (conn not in self._heads and conn not in self._bodies):
            return
        ended = False
        for _ in range(_PIECES):
            if arrival.complete:
                break
            try:
                data = conn.sock.recv(_PIECE)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                self._drop(conn)
                return
            if not data:
                ended = True
                break
            arrival.add(data)
        self._account(conn, len(arrival.spool))
        if arrival.head_too_large:
            self._refuse(conn, "431 Request Header Fields Too Large")
        elif arrival.complete:
            self._hand_over(conn)
        elif ended and arrival.in_head:
            self._drop(conn)
        elif ended:
            arrival.whole = False
            self._hand_over(conn)
        elif self._held > settings.UPLOADS_LIMIT_BYTES and self._refuse_one(conn) is conn:
            return
        elif not arrival.in_head and conn in self._heads:
            del self._heads[conn]
            conn.deadline = time.monotonic() + settings.UPLOAD_SECONDS
            self._bodies[conn] = None
            if arrival.expects_continue:
                with suppress(OSError):
                    conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _refuse_one(self, conn: Connection) -> Connection:
        """Refuse a request, ``conn``'s or one of whoever holds most, and return whose."""
        self.log.warning("More than %d bytes of requests wait: one is refused.", settings.UPLOADS_LIMIT_BYTES)
        arriving = [*self._heads, *self._bodies]
        found = shares.largest(arriving, than=conn, held=self._held_by)
        self._refuse(found, "503 Service Unavailable")
        return found

    def _hand_over(self, conn: Connection, *, late: bool = False) -> None:
        """Let a thread answer the request."""
        arrival = conn.arrival
        assert arrival is not None  # noqa: S101 - who calls has looked
        self._let_go(conn)
        conn.arrival = None
        if conn.parser is None:
            conn.parser = http.get_parser(self.cfg, conn.sock, conn.client)
            conn.parser.unreader = Arrived(conn.sock)
        conn.sock.line = arrival.spool.peek(self.cfg.limit_request_line).partition(b"\r\n")[0]
        conn.parser.unreader.load(arrival.spool, whole=arrival.whole and not late, late=late)
        # What ``handle`` would wait for is here.
        conn.initialized = conn.data_ready = True
        super().enqueue_req(conn)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Answer it; where not all of it is here, the connection ends with the answer."""
        req._expected_100_continue = False
        if not conn.parser.unreader.whole:
            req.force_close()
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Refuse what is no request in the form of whose address it is for."""
        words = refused.Words()
        super().handle_error(req, words, addr, exc)
        told = b""
        with suppress(Exception):
            address = str(addr[0]) if addr else ""
            told = refused.answer(self.wsgi, client.line, status=words.status, address=address)
        with suppress(OSError):
            client.sendall(told or words.written)

    # -- Answers -----------------------------------------------------------------------------------------------------

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """Send what the client has yet to take, then do what gunicorn does."""
        self._account(conn, 0)
        answered = not fs.cancelled() and fs.exception() is None
        if answered and fs.result():
            conn.parser.unreader.settle()
        if answered and conn.sock.pending:
            conn.result = fs
            conn.sock.setblocking(False)
            conn.deadline = time.monotonic() + settings.DOWNLOAD_SECONDS
            self._answers[conn] = None
            self.poller.register(conn.sock, selectors.EVENT_WRITE, self._guarded(self._push, conn))
            return
        super().finish_request(conn, fs)

    def _push(self, conn: Connection) -> None:
        if conn not in self._answers:
            return
        try:
            conn.sock.push()
        except OSError:
            self._drop(conn)
            return
        if not conn.sock.pending:
            self._let_go(conn)
            super().finish_request(conn, conn.result)

    # -- Ends --------------------------------------------------------------------------------------------------------

    def linger(self, conn: Connection) -> bool:
        """Tell the client that nothing more comes, and close when it has read that; False where it has gone."""
        try:
            conn.sock.shutdown(1)
            conn.sock.setblocking(False)
            conn.deadline = time.monotonic() + _LINGER_SECONDS
            self.poller.register(conn.sock, selectors.EVENT_READ, self._guarded(self._drain, conn))
        except (OSError, ValueError, KeyError):
            return False
        self._lingering[conn] = None
        self._drain(conn)
        return True

    def _drain(self, conn: Connection) -> None:
        if conn not in self._lingering:
            return
        with suppress(BlockingIOError, InterruptedError):
            try:
                for _ in range(_PIECES):
                    if not conn.sock.recv(_PIECE):
                        break
                else:
                    # It sends on: the others have their turn first.
                    return
            except BlockingIOError:
                raise
            except OSError:
                pass
            self._let_go(conn)
            conn.close()

    def murder_pending(self) -> None:
        """Cut off whoever is too slow; gunicorn calls this each second."""
        for conn in _over(self._heads):
            if conn.arrival is not None and conn.arrival.begun:
                self._refuse(conn, "408 Request Timeout")
            else:
                self._drop(conn)
        for conn in _over(self._bodies):
            self._hand_over(conn, late=True)
        for conn in _over(self._answers):
            self._drop(conn)
        for conn in _over(self._lingering):
            self._let_go(conn)
            conn.close()
        if not self.alive:
            for conn in [found for found in self._heads if found.arrival is not None and not found.arrival.begun]:
                self._drop(conn)

    def _refuse(self, conn: Connection, status: str) -> None:
        """Answer in the server's own words: not enough of the request is here to know whom it was for."""
        text = f"{status}\n"
        head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
        with suppress(OSError):
            conn.sock.send(f"{head}\r\n{text}".encode())
        self._let_go(conn)
        self._account(conn, 0)
        conn.arrival = None
        self.nr_conns -= 1
        conn.close(graceful=True)

    def _drop(self, conn: Connection) -> None:
        self._let_go(conn)
        self._account(conn, 0)
        conn.arrival = None
        self.nr_conns -= 1
        conn.close()

    def _let_go(self, conn: Connection) -> None:
        """Wait for nothing on this connection."""
        for waiting in (self._heads, self._bodies, self._answers, self._lingering):
            waiting.pop(conn, None)
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)

    def _account(self, conn: Connection, held: int) -> None:
        self._held += held - conn.held
        if conn.source:
            self._held_by[conn.source] += held - conn.held
            if not self._held_by[conn.source]:
                del self._held_by[conn.source]
        conn.held = held

    def _guarded(self, act: Callable[[Connection], None], conn: Connection) -> Callable[[Any], None]:
        """Return what the loop calls: an error in it must not end the loop, and with it all connections."""

        def called(_socket: Any) -> None:
            try:
                act(conn)
            except Exception:
                self.log.exception("A connection is dropped.")
                counted = conn not in self._lingering
                self._drop(conn)
                self.nr_conns += not counted

        return partial(called)


def _over(waiting: OrderedDict[Connection, None]) -> Iterator[Connection]:
    for conn in list(waiting):
        if not conn.is_over:
            return
        yield conn
