"""A request's end is found in whatever pieces it comes."""

from __future__ import annotations

import random

import pytest

from jobsite.web.arrival import Arrival, Part
from jobsite.web.spool import IN_MEMORY, Spool

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
IN_CHUNKS = b"POST / HTTP/1.1\r\ntransfer-ENCODING: chunked\r\n\r\n"
CHUNKED = IN_CHUNKS + b"5;a=b\r\nhello\r\n1\r\n\n\r\n0\r\n"
ZEROS = POST.replace(b"5", b"0" * 30 + b"5")
COMPLETE = (GET, POST, ZEROS, CHUNKED + b"\r\n", CHUNKED + b"Trailer: 1\r\n\r\n")


def arrival(*pieces: bytes, head_limit: int = 200, body_limit: int = 50) -> Arrival:
    found = Arrival(head_limit=head_limit, body_limit=body_limit)
    for piece in pieces:
        found.add(piece)
    return found


def in_bytes(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("request_", COMPLETE)
@pytest.mark.parametrize("behind", [b"", GET])
def test_a_request_is_complete_with_its_last_byte(request_: bytes, behind: bytes) -> None:
    assert not arrival(request_[:-1]).complete
    assert not arrival(*in_bytes(request_[:-1])).complete
    for pieces in ([request_ + behind], [*in_bytes(request_), behind]):
        found = arrival(*pieces)
        assert (found.complete, found.whole, found.spool.take(1000)) == (True, True, request_ + behind)


@pytest.mark.parametrize(
    ("sent", "part"),
    [(b"", Part.HEAD), (GET[:-2], Part.HEAD), (POST[:-5], Part.BODY), (CHUNKED[:50], Part.CHUNK_SIZE),
     (CHUNKED[:60], Part.CHUNK), (CHUNKED, Part.TRAILERS)],
)  # fmt: skip
def test_what_is_missing_is_known(sent: bytes, part: Part) -> None:
    assert arrival(sent).part is part
    assert arrival(*in_bytes(sent)).part is part


@pytest.mark.parametrize(
    ("sent", "head_too_large"),
    [
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 300, True),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 300 + b"\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 51\r\n\r\n", False),
        (
            IN_CHUNKS + b"3a\r\n" + b"x" * 58 + b"\r\n2b\r\n" + b"x" * 45,
            False,
        ),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 60 + b"\r\n\r\n", False),
        (IN_CHUNKS + b"zz\r\n", False),
        (IN_CHUNKS + b"1" * 9000, False),
    ],
    ids=["head", "whole head", "length", "chunks", "digits", "no size", "long size"],
)
def test_what_is_too_large_or_without_sense_is_not_waited_for(sent: bytes, head_too_large: bool) -> None:
    for found in (arrival(sent), arrival(*in_bytes(sent), body_limit=50)):
        assert (found.complete, found.whole, found.head_too_large) == (True, False, head_too_large)


@pytest.mark.parametrize(
    ("sent", "expects"),
    [(POST[:-5], False), (POST[:-5].replace(b"\r\n\r\n", b"\r\nExpect: 100-Continue\r\n\r\n"), True),
     (POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"), False),
     (GET.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"), False)],
)  # fmt: skip
def test_who_waits_to_be_told_to_go_on_is_known(sent: bytes, expects: bool) -> None:
    assert arrival(sent).expects_continue is expects


@pytest.mark.parametrize("size", [10_000, IN_MEMORY * 3])
def test_a_spool_gives_back_what_it_was_given(size: int) -> None:
    chance = random.Random(7)
    data = chance.randbytes(size)
    spool, given, taken = Spool(), 0, b""
    while len(taken) < size:
        step = chance.randrange(1, size // 5)
        spool.append(data[given : given + step])
        given = min(given + step, size)
        taken += spool.take(chance.randrange(1, size // 5))
        assert len(spool) == given - len(taken)
    assert (taken == data, len(spool), spool.take(5)) == (True, 0, b"")
