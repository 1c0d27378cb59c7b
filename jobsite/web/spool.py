"""Bytes that wait for whoever takes them: a little in memory, more in a file without a name."""

from __future__ import annotations

import tempfile
from typing import IO

IN_MEMORY = 1 << 19


class Spool:
    """First in, first out. One thread at a time may use it."""

    def __init__(self) -> None:
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._taken = 0
        self._size = 0

    def __len__(self) -> int:
        """How many bytes wait."""
        return self._size - self._taken

    def append(self, data: bytes | memoryview) -> None:
        """Add bytes behind those that wait."""
        if self._file is None and self._size + len(data) > IN_MEMORY:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the spool
            self._file.write(self._memory)
            self._memory.clear()
        if self._file is None:
            self._memory += data
        else:
            self._file.seek(self._size)
            self._file.write(data)
        self._size += len(data)

    def peek(self, size: int) -> bytes:
        """Return up to ``size`` of the first bytes that wait, which go on waiting."""
        if self._file is None:
            return bytes(memoryview(self._memory)[self._taken : self._taken + size])
        self._file.seek(self._taken)
        return self._file.read(size)

    def skip(self, size: int) -> None:
        """Take away the first bytes."""
        self._taken += size
        if self._taken >= self._size:
            self.clear()

    def take(self, size: int) -> bytes:
        """Return and take away up to ``size`` of the first bytes."""
        found = self.peek(size)
        self.skip(len(found))
        return found

    def clear(self) -> None:
        """Forget all."""
        self._memory.clear()
        if self._file is not None:
            self._file.close()
            self._file = None
        self._taken = self._size = 0
