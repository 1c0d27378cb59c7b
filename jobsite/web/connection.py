"""A client's connection: what a thread reads from it is here already, what it writes does not wait for the client."""

from __future__ import annotations

import select
import socket
import time
from typing import Any

from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn

from jobsite.web import shares
from jobsite.web.arrival import Arrival
from jobsite.web.spool import Spool

_PIECE = 1 << 16
# Where an answer is longer than this beyond what the client has taken, its thread waits for the client after all.
_MOST_KEPT = 64 << 20
_SILENCE_SECONDS = 30.0


class Outgoing:
    """The socket as gunicorn's threads see it: ``sendall`` keeps what the client does not take at once."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._kept = Spool()
        # The first line of the request that is being answered.
        self.line = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    @property
    def pending(self) -> int:
        """How many bytes the client has yet to take."""
        return len(self._kept)

    def sendall(self, data: bytes) -> None:
        """Send or keep ``data``. Raises ``OSError`` where the client has gone, or takes nothing of very much."""
        rest = memoryview(data)
        self.push()
        if not self._kept:
            rest = rest[self._send(rest) :]
        if rest:
            self._kept.append(rest)
        while len(self._kept) > _MOST_KEPT:
            self._wait()
            self.push()

    def push(self) -> None:
        """Send as much of what is kept as the client takes now."""
        while self._kept:
            piece = self._kept.peek(_PIECE)
            sent = self._send(memoryview(piece))
            self._kept.skip(sent)
            if sent < len(piece):
                return

    def forget(self) -> None:
        """Keep nothing."""
        self._kept.clear()

    def _send(self, data: memoryview) -> int:
        try:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        if not poll.poll(_SILENCE_SECONDS * 1000):
            raise TimeoutError("the client takes nothing of its answer")


class Arrived(SocketUnreader):  # type: ignore[misc]
    """What gunicorn's parser reads from: the bytes of a request that has arrived."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._spool = Spool()
        self._whole = True
        self._late = False

    def load(self, spool: Spool, *, whole: bool, late: bool) -> None:
        """Let a request be read. One that is not ``whole`` ends in an error: ``late`` in ``TimeoutError``."""
        self._spool, self._whole, self._late = spool, whole, late

    @property
    def whole(self) -> bool:
        """Whether all of the request is here, so that the connection can serve another."""
        return self._whole

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return what is read next; empty where the client sends no more."""
        if self._spool:
            return self._spool.take(max(size_hint or 0, _PIECE))
        if self._late:
            raise TimeoutError("the client did not send its request in time")
        # Also where the parser sees no end of what has one for us: nothing is waited for here.
        return b""

    def settle(self) -> None:
        """Move what was sent behind the request to where gunicorn looks for it."""
        if self._spool:
            self.unread(self.take_buffered() + self._spool.take(len(self._spool)))

    def forget(self) -> None:
        """Keep nothing."""
        self._spool.clear()


class Connection(TConn):  # type: ignore[misc]
    """One client. ``arrival`` is the request under way, None while a thread has it."""

    def __init__(self, worker: Any, connected: socket.socket, client: Any, server: Any) -> None:
        super().__init__(worker.cfg, Outgoing(connected), client, server)
        self._worker = worker
        self.source = shares.source_of(client)
        self.arrival: Arrival | None = None
        self.held = 0
        self.deadline = 0.0
        self.result: Any = None

    @property
    def is_over(self) -> bool:
        """Whether its deadline has passed."""
        return time.monotonic() >= self.deadline

    def close(self, graceful: bool = False) -> None:
        """Close it. In grace: after the client was told that nothing more comes, without waiting for that here."""
        if graceful and self._worker.linger(self):
            return
        self.sock.forget()
        if self.parser is not None:
            self.parser.unreader.forget()
        super().close()
