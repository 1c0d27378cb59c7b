"""Channels cannot be led to an address that may not be called, whatever a name answers when."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from scheduler import guard
from scheduler.addresses import RefusedAddress
from scheduler.alerts import channels
from scheduler.alerts.channels import RULES, BadChannel

NAME = "rebinding.example"
# Of the open network; nobody is there to be called, as tests that come so far connect to 127.0.0.1 instead.
GOOD = "93.184.215.14"


class Inside:
    """A server on 127.0.0.1 that notes whether somebody connects, and answers nobody."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.reached = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            self.reached.set()
            connected.close()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def inside() -> Iterator[Inside]:
    server = Inside()
    yield server
    server.close()


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answers to questions for ``NAME``: the first is given once, the last for ever."""
    answers: list[str] = []
    usual = socket.getaddrinfo

    def answer(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        if host != NAME:
            return usual(host, port, *more, **named)
        address = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, int(port or 0)))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return answers


URLS = (
    "json://{name}:{port}/hook",
    "mailto://user:password@{name}:{port}?smtp={name}&from=a@example.org&to=b@example.org&mode=insecure",
)


@pytest.mark.parametrize("url", URLS)
def test_a_name_that_changes_its_answer_after_the_check_leads_nowhere(
    url: str, inside: Inside, resolver: list[str], settings: Any
) -> None:
    settings.ALERTS_ALLOW_ADDRESSES = []
    # Mail's URL names the host twice, which is looked at once.
    resolver[:] = [GOOD, "127.0.0.1"]
    with pytest.raises(BadChannel, match="the host may not be called: 127.0.0.1 is a loopback address"):
        channels.send(url.format(name=NAME, port=inside.port), title="t", body="b")
    assert not inside.reached.is_set()


@pytest.mark.parametrize("url", URLS)
def test_where_the_setting_allows_the_address_the_channel_reaches_it(
    url: str, inside: Inside, resolver: list[str], settings: Any
) -> None:
    settings.ALERTS_ALLOW_ADDRESSES = ["loopback"]
    resolver[:] = ["127.0.0.1"]
    with pytest.raises(BadChannel):
        channels.send(url.format(name=NAME, port=inside.port), title="t", body="b")
    assert inside.reached.wait(60)


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, ("127.0.0.1", 9)),
        (socket.AF_INET, ("localhost", 9)),
        (socket.AF_INET6, ("::1", 9)),
        (socket.AF_INET, ("169.254.169.254", 80)),
        (socket.AF_UNIX, "/nowhere"),
    ],
)
def test_sockets_of_all_sorts_are_held_to_the_rules(family: int, address: Any, settings: Any) -> None:
    settings.ALERTS_ALLOW_ADDRESSES = []
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as used, guard.held_to(RULES), pytest.raises(RefusedAddress):
            used.connect(address)
    with socket.socket(family, socket.SOCK_DGRAM) as used, guard.held_to(RULES), pytest.raises(RefusedAddress):
        used.sendto(b"x", address)


def test_only_the_thread_and_the_block_are_held_to_the_rules(inside: Inside, settings: Any) -> None:
    settings.ALERTS_ALLOW_ADDRESSES = []
    reached: list[bool] = []

    def connect() -> None:
        socket.create_connection(("127.0.0.1", inside.port)).close()
        reached.append(True)

    with guard.held_to(RULES):
        other = threading.Thread(target=connect)
        other.start()
        other.join(60)
    connect()
    assert reached == [True, True]
