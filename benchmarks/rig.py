"""A rig for a benchmark: PostgreSQL and Redis of its own, and real beats and workers on them, gone at the end.

The servers are those that the local stack would start, with the same settings: every commit reaches the disk.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psutil
from redis import Redis as Client

from jobsite.embedded.child import before_exec
from jobsite.embedded.postgres import ROLE, Postgres
from jobsite.embedded.redis import Redis
from jobsite.embedded.service import Service

ROOT = Path(__file__).resolve().parent.parent
STOCK_DATABASE = "stock"


class Rig:
    """Servers under a temporary directory (TMPDIR says where); ``with`` starts and ends them."""

    def __init__(self, *, extra_apps: str = "benchmarks.noop") -> None:
        self.root = Path(tempfile.mkdtemp(prefix="jobsite-bench-"))
        # PostgreSQL runs as another user where we are root; its own directories stay closed.
        self.root.chmod(0o711)
        self._postgres = Postgres(self.root)
        self._redis = Redis(self.root)
        self._servers: list[tuple[Service, subprocess.Popen[bytes]]] = []
        self._processes: list[Process] = []
        self._environment = {
            "DATA_DIR": str(self.root / "data"),
            "EXTRA_APPS": extra_apps,
            "DJANGO_SETTINGS_MODULE": "jobsite.settings",
            # A line per run would be most of what is measured; the default of production is no different in kind.
            "LOG_LEVEL": os.environ.get("LOG_LEVEL", "warning"),
        }

    def __enter__(self) -> Rig:
        try:
            for service in (self._postgres.service(), self._redis.service()):
                self._servers.append((service, service.start(self.root / f"{service.name}.log")))
            self._postgres.ensure_database()
        except BaseException:
            self._close()
            raise
        self._environment |= {"DATABASE_URL": self._postgres.url(), "CELERY_BROKER_URL": self._redis.url()}
        os.environ.update(self._environment)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        while self._processes:
            self._processes.pop().kill()
        while self._servers:
            service, process = self._servers.pop()
            service.stop(process)
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def server_cpu_seconds(self) -> tuple[float, float]:
        """Processor time of PostgreSQL and of Redis so far, of what they have reaped too."""
        return cpu_seconds(self._servers[0][1].pid), cpu_seconds(self._servers[1][1].pid)

    def set_up(self) -> None:
        """Make the tables, and Django ready in this process."""
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0, skip_checks=True)

    def stock_database(self) -> str:
        """Make another database with the tables of the same applications; return its address."""
        import psycopg

        with psycopg.connect(self._postgres.url("postgres", role="postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {STOCK_DATABASE} OWNER {ROLE}")
        address = self._postgres.url(STOCK_DATABASE)
        self.run("manage.py", "migrate", "--verbosity", "0", "--skip-checks", DATABASE_URL=address)
        with psycopg.connect(address, autocommit=True) as connection:
            # What this project adds to the tables of django-celery-beat must not slow the stock scheduler.
            connection.execute("DROP TRIGGER scheduler_entry_edited ON django_celery_beat_periodictask")
            connection.execute("DROP INDEX scheduler_stock_entries")
            for table in ("periodictask", "clockedschedule"):
                connection.execute(f"ALTER TABLE django_celery_beat_{table} RESET (fillfactor)")
        return address

    def redis_address(self, database: int = 0) -> str:
        """The address of one of Redis' databases."""
        return self._redis.url(database)

    def redis(self, database: int = 0) -> Client:
        """A client of Redis."""
        return Client.from_url(self._redis.url(database))

    def run(self, *command: str, **environment: str) -> str:
        """Run ``python <command>`` to its end and return what it printed."""
        finished = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env={**os.environ, **environment},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return finished.stdout

    def start(self, name: str, *command: str, **environment: str) -> Process:
        """Start ``python <command>``, with its output in a file."""
        process = Process(name, command, log=self.root / f"{name}.log", environment=environment)
        self._processes.append(process)
        return process

    def beat(self, name: str = "beat", *options: str, **environment: str) -> Process:
        """Start a beat; ``options`` follow ``celery beat``."""
        return self.start(
            name,
            *("-m", "celery", "-A", "jobsite", "beat", "--pidfile", ""),
            # Where the stock scheduler would keep a file.
            *options,
            **environment,
        )

    def worker(
        self,
        name: str = "worker",
        *,
        queue: str = "services",
        pool: str = "threads",
        slots: int = 8,
        app: str = "jobsite",
        connected: bool = True,
        **environment: str,
    ) -> Process:
        """Start a worker; return once it waits for messages, or at once where it is not to be waited for."""
        process = self.start(
            name,
            *("-m", "celery", "-A", app, "worker", "-Q", queue, "-P", pool, "-c", str(slots), "-n", f"{name}@%h"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "info"),
            **{"LOG_LEVEL": "warning", **environment},
        )
        if connected:
            process.wait_until_connected(self.redis(), queue)
        return process


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, of its living children and of those it has reaped."""
    process = psutil.Process(pid)
    total = float(sum(process.cpu_times()[:4]))
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            total += float(sum(child.cpu_times()[:2]))
    return total


def _peak_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


class Process:
    """A started Python process in a group of its own."""

    def __init__(self, name: str, command: tuple[str, ...], *, log: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.log = log
        self.started = time.time()
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=before_exec(dies_by=signal.SIGKILL),
            )
        self._seen = psutil.Process(self._popen.pid)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def megabytes(self) -> float:
        """Resident memory, of its children too."""
        processes = [self._seen, *self._seen.children(recursive=True)]
        return float(sum(process.memory_info().rss for process in processes) / 1e6)

    @property
    def peak_megabytes(self) -> float:
        """The most resident memory that it and its present children have ever taken, each at its own worst moment."""
        processes = [self._seen, *self._seen.children(recursive=True)]
        return sum(_peak_bytes(process.pid) for process in processes) / 1e6

    @property
    def cpu_seconds(self) -> float:
        """Processor time so far, of its children too."""
        return cpu_seconds(self.pid)

    def check(self) -> None:
        """Raise RuntimeError with the end of its output where it has ended."""
        if self._popen.poll() is not None:
            said = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.name} ended with {self._popen.returncode}:\n{said}")

    def wait_until_connected(self, client: Client, queue: str, *, deadline: float = 30) -> None:
        """Wait until a worker waits on its queue in Redis."""
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            self.check()
            if any(item["cmd"].startswith("brpop") for item in client.client_list() if item["flags"] == "b"):
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not wait on {queue} after {deadline} s")

    def stop(self, *, deadline: float = 15) -> None:
        """Ask it to end in order (SIGTERM); kill it after ``deadline`` seconds."""
        with suppress(ProcessLookupError):
            self._popen.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout=deadline)
        self.kill()

    def kill(self) -> None:
        """End it and its whole group with SIGKILL."""
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
