"""A host of its own: ``unshare --net python -m tests.chaos.host <both|postgres|redis> <socket> <socket> <command …>``.

Runs the command in a network namespace in which a link of its own leads to each of the two servers, PostgreSQL and
Redis: they are reached over TCP within it, and from there through Unix sockets, which the file system shares. SIGUSR1
takes the links down that the first word names, so that no packet passes and no end is told; SIGUSR2 takes them up
again. SIGTERM goes to the command.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass
from types import FrameType
from urllib.parse import urlsplit

from tests.chaos.relay import Relay, unix

# From linux/sockios.h and linux/if.h.
_GET_FLAGS, _SET_FLAGS, _SET_ADDRESS, _SET_MASK, _UP = 0x8913, 0x8914, 0x8916, 0x891C, 0x1
LOOPBACK = "lo"


@dataclass(frozen=True)
class Link:
    """A link of this network namespace with an address of its own, at which a server is reached."""

    name: str
    address: str
    variable: str


LINKS = {
    "postgres": Link(f"{LOOPBACK}:1", "10.99.0.1", "DATABASE_URL"),
    "redis": Link(f"{LOOPBACK}:2", "10.99.0.2", "CELERY_BROKER_URL"),
}


def _ask(code: int, name: str, value: bytes = b"") -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        return fcntl.ioctl(handle, code, struct.pack("16s24s", name.encode(), value))


def set_link(up: bool, *, name: str = LOOPBACK) -> None:
    """Take a link of this network namespace up or down. One that has an address loses it."""
    [flags] = struct.unpack_from("H", _ask(_GET_FLAGS, name), 16)
    _ask(_SET_FLAGS, name, struct.pack("H", flags | _UP if up else flags & ~_UP))


def set_address(link: Link) -> None:
    """Take a link up with its address."""
    for code, address in ((_SET_ADDRESS, link.address), (_SET_MASK, "255.255.255.255")):
        _ask(code, link.name, struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton(address)))


def main() -> None:
    cut, *paths = sys.argv[1:4]
    command = sys.argv[4:]
    to_cut = [LINKS[cut]] if cut in LINKS else list(LINKS.values())
    environment = dict(os.environ)
    set_link(True)
    for link, path in zip(LINKS.values(), paths, strict=True):
        set_address(link)
        listener = socket.create_server((link.address, 0))
        Relay(listener, lambda path=path: unix(path))  # type: ignore[misc]
        server = urlsplit(os.environ[link.variable])
        login, at, _ = server.netloc.rpartition("@")
        here = server._replace(netloc=f"{login}{at}{link.address}:{listener.getsockname()[1]}", query="")
        environment[link.variable] = here.geturl()
    process = subprocess.Popen((sys.executable, *command), env=environment)

    def obey(signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGTERM:
            process.terminate()
            return
        for link in to_cut:
            if signum == signal.SIGUSR2:
                set_address(link)
            else:
                # Down already where it is asked twice.
                with contextlib.suppress(OSError):
                    set_link(False, name=link.name)

    for signum in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM):
        signal.signal(signum, obey)
    ended = threading.Event()

    def watch() -> None:
        process.wait()
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    # In slices: a signal's handler runs between them.
    while not ended.wait(0.1):
        pass
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
