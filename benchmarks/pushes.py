"""When messages reached Redis, by Redis' own clock: its MONITOR stream, kept raw and read afterwards."""

from __future__ import annotations

import re
import socket
import threading
from types import TracebackType
from urllib.parse import unquote, urlsplit

from scheduler import messages

_PUSH = re.compile(rb'^\+(?P<at>[0-9.]+) \[[^\]]*\] "LPUSH" "(?P<key>(?:[^"\\]|\\.)*)" (?P<pushed>.*)$')
_TEXT = re.compile(rb'"((?:[^"\\]|\\.)*)"')


class Pushes:
    """Watches a Redis while the block lasts; ``published`` says afterwards when each execution was published."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._socket = socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379))
        if parts.password:
            self._socket.sendall(b"AUTH %s\r\n" % unquote(parts.password).encode())
            self._expect_ok()
        self._chunks: list[bytes] = []
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Pushes:
        self._socket.sendall(b"MONITOR\r\n")
        self._expect_ok()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _expect_ok(self) -> None:
        answer = self._socket.recv(5)
        if answer != b"+OK\r\n":
            raise RuntimeError(f"Redis said {answer!r}")

    def _read(self) -> None:
        while chunk := self._socket.recv(1 << 20):
            self._chunks.append(chunk)

    def published(self) -> dict[int, float]:
        """Return execution id -> seconds since 1970 of its first message, after the block."""
        seen: dict[int, float] = {}
        for line in b"".join(self._chunks).split(b"\r\n"):
            push = _PUSH.match(line)
            if push is None:
                continue
            at = float(push["at"])
            for text in _TEXT.finditer(push["pushed"]):
                for execution_id in messages.decode_ids(text[1].replace(b'\\"', b'"').replace(b"\\\\", b"\\")):
                    seen.setdefault(execution_id, at)
        return seen
