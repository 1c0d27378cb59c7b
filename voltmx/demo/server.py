"""The miniature Foundry as a server of its own, with all its faults, for tests."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from voltmx.demo.foundry import Foundry, Reply, Request


class FoundryServer:
    """Serves a ``Foundry`` on a port of 127.0.0.1 from threads; a context manager."""

    def __init__(self, foundry: Foundry, *, tls: Any = None) -> None:
        self.foundry = foundry
        self._http = _Server(("127.0.0.1", 0), _handler(foundry))
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        scheme = "https" if tls is not None else "http"
        self.url = f"{scheme}://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> FoundryServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.foundry.held.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    @property
    def connections(self) -> int:
        """How many connections were opened so far."""
        return self._http.connections


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # The library's own resets the sixth client that comes before it has accepted the first.
    request_queue_size = 128
    connections = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are what some tests are about."""


def _handler(foundry: Foundry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            request = Request(
                method=self.command,
                path=parts.path,
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
            )
            with suppress(ConnectionError):
                self._send(foundry.answer(request))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - names that http.server looks for

        def _send(self, reply: Reply) -> None:
            if reply.reset:
                # Closing with unsent data dropped makes the kernel send RST instead of FIN.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.pieces is None:
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
                return
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in reply.pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the tests look at ``Foundry.seen``."""

    return Handler
