"""Who has how much of a web process: of its connections, and of its room for requests that arrive.

Nobody has a fixed share. Where all is taken, whoever has most gives way first, so that one address cannot take it all
from the others; by itself it may.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

from django.conf import settings

from accounts.origin import network_of

# Beyond this part of all connections, those that send a body or take an answer give way too.
_PART = 20


class Held(Protocol):
    """A connection, as far as this is concerned."""

    @property
    def source(self) -> str:
        """Whose it is; empty where nobody knows."""

    @property
    def held(self) -> int:
        """How many bytes of its request are here."""


Some = TypeVar("Some", bound=Held)


def source_of(client: Any) -> str:
    """Return whose connection it is: an IPv4 address or an IPv6 network of 64 bits.

    Empty where that says nothing: behind a proxy all come from one address, and a socket in the file system has none.
    """
    if settings.TRUSTED_PROXIES or not isinstance(client, tuple) or not client:
        return ""
    return network_of(str(client[0]))


def greedy(connections: Iterable[Held], *, limit: int) -> str:
    """Return the source with most of the ``connections``, where it has more than its part of ``limit``; else empty."""
    counted = Counter(conn.source for conn in connections if conn.source)
    source, count = counted.most_common(1)[0] if counted else ("", 0)
    return source if count > max(1, limit // _PART) else ""


def largest(connections: Iterable[Some], *, than: Some, held: Mapping[str, int]) -> Some:
    """Return the connection that gives up its room: the largest of whoever holds most.

    That is ``than``, the one that asks for more, where it is itself of whoever holds most, or nobody can be told apart.
    """
    source = max(held, key=lambda name: held[name], default="")
    if not than.source or not source or held[source] <= held.get(than.source, 0):
        return than
    return max((conn for conn in connections if conn.source == source), key=lambda conn: conn.held, default=than)
