"""The stack that is fuzzed: PostgreSQL, Redis, web, a beat and both workers, on files of its own."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from jobsite.embedded.postgres import Postgres
from jobsite.embedded.redis import Redis
from tests.chaos.fleet import Program, Server
from tests.fuzz.wire import NoAnswer, Sent, Wire
from tests.processes import free_port

_PAUSE = threading.Event()
# What differs from the defaults, and why: tokens outlast a run; services that hang must not hold up its end.
_ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "tests.fuzz.settings",
    "EXTRA_APPS": "tests.chaos",
    "JOBSITE_ENV": "development",
    "DEMO": "1",
    "LOG_LEVEL": "error",
    "VOLTMX_TOKEN_SECONDS": "86400",
    "VOLTMX_MIN_INTERVAL_MINUTES": "1",
    "VOLTMX_ALLOW_ADDRESSES": "loopback",
    "VOLTMX_CONNECT_TIMEOUT_SECONDS": "2",
    "VOLTMX_READ_TIMEOUT_SECONDS": "3",
    "ALERTS_ALLOW_ADDRESSES": "loopback",
    "EMAIL_TIMEOUT_SECONDS": "2",
}


class Stack:
    """All of it; ``with`` starts the servers and ends everything, ``start_programs`` starts the rest."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="jobsite-fuzz-"))
        self.root.chmod(0o711)
        self._postgres_files = Postgres(self.root, durable=False)
        self._redis_files = Redis(self.root, durable=False)
        self._postgres = Server(self._postgres_files.service, self.root / "postgres.log")
        self._redis = Server(self._redis_files.service, self.root / "redis.log")
        self.port = free_port()
        self.programs: list[Program] = []
        self.keep = False

    def __enter__(self) -> Stack:
        try:
            self._postgres.start()
            self._postgres_files.ensure_database()
            self._redis.start()
        except BaseException:
            self._close()
            raise
        os.environ.update(
            _ENVIRONMENT,
            DATABASE_URL=self._postgres_files.url(),
            CELERY_BROKER_URL=self._redis_files.url(),
            DATA_DIR=str(self.root / "data"),
            PORT=str(self.port),
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def start_programs(self, *, patience: float = 90.0) -> None:
        """Start web, beat and workers, and wait until web answers. Raises ``NoAnswer``."""
        bind = ("--bind", f"127.0.0.1:{self.port}", "--workers", "2")
        self._start("web", "gunicorn", "--config", "python:jobsite.web.config", "jobsite.wsgi", *bind)
        self._start("beat", "celery", "-A", "jobsite", "beat", "--pidfile", "")
        for queue, pool in (("services", ("threads", "8")), ("inference", ("prefork", "1"))):
            options = ("-Q", queue, "-P", pool[0], "-c", pool[1], "-n", f"{queue}@%h", "--without-gossip")
            self._start(queue, "celery", "-A", "jobsite", "worker", *options, "--without-mingle")
        deadline = time.monotonic() + patience
        while True:
            try:
                answer = Wire("127.0.0.1", self.port).send(Sent("GET", "/readyz"))
                if answer is not None and answer.status == 200:
                    return
            except NoAnswer:
                pass
            if time.monotonic() > deadline:
                raise NoAnswer(f"web is not ready: {self.root / 'web.log'}")
            _PAUSE.wait(0.2)

    def ended(self) -> list[str]:
        """Return the programs that have ended, which none should."""
        return [program.name for program in self.programs if not program.alive]

    def restarts(self) -> int:
        """Return how many of web's processes died and were replaced."""
        with suppress(OSError):
            log = (self.root / "web.log").read_text(errors="replace")
            return log.count("WORKER TIMEOUT") + log.count("was sent SIG")
        return 0

    def stop(self) -> list[str]:
        """Ask all programs to end; return those that did not in time."""
        return [program.name for program in reversed(self.programs) if not program.stop()]

    def _start(self, name: str, module: str, *options: str) -> None:
        program = Program(name, ("-m", module, *options), self.root / f"{name}.log", dict(os.environ))
        program.start()
        self.programs.append(program)

    def _close(self) -> None:
        for program in self.programs:
            program.kill()
        for server, signum in ((self._redis, signal.SIGKILL), (self._postgres, signal.SIGINT)):
            server.end(signum)
        if self.keep:
            print(f"logs and data are kept in {self.root}", flush=True)
        else:
            shutil.rmtree(self.root, ignore_errors=True)
