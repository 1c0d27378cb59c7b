"""What a thread writes does not wait for the client; what it reads says why it ends."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

import pytest

from jobsite.web import connection
from jobsite.web.connection import Arrived, Outgoing
from jobsite.web.spool import Spool

ANSWER = random.Random(3).randbytes(5_000_000)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    with here, there:
        yield here, there


def spool_of(data: bytes) -> Spool:
    spool = Spool()
    spool.append(data)
    return spool


def test_what_a_client_does_not_take_is_kept_and_sent_in_order(pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    outgoing = Outgoing(here)
    for at in range(0, len(ANSWER), 70_000):
        outgoing.sendall(ANSWER[at : at + 70_000])
    assert outgoing.pending > 4_000_000
    there.setblocking(False)
    taken = bytearray()
    while len(taken) < len(ANSWER):
        outgoing.push()
        taken += there.recv(1 << 20)
    assert (bytes(taken) == ANSWER, outgoing.pending) == (True, 0)


def test_a_client_that_takes_nothing_of_very_much_is_given_up(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_MOST_KEPT", 1_000_000)
    monkeypatch.setattr(connection, "_SILENCE_SECONDS", 0.01)
    with pytest.raises(TimeoutError, match="the client takes nothing of its answer"):
        Outgoing(pair[0]).sendall(ANSWER)


def test_a_client_that_has_gone_is_an_error(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].close()
    with pytest.raises(OSError, match="pipe"):
        Outgoing(pair[0]).sendall(b"x")


def test_a_request_is_read_and_what_came_behind_it_is_kept(pair: tuple[socket.socket, socket.socket]) -> None:
    arrived = Arrived(Outgoing(pair[0]))
    arrived.load(spool_of(b"one request" + b"the next"), whole=True, late=False)
    assert (arrived.read(11), arrived.whole) == (b"one request", True)
    arrived.settle()
    assert arrived.take_buffered() == b"the next"


def test_a_parser_that_wants_more_than_there_was_an_end_of_does_not_wait_for_it(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    arrived = Arrived(Outgoing(pair[0]))
    arrived.load(spool_of(b"all"), whole=True, late=False)
    pair[1].sendall(b"drip")
    assert (arrived.read(3), arrived.read(1)) == (b"all", b"")


@pytest.mark.parametrize("late", [False, True])
def test_a_request_that_is_not_whole_ends(pair: tuple[socket.socket, socket.socket], late: bool) -> None:
    arrived = Arrived(Outgoing(pair[0]))
    arrived.load(spool_of(b"some"), whole=False, late=late)
    assert (arrived.read(4), arrived.whole) == (b"some", False)
    if not late:
        assert arrived.read(1) == b""
        return
    with pytest.raises(TimeoutError, match="the client did not send its request in time"):
        arrived.read(1)
