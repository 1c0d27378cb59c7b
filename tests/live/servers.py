"""Servers of one test's own, to be frozen, killed and started again at will."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from jobsite.embedded.postgres import Postgres
from jobsite.embedded.redis import Redis
from tests.waiting import PATIENCE


def send_all(pid: int, signum: signal.Signals) -> None:
    """Send a signal to a process, then to its children: a stopped one starts no more of them."""
    os.kill(pid, signum)
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(child), signum)


class Server:
    """An embedded server under `root`, running."""

    def __init__(self, make: Postgres | Redis) -> None:
        self._make = make
        self._log = make.root / "server.log"
        self._process: subprocess.Popen[bytes]
        self.start()

    @property
    def url(self) -> str:
        return self._make.url()

    def start(self) -> None:
        """Start it on the files and the address it had."""
        self._service = self._make.service()
        self._process = self._service.start(self._log)

    def kill(self) -> None:
        """End it at once, children included, as a loss of power would."""
        if isinstance(self._make, Postgres):
            # Its children notice that their parent is gone only at their next look.
            self._process.send_signal(signal.SIGQUIT)
        else:
            self._process.kill()
        self._process.wait(PATIENCE)

    def freeze(self) -> None:
        """Stop it and its children where they are, as a pause of its machine would."""
        send_all(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        send_all(self._process.pid, signal.SIGCONT)

    def close(self) -> None:
        if self._process.poll() is None:
            self.thaw()
        self._service.stop(self._process)


@contextmanager
def _root() -> Iterator[Path]:
    root = _directory()
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _directory() -> Path:
    root = Path(tempfile.mkdtemp(prefix="jobsite-own-"))
    # PostgreSQL may run as another user; its own directories stay closed.
    root.chmod(0o711)
    return root


@contextmanager
def own_redis() -> Iterator[Server]:
    """A Redis without a file: it comes back empty."""
    with _root() as root:
        server = Server(Redis(root, durable=False))
        try:
            yield server
        finally:
            server.close()


def put_database(root: Path) -> None:
    """Put the files of a PostgreSQL under ``root`` that has the project's tables, and is not running."""
    # As it is, with its owner.
    subprocess.run(["cp", "-a", str(_database() / "postgres"), str(root)], check=True)


@cache
def _database() -> Path:
    """Where the files are that are copied; made when they are first asked for, which takes its time."""
    root = _directory()
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    postgres = Postgres(root, durable=False)
    server = Server(postgres)
    try:
        postgres.ensure_database()
        with _used(postgres):
            call_command("migrate", verbosity=0)
    finally:
        server.close()
    return root


@contextmanager
def _used(postgres: Postgres) -> Iterator[None]:
    """Let this thread use another server meanwhile."""
    kept = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict.update(NAME="jobsite", USER="jobsite", PASSWORD="", HOST=str(postgres.sockets), PORT="")
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(kept)


@contextmanager
def own_postgres() -> Iterator[Server]:
    """A PostgreSQL with the project's tables, which the test and all that it starts use meanwhile."""
    with _root() as root:
        put_database(root)
        postgres = Postgres(root, durable=True)
        server = Server(postgres)
        try:
            with _used(postgres):
                yield server
        finally:
            server.close()
            shutil.rmtree(postgres.sockets, ignore_errors=True)
