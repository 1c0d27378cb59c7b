"""A door that takes TLS and passes on what is inside it to a server that knows none."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def tls_door(server: tuple[str, int], *, certificate: Path, key: Path) -> Iterator[int]:
    """A port of 127.0.0.1 that leads to ``server``, with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    open_ends: set[socket.socket] = set()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                open_ends.add(client)
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    def serve(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, context.wrap_socket(client, server_side=True) as inside:
            open_ends.add(inside)
            with socket.create_connection(server) as behind, selectors.DefaultSelector() as selector:
                open_ends.add(behind)
                selector.register(inside, selectors.EVENT_READ, behind)
                selector.register(behind, selectors.EVENT_READ, inside)
                while True:
                    for selected, _ in selector.select():
                        data = selected.fileobj.recv(65536)  # type: ignore[union-attr]
                        if not data:
                            return
                        selected.data.sendall(data)
                        # What TLS has read ahead no selector tells of.
                        while selected.fileobj is inside and inside.pending():
                            behind.sendall(inside.recv(65536))

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.close()
        for end in list(open_ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
