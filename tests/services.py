"""Gives the tests their PostgreSQL and Redis before Django reads its settings.

Loaded with `-p tests.services` (see pyproject.toml). Servers named by DATABASE_URL and CELERY_BROKER_URL are used as
they are; for whichever is not named an embedded one is started on files of its own and is gone with them at the end.
The environment is told where they are, so that processes started by tests find them too.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from jobsite.embedded.postgres import ROLE, Postgres
from jobsite.embedded.redis import Redis
from jobsite.embedded.service import Service

_running: list[tuple[Service, "subprocess.Popen[bytes]"]] = []
_root: list[Path] = []


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None, None, None]:
    """A wrapper, hence before pytest-django, which reads the settings in the same hook."""
    _start()
    yield


def pytest_unconfigure() -> None:
    """Stop what was started and leave no file of it."""
    while _running:
        service, process = _running.pop()
        service.stop(process)
    while _root:
        shutil.rmtree(_root.pop(), ignore_errors=True)


def _start() -> None:
    root = Path(tempfile.mkdtemp(prefix="jobsite-tests-"))
    _root.append(root)
    # No secret or address of a stack that runs in this checkout may leak into the tests.
    os.environ["DATA_DIR"] = str(root / "data")
    # The kind of job that tests run in real workers.
    os.environ["EXTRA_APPS"] = "tests.probe"
    servers = root / "servers"
    servers.mkdir()
    # Embedded PostgreSQL may run as another user; its own directories stay closed.
    root.chmod(0o711)
    servers.chmod(0o711)
    if not os.environ.get("DATABASE_URL"):
        postgres = Postgres(servers, durable=False)
        _keep(postgres.service(), root)
        postgres.ensure_database()
        _allow_quick_emptying(postgres)
        os.environ["DATABASE_URL"] = postgres.url()
    if not os.environ.get("CELERY_BROKER_URL"):
        redis = Redis(servers, durable=False)
        _keep(redis.service(), root)
        os.environ["CELERY_BROKER_URL"] = redis.url()
    os.environ["CELERY_BROKER_URL"] = _own_broker(os.environ["CELERY_BROKER_URL"])


def _allow_quick_emptying(postgres: Postgres) -> None:
    """Let the tests' role do what ``tests.emptying`` does; that of a server of the user's own may or may not."""
    with psycopg.connect(postgres.url("postgres", role="postgres"), autocommit=True) as server:
        server.execute(sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}").format(sql.Identifier(ROLE)))


def _own_broker(url: str) -> str:
    """The broker of this process: where tests run side by side, each process empties a Redis database of its own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        return url
    return urlsplit(url)._replace(path=f"/{1 + int(worker.removeprefix('gw'))}").geturl()


def _keep(service: Service, root: Path) -> None:
    _running.append((service, service.start(root / f"{service.name}.log")))
