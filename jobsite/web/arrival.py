"""One request as it arrives, piece by piece: where its head and its body end (RFC 9112, 6 and 7.1).

This decides only when a request is handed to a thread. What it says is read by gunicorn's own parser afterwards; so
where this cannot tell an end, because something is wrong or too large, the request is handed over as it is.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from jobsite.web.spool import Spool

_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*([0-9]+)[ \t]*\r\n")
_CHUNKED = re.compile(rb"\r\ntransfer-encoding[ \t]*:[^\r\n]*chunked")
_EXPECTS = re.compile(rb"\r\nexpect[ \t]*:[ \t]*100-continue[ \t]*\r\n")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}[ \t]*(?:;.*)?", re.DOTALL)
# A line that tells a chunk's size, or a trailer; gunicorn allows as much.
_LONGEST_LINE = 8190


class Part(Enum):
    """What of a request is arriving."""

    HEAD = auto()
    BODY = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    TRAILERS = auto()
    NOTHING = auto()


class Arrival:
    """A request of which some bytes are here. Once ``complete`` it can be handed over, ``whole`` or not."""

    def __init__(self, *, head_limit: int, body_limit: int) -> None:
        self.spool = Spool()
        self.part = Part.HEAD
        self.whole = True
        self.head_too_large = False
        self.expects_continue = False
        self._head_limit = head_limit
        self._body_limit = body_limit
        self._head = bytearray()
        self._line = bytearray()
        self._left = 0
        self._body = 0

    @property
    def begun(self) -> bool:
        """Whether anything has arrived."""
        return len(self.spool) > 0

    @property
    def in_head(self) -> bool:
        """Whether the head is not complete yet."""
        return self.part is Part.HEAD

    @property
    def complete(self) -> bool:
        """Whether it can be handed over."""
        return self.part is Part.NOTHING

    def add(self, data: bytes) -> None:
        """Take what arrived next."""
        self.spool.append(data)
        if self.part is Part.HEAD:
            data = self._read_head(data)
        at = 0
        while at < len(data) and self.part is not Part.NOTHING:
            at = self._read_body(data, at)

    def _give_up(self) -> None:
        self.part, self.whole = Part.NOTHING, False

    def _read_head(self, data: bytes) -> bytes:
        """Return what of ``data`` lies behind the head."""
        searched = max(0, len(self._head) - 3)
        self._head += data
        end = self._head.find(b"\r\n\r\n", searched)
        if end > self._head_limit or (end < 0 and len(self._head) > self._head_limit):
            self.head_too_large = True
            self._give_up()
            return b""
        if end < 0:
            return b""
        rest = bytes(self._head[end + 4 :])
        head = bytes(self._head[: end + 2]).lower()
        self._head.clear()
        length = _LENGTH.search(head)
        if _CHUNKED.search(head):
            self.part = Part.CHUNK_SIZE
        elif length and _number(length[1]) > self._body_limit:
            # It is refused for what its head says: nobody need wait for it.
            self._give_up()
        elif length and _number(length[1]):
            self.part, self._left = Part.BODY, _number(length[1])
        else:
            self.part = Part.NOTHING
        self.expects_continue = self.part is not Part.NOTHING and not rest and bool(_EXPECTS.search(head))
        return rest

    def _read_body(self, data: bytes, at: int) -> int:
        """Read on in ``data`` from ``at``; return up to where."""
        if self.part in (Part.BODY, Part.CHUNK):
            step = min(self._left, len(data) - at)
            self._left -= step
            if self._left == 0:
                self.part = Part.NOTHING if self.part is Part.BODY else Part.CHUNK_SIZE
        else:
            step = self._read_line(data, at)
        self._body += step
        if self._body > 2 * self._body_limit:
            # Chunks cost something too: those of one byte each six times what they hold.
            self._give_up()
        return at + step

    def _read_line(self, data: bytes, at: int) -> int:
        feed = data.find(b"\n", at)
        end = len(data) if feed < 0 else feed
        self._line += data[at:end]
        if len(self._line) > _LONGEST_LINE:
            self._give_up()
        elif feed >= 0:
            line = bytes(self._line).removesuffix(b"\r")
            self._line.clear()
            if self.part is Part.TRAILERS:
                self.part = Part.TRAILERS if line else Part.NOTHING
            elif not _CHUNK_SIZE.fullmatch(line):
                self._give_up()
            else:
                size = int(line.partition(b";")[0].strip(), 16)
                # With the end of the line behind it.
                self.part, self._left = (Part.CHUNK, size + 2) if size else (Part.TRAILERS, 0)
        return end - at + (feed >= 0)


def _number(digits: bytes) -> int:
    """Return what ``digits`` say, or 10**18 for more than that: there may be thousands, most of them zeros in front."""
    significant = digits.lstrip(b"0")
    return int(significant or b"0") if len(significant) <= 18 else 10**18
