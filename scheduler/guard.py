"""Holds libraries that make their own connections to the rules for addresses, at the moment they connect.

What a name resolved to a moment ago binds nobody: whoever owns the name may give another answer to the library's own
question. So the address itself is looked at, when a socket is about to connect to it. Python tells of that by an audit
event, whichever module of it a library uses.
"""

from __future__ import annotations

import ipaddress
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scheduler.addresses import RefusedAddress, Rules

_EVENTS = frozenset(("socket.connect", "socket.sendto", "socket.sendmsg"))
_local = threading.local()
_lock = threading.Lock()
_installed: list[bool] = []


@contextmanager
def held_to(rules: Rules) -> Iterator[None]:
    """Have every connection that this thread makes inside the block raise ``RefusedAddress`` where it may not be made.

    Refused are names too, of which nobody could tell where they lead, and sockets of this machine's own.
    """
    _install()
    before: Rules | None = getattr(_local, "rules", None)
    _local.rules = rules
    try:
        yield
    finally:
        _local.rules = before


def _install() -> None:
    # A hook stays for the life of the process; outside of a block it looks at nothing.
    with _lock:
        if not _installed:
            sys.addaudithook(_look)
            _installed.append(True)


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _EVENTS:
        return
    rules: Rules | None = getattr(_local, "rules", None)
    if rules is None:
        return
    address = arguments[1]
    if address is None:
        # Goes where the socket was connected to before.
        return
    host = address[0] if isinstance(address, tuple) and address else ""
    try:
        ipaddress.ip_address(str(host).split("%")[0])
    except ValueError:
        raise RefusedAddress(f"{str(host)[:100] or 'a local socket'} is no address of the network") from None
    rules.check(str(host))
