"""Files that hold jobs: read whole and within bounds, written whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from scheduler.cli.documents import MAX_BYTES
from scheduler.cli.problems import Problem, Refused


def read(name: str) -> bytes:
    """Return what a file holds (``-``: standard input), at most one byte more than is taken. Raises ``Refused``."""
    try:
        if name == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(name).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Refused(Problem(0, f"{name} cannot be read: {error.strerror}")) from None


def write(name: str, pieces: Iterable[str], *, private: bool) -> None:
    """Put a file in the place of what was there, once all of it is written. Raises ``Refused``.

    ``private``: nobody but its owner may read it; else as the process' umask says.
    """
    path = Path(name)
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise Refused(Problem(0, f"{name} cannot be written: {error.strerror}")) from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            _copy(pieces, file)
        if not private:
            mask = os.umask(0)
            os.umask(mask)
            Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except OSError as error:
        raise Refused(Problem(0, f"{name} cannot be written: {error.strerror}")) from None
    finally:
        Path(temporary).unlink(missing_ok=True)


def _copy(pieces: Iterable[str], file: TextIO) -> None:
    for piece in pieces:
        file.write(piece)
