"""A cable between a process and a server, which can be unplugged: no byte passes, and no end is told."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Cable:
    """Passes what comes to its own port on to the server that ``connect`` reaches, while it is plugged in."""

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._plugged = threading.Event()
        self._plugged.set()
        self._open: set[socket.socket] = {self._listener}
        threading.Thread(target=self._accept, daemon=True).start()

    def unplug(self) -> None:
        self._plugged.clear()

    def plug_in(self) -> None:
        self._plugged.set()

    def close(self) -> None:
        self._plugged.set()
        for end in list(self._open):
            # Wakes whoever waits on it.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._plugged.wait()
                server = self._connect()
                self._open |= {client, server}
                threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError), selectors.DefaultSelector() as selector:
            other = {client: server, server: client}
            for end in other:
                selector.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    self._plugged.wait()
                    ready = key.fileobj
                    assert isinstance(ready, socket.socket)
                    data = ready.recv(65536)
                    if not data:
                        raise ConnectionError
                    other[ready].sendall(data)
        for end in (client, server):
            end.close()
            self._open.discard(end)


@contextmanager
def cable(connect: Callable[[], socket.socket]) -> Iterator[Cable]:
    """A plugged-in cable to a server."""
    made = Cable(connect)
    try:
        yield made
    finally:
        made.close()
