"""A worker on a host of its own, whose line to PostgreSQL or to Redis can be cut: no byte passes, and no end is told.

Where the machine gives network namespaces, to root or to any user, the host is one, and a link of it goes down. Where
it does not, the line goes through a process' proxy that falls silent; the worker sees no difference but one: it can
still connect, and is answered nothing.
"""

import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from tests.chaos.fleet import NAMESPACE, why_no_namespaces
from tests.chaos.relay import Relay, unix
from tests.live.cable import cable
from tests.processes import LiveProcess, Processes, database_url

LINES = {"postgres": "DATABASE_URL", "redis": "CELERY_BROKER_URL"}


@dataclass(frozen=True)
class Host:
    """A worker, and how to cut and mend its line to one of the servers."""

    worker: LiveProcess
    cut: Callable[[], None]
    mend: Callable[[], None]


def to_postgresql(config: Any = None) -> socket.socket:
    """A connection to the server of the test's database, or that of other settings, wherever it listens."""
    config = config or connection.settings_dict
    host = config["HOST"] or config.get("OPTIONS", {}).get("host", "")
    port = int(config["PORT"] or 5432)
    return unix(f"{host}/.s.PGSQL.{port}") if host.startswith("/") else socket.create_connection((host, port))


def to_redis() -> socket.socket:
    """A connection to the tests' Redis."""
    address = urlsplit(settings.CELERY_BROKER_URL)
    return socket.create_connection((address.hostname, address.port or 6379))


@contextmanager
def worker_behind(line: str, processes: Processes, *, queues: str, **environment: str) -> Iterator[Host]:
    """A worker of two threads whose ``line`` ("postgres" or "redis") can be cut."""
    with ExitStack() as stack:
        make = _behind_cable if why_no_namespaces() else _in_namespace
        yield make(stack, line, processes, queues, environment)


@contextmanager
def worker_behind_proxy(processes: Processes, *, queues: str, **environment: str) -> Iterator[Host]:
    """A worker of this host whose line to PostgreSQL can fall silent: what it sends is taken, and never answered."""
    with ExitStack() as stack:
        yield _behind_cable(stack, "postgres", processes, queues, environment)


def _in_namespace(stack: ExitStack, line: str, processes: Processes, queues: str, environment: dict[str, Any]) -> Host:
    # Short: the path of a Unix socket has 107 bytes at most.
    root = Path(tempfile.mkdtemp(prefix="jobsite-host-"))
    stack.callback(shutil.rmtree, root, ignore_errors=True)
    paths = []
    for name, connect in (("postgres", to_postgresql), ("redis", to_redis)):
        listener = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
        listener.bind(str(root / name))
        listener.listen(64)
        stack.callback(Relay(listener, connect).close)
        paths.append(str(root / name))
    within = (*NAMESPACE, sys.executable, "-m", "tests.chaos.host", line, *paths)
    environment = {"CELERY_BROKER_URL": settings.CELERY_BROKER_URL, **environment}
    worker = processes.worker(queues=queues, concurrency=2, within=within, **environment)
    return Host(worker, lambda: worker.send(signal.SIGUSR1), lambda: worker.send(signal.SIGUSR2))


def _behind_cable(stack: ExitStack, line: str, processes: Processes, queues: str, environment: dict[str, Any]) -> Host:
    through = stack.enter_context(cable(to_postgresql if line == "postgres" else to_redis))
    address = urlsplit(database_url() if line == "postgres" else settings.CELERY_BROKER_URL)
    login, at, _ = address.netloc.rpartition("@")
    changed = address._replace(netloc=f"{login}{at}127.0.0.1:{through.port}", query="").geturl()
    worker = processes.worker(queues=queues, concurrency=2, **{LINES[line]: changed, **environment})
    return Host(worker, through.unplug, through.plug_in)
