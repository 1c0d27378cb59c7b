"""A host of its own: ``unshare --net python -m tests.chaos.host <PostgreSQL's socket> <Redis' socket> <command …>``.

Runs the command in a network namespace whose one link leads to the servers: they are reached over TCP within it, and
from there through Unix sockets, which the file system shares. SIGUSR1 takes the link down, so that no packet passes and
no end is told; SIGUSR2 takes it up again. SIGTERM goes to the command.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from types import FrameType
from urllib.parse import urlsplit

from tests.chaos.relay import Relay, unix

# From linux/sockios.h and linux/if.h.
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1


def set_link(up: bool) -> None:
    """Take the loopback link of this network namespace up or down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sH14x", b"lo", 0)
        [flags] = struct.unpack_from("H", fcntl.ioctl(handle, _GET_FLAGS, request), 16)
        flags = flags | _UP if up else flags & ~_UP
        fcntl.ioctl(handle, _SET_FLAGS, struct.pack("16sH14x", b"lo", flags))


def main() -> None:
    postgres, redis, *command = sys.argv[1:]
    set_link(True)
    ports = {}
    for name, path in (("postgres", postgres), ("redis", redis)):
        listener = socket.create_server(("127.0.0.1", 0))
        ports[name] = listener.getsockname()[1]
        Relay(listener, lambda path=path: unix(path))  # type: ignore[misc]
    login = urlsplit(os.environ["CELERY_BROKER_URL"]).netloc.rpartition("@")[0]
    role = urlsplit(os.environ["DATABASE_URL"]).netloc.rpartition("@")[0]
    database = urlsplit(os.environ["DATABASE_URL"]).path
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgresql://{role}@127.0.0.1:{ports['postgres']}{database}",
        "CELERY_BROKER_URL": f"redis://{login}@127.0.0.1:{ports['redis']}/0",
    }
    process = subprocess.Popen((sys.executable, *command), env=environment)

    def obey(signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGTERM:
            process.terminate()
        else:
            set_link(signum == signal.SIGUSR2)

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
