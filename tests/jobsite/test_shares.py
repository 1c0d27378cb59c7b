"""Who gives way where a web process is full: whoever has most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from jobsite.web.shares import greedy, largest, source_of


@dataclass(frozen=True)
class Taken:
    source: str
    held: int = 0


@pytest.mark.parametrize(
    ("client", "proxies", "source"),
    [
        (("192.0.2.7", 1), 0, "192.0.2.7"),
        (("2001:db8::1:2:3:4", 1, 0, 0), 0, "2001:db8::/64"),
        (("::ffff:192.0.2.7", 1, 0, 0), 0, "192.0.2.7"),
        (("192.0.2.7", 1), 1, ""),
        ("", 0, ""),
        (b"", 0, ""),
        ((), 0, ""),
    ],
)
def test_a_client_is_known_by_its_address_where_no_proxy_stands_in_between(
    settings: Any, client: Any, proxies: int, source: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    assert source_of(client) == source


@pytest.mark.parametrize(
    ("counts", "source"),
    [({"a": 6, "b": 5}, "a"), ({"a": 5, "b": 5}, ""), ({"": 90, "b": 6}, "b"), ({"": 90}, ""), ({}, "")],
)
def test_who_has_most_of_all_connections_and_more_than_a_twentieth_is_greedy(
    counts: dict[str, int], source: str
) -> None:
    assert greedy([Taken(name) for name, count in counts.items() for _ in range(count)], limit=100) == source


@pytest.mark.parametrize(
    ("asks", "refused"),
    [(Taken("a", 50), Taken("b", 80)), (Taken("b", 20), Taken("b", 20)), (Taken("", 1), Taken("", 1))],
)
def test_room_is_given_up_by_whoever_holds_most_of_it(asks: Taken, refused: Taken) -> None:
    arriving = [Taken("a", 50), Taken("b", 20), Taken("b", 80), asks]
    assert largest(arriving, than=asks, held={"a": 50, "b": 100}) == refused
    # What is no longer arriving cannot be refused.
    assert largest([], than=asks, held={"a": 50, "b": 100}) == asks
