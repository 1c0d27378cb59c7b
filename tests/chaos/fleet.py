"""The fleet that is hurt: PostgreSQL, Redis, beats, workers, each of which can be killed, frozen and brought back."""

from __future__ import annotations

import heapq
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import psycopg

from jobsite.embedded.child import before_exec
from jobsite.embedded.postgres import Postgres
from jobsite.embedded.redis import Redis
from jobsite.embedded.service import Service
from tests.chaos.faults import Fault, Kind
from tests.chaos.relay import Relay
from tests.live.servers import send_all

ROOT = Path(__file__).resolve().parents[2]
LEASE_SECONDS = 4
# What runs a command in a network namespace of its own; whoever is not root needs a user namespace for it.
NAMESPACE = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user", "--net")


def why_no_namespaces() -> str:
    """Return what keeps this machine from giving network namespaces; empty where it gives them."""
    if shutil.which("unshare") is None:
        return "there is no program unshare"
    check = "from tests.chaos.host import set_link; set_link(True); set_link(False)"
    tried = subprocess.run(
        (*NAMESPACE, sys.executable, "-c", check), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return tried.stderr.strip().split("\n")[-1] if tried.returncode else ""


class Program:
    """A beat or a worker: one process at a time, in a group of its own."""

    def __init__(
        self,
        name: str,
        command: tuple[str, ...],
        log: Path,
        environment: dict[str, str],
        *,
        within: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self._within = within
        self._command, self._log, self._environment = command, log, environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it where it does not run."""
        if self.alive:
            return
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                (*self._within, sys.executable, *self._command),
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=before_exec(dies_by=signal.SIGKILL),
                start_new_session=True,
            )

    def send(self, signum: signal.Signals, *, group: bool = True) -> None:
        """Send a signal to its group, or to itself alone."""
        if self._process is not None and self.alive:
            with suppress(ProcessLookupError):
                (os.killpg if group else os.kill)(self._process.pid, signum)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def _wait(self, seconds: float) -> None:
        if self._process is not None:
            self._process.wait(timeout=seconds)

    def stop(self, *, patience: float = 20.0) -> bool:
        """Ask it to end; return whether it did within ``patience`` seconds. Killed where it did not."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM, group=False)
        try:
            self._wait(patience)
        except subprocess.TimeoutExpired:
            # Celery writes the stacks of all threads into the log.
            self.send(signal.SIGUSR1, group=False)
            with suppress(subprocess.TimeoutExpired):
                self._wait(1.0)
            return False
        finally:
            self.kill()
        return True


class Server:
    """PostgreSQL or Redis."""

    def __init__(self, service: Callable[[], Service], log: Path) -> None:
        self._service, self._log = service, log
        self._running: tuple[Service, subprocess.Popen[bytes]] | None = None
        self.frozen = False

    @property
    def alive(self) -> bool:
        return self._running is not None and self._running[1].poll() is None

    def start(self) -> None:
        if not self.alive:
            service = self._service()
            self._running, self.frozen = (service, service.start(self._log)), False

    def freeze(self) -> None:
        """Stop it and its children where they are."""
        if self._running is not None and self.alive:
            self.frozen = True
            send_all(self._running[1].pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, where it stands still."""
        if self._running is not None and self.alive and self.frozen:
            send_all(self._running[1].pid, signal.SIGCONT)
        self.frozen = False

    def end(self, signum: signal.Signals) -> None:
        """End it with a signal and wait until it is gone."""
        self.thaw()
        if self._running is not None:
            process = self._running[1]
            if process.poll() is None:
                process.send_signal(signum)
            process.wait(timeout=30)


class Medic(threading.Thread):
    """Calls functions later, all in this one thread.

    What is started dies with the thread that started it (see ``before_exec``): a thread for each call would not do.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True, name="medic")
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._calls = itertools.count()

    def call(self, seconds: float, act: Callable[[], None]) -> None:
        """Call ``act`` in so many seconds."""
        with self._changed:
            heapq.heappush(self._waiting, (time.monotonic() + seconds, next(self._calls), act))
            if not self.is_alive():
                self.start()
            self._changed.notify()

    def forget(self) -> None:
        """Call nothing of what is waiting."""
        with self._changed:
            self._waiting.clear()

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def run(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                due = self._waiting[0][0] if self._waiting else time.monotonic() + 60
                if due > time.monotonic():
                    self._changed.wait(due - time.monotonic())
                    continue
                act = heapq.heappop(self._waiting)[2]
            act()


class Fleet:
    """All of it, on files of its own; ``with`` starts and ends it."""

    def __init__(self, *, beats: int, workers: int, cut: bool = False) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="jobsite-chaos-"))
        self.root.chmod(0o711)
        self._postgres_files = Postgres(self.root)
        self._redis_files = Redis(self.root)
        self.postgres = Server(self._postgres_files.service, self.root / "postgres.log")
        self.redis = Server(self._redis_files.service, self.root / "redis.log")
        self._counts = beats, workers
        self._cut = cut
        self._relay: Relay | None = None
        self.hosts: list[Program] = []
        self.beats: list[Program] = []
        self.workers: list[Program] = []
        self._medic = Medic()
        self._lock = threading.RLock()
        self.keep = False

    def __enter__(self) -> Fleet:
        try:
            self.postgres.start()
            self._postgres_files.ensure_database()
            self.redis.start()
        except BaseException:
            self._close()
            raise
        os.environ.update(
            DATABASE_URL=self._postgres_files.url(),
            CELERY_BROKER_URL=self._redis_files.url(),
            DATA_DIR=str(self.root / "data"),
            EXTRA_APPS="tests.chaos",
            DJANGO_SETTINGS_MODULE="jobsite.settings",
            SCHEDULER_LEASE_SECONDS=str(LEASE_SECONDS),
            SCHEDULER_SHUTDOWN_SECONDS="3",
            JOBSITE_ENV="development",
            LOG_LEVEL="error",
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._medic.stop()
        if self._relay is not None:
            self._relay.close()
        for program in (*self.beats, *self.workers):
            program.kill()
        for server, signum in ((self.redis, signal.SIGKILL), (self.postgres, signal.SIGINT)):
            server.end(signum)
        if self.keep:
            print(f"logs and data are kept in {self.root}", flush=True)
        else:
            shutil.rmtree(self.root, ignore_errors=True)

    def start_programs(self) -> None:
        """Start beats and workers; every other worker is of processes, the rest are of threads."""
        beats, workers = self._counts
        for number in range(1, beats + 1):
            self.beats.append(self._program(f"beat-{number}", "beat", "--pidfile", ""))
        for number in range(1, workers + 1):
            pool = ("-P", "prefork", "-c", "2") if number % 2 == 0 else ("-P", "threads", "-c", "6")
            options = ("-Q", "services", *pool, "-n", f"worker-{number}@%h", "--without-gossip", "--without-mingle")
            self.workers.append(self._program(f"worker-{number}", "worker", *options))

        if self._cut:
            self._start_host(f"worker-{workers + 1}")

    def _start_host(self, name: str) -> None:
        """Start one more worker, on a host of its own; Redis is reached from there through a Unix socket."""
        path = self.root / "redis.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(64)
        address = urlsplit(self._redis_files.url())
        self._relay = Relay(listener, lambda: socket.create_connection((address.hostname, address.port)))
        postgres = str(self._postgres_files.sockets / ".s.PGSQL.5432")
        options = ("-Q", "services", "-P", "threads", "-c", "6", "-n", f"{name}@%h", "--without-gossip")
        command = ("-m", "celery", "-A", "jobsite", "worker", *options, "--without-mingle")
        host = Program(
            name,
            ("-m", "tests.chaos.host", "both", postgres, str(path), *command),
            self.root / f"{name}.log",
            {**os.environ, "LOG_LEVEL": "info"},
            within=NAMESPACE,
        )
        host.start()
        self.workers.append(host)
        self.hosts.append(host)

    def _program(self, name: str, *options: str) -> Program:
        command = ("-m", "celery", "-A", "jobsite", *options)
        program = Program(name, command, self.root / f"{name}.log", {**os.environ, "LOG_LEVEL": "info"})
        program.start()
        return program

    def strike(self, fault: Fault) -> str | None:
        """Do what the fault says and have the victim brought back later; return whom it hit, None: nobody was there."""
        with self._lock:
            if fault.kind is Kind.CUT_HOST:
                return self._strike_program(fault, self.hosts)
            if fault.kind in (Kind.KILL_BEAT, Kind.FREEZE_BEAT, Kind.STOP_BEAT):
                return self._strike_program(fault, self.beats)
            if fault.kind in (Kind.KILL_WORKER, Kind.FREEZE_WORKER, Kind.STOP_WORKER):
                return self._strike_program(fault, self.workers)
            if fault.kind in (Kind.RESTART_POSTGRES, Kind.CRASH_POSTGRES, Kind.CUT_CONNECTIONS, Kind.FREEZE_POSTGRES):
                return self._strike_postgres(fault)
            return self._strike_redis(fault)

    def _strike_program(self, fault: Fault, programs: list[Program]) -> str | None:
        program = programs[fault.target % len(programs)]
        if not program.alive:
            return None
        if fault.kind in (Kind.FREEZE_BEAT, Kind.FREEZE_WORKER):
            program.send(signal.SIGSTOP)
            self._later(fault.away, lambda: program.send(signal.SIGCONT))
        elif fault.kind is Kind.CUT_HOST:
            program.send(signal.SIGUSR1, group=False)
            self._later(fault.away, lambda: program.send(signal.SIGUSR2, group=False))
        elif fault.kind in (Kind.KILL_BEAT, Kind.KILL_WORKER):
            program.kill()
            self._later(fault.away, program.start)
        else:
            program.send(signal.SIGTERM, group=False)
            self._later(fault.away, lambda: self._restart(program))
        return program.name

    def _restart(self, program: Program) -> None:
        """Start again what was asked to end, once it has."""
        if program.alive:
            self._later(0.2, lambda: self._restart(program))
        else:
            program.start()

    def _strike_postgres(self, fault: Fault) -> str | None:
        if not self.postgres.alive:
            return None
        if fault.kind in (Kind.CUT_CONNECTIONS, Kind.FREEZE_POSTGRES) and self.postgres.frozen:
            return None
        if fault.kind is Kind.FREEZE_POSTGRES:
            self.postgres.freeze()
            self._later(fault.away, self.postgres.thaw)
            return "postgres"
        if fault.kind is Kind.CUT_CONNECTIONS:
            with psycopg.connect(self._postgres_files.url("postgres", role="postgres"), autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                )
            return "postgres"
        self.postgres.end(signal.SIGINT if fault.kind is Kind.RESTART_POSTGRES else signal.SIGQUIT)
        self._later(fault.away, self.postgres.start)
        return "postgres"

    def _strike_redis(self, fault: Fault) -> str | None:
        if not self.redis.alive:
            return None
        if fault.kind is Kind.FLUSH_REDIS:
            from redis import Redis as Client

            with Client.from_url(self._redis_files.url()) as client:
                client.flushall()
            return "redis"
        self.redis.end(signal.SIGTERM if fault.kind is Kind.RESTART_REDIS else signal.SIGKILL)
        if fault.kind is Kind.EMPTY_REDIS:
            shutil.rmtree(self._redis_files.directory / "appendonlydir", ignore_errors=True)
        self._later(fault.away, self.redis.start)
        return "redis"

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        def locked() -> None:
            with self._lock:
                act()

        self._medic.call(seconds, locked)

    def heal(self) -> None:
        """Bring everything back at once."""
        with self._lock:
            self._medic.forget()
            self.postgres.thaw()
            self.postgres.start()
            self.redis.start()
            for program in (*self.beats, *self.workers):
                program.send(signal.SIGCONT)
            for host in self.hosts:
                host.send(signal.SIGUSR2, group=False)
        for program in (*self.beats, *self.workers):
            # One that was asked to end is on its way out, and must come back all the same.
            program.start()

    def revive(self) -> None:
        """Start programs that have ended."""
        for program in (*self.beats, *self.workers):
            program.start()
