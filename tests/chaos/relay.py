"""Passes connections on from one socket to another place, byte for byte."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


class Relay(threading.Thread):
    """Accepts connections on ``listener`` and joins each with one that ``connect`` makes, until it is closed."""

    def __init__(self, listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
        super().__init__(daemon=True, name="relay")
        self._listener, self._connect = listener, connect
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = self._connect()
                except OSError:
                    # The server is away: so is the connection.
                    near.close()
                    continue
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=ends, daemon=True).start()

    def close(self) -> None:
        # Wakes the thread that accepts.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        # Ends the other direction's thread too; a second close does nothing.
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


def unix(path: str) -> socket.socket:
    """Return a connection to a Unix socket."""
    made = socket.socket(socket.AF_UNIX)
    made.connect(path)
    return made
