"""What the operator sees, and what goes to the log files.

Every line of a child goes to `log/<child>.log`. The terminal shows what the stack itself does and, of the children,
what calls for attention: warnings and errors with the lines that belong to them.
"""

import contextlib
import re
import sys
from pathlib import Path

# What lines look like that begin something: our text and JSON (jobsite.logs), PostgreSQL's, gunicorn's.
_BEGINNINGS = (
    re.compile(r"^\d\d:\d\d:\d\d (debug|info|warning|error|critical) "),
    re.compile(r"^\{\"at\".*?\"level\": \"(\w+)\""),
    re.compile(r"^[\d-]+ [\d:.]+ \w+ +(LOG|HINT|DETAIL|ERROR|FATAL|PANIC|WARNING|STATEMENT):"),
    re.compile(r"^\[[^]]*\] \[\d+\] \[(\w+)\]"),
)
_LOUD = {"warning", "error", "critical", "PANIC"}
# How a traceback that no logger wrote goes on without indentation.
_TRACEBACK = ("Traceback ", "During handling ", "The above exception ")
_FULL_AT_BYTES = 10 * 1024 * 1024


def say(line: str) -> None:
    """Print one line of the stack's own. A terminal that has gone away is no reason to end."""
    try:
        print(line, flush=True)
    except OSError:
        sys.stdout = None


class ChildLog:
    """Where one child's output goes. The file is begun anew when it is full; one older file is kept."""

    def __init__(self, path: Path, *, name: str, everything: bool = False) -> None:
        self._path = path
        self._name = name
        self._everything = everything
        self._loud = False
        self._bare = False
        self._rest = b""
        self._file = path.open("ab", buffering=0)
        self.last = ""

    def write(self, chunk: bytes) -> None:
        """Take output as it comes, in pieces of any size."""
        # A full disk must not stop us from reading: the child would block on its pipe.
        with contextlib.suppress(OSError):
            if self._file.tell() > _FULL_AT_BYTES:
                self._path.replace(self._path.with_suffix(".log.1"))
                self._file.close()
                self._file = self._path.open("ab", buffering=0)
            self._file.write(chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        # A child that never ends its line must not fill our memory.
        self._rest = self._rest[-65536:]
        for line in lines:
            self._show(line.decode(errors="replace").rstrip())

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _show(self, line: str) -> None:
        if line:
            self.last = line
        begins = next((found for each in _BEGINNINGS if (found := each.match(line))), None)
        if begins:
            self._loud, self._bare = begins[1] in _LOUD, False
        elif line.startswith(_TRACEBACK) and not self._loud:
            self._loud = self._bare = True
        if self._everything or self._loud:
            say(f"{self._name:<9} | {line}")
        if self._bare and line and not line[0].isspace() and not line.startswith(_TRACEBACK):
            # The exception itself: its traceback ends here.
            self._loud = self._bare = False
