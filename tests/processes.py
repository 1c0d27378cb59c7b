"""Real processes for tests: workers, beats, web servers, on the test database and the tests' Redis."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.db import connection

from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent


class LiveProcess:
    """A started process in a group of its own, whose output is read as it comes."""

    def __init__(
        self, *command: str, environment: Mapping[str, str], before_exec: Callable[[], None] | None = None
    ) -> None:
        self._popen = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=before_exec,
        )
        assert self._popen.stdout is not None
        self._pipe = self._popen.stdout
        self._read = b""
        self._more = threading.Condition()
        # Read all the time: a process whose pipe is full stands still with its next line.
        self._reader = threading.Thread(target=self._read_all, daemon=True)
        self._reader.start()

    def _read_all(self) -> None:
        while chunk := os.read(self._pipe.fileno(), 65536):
            with self._more:
                self._read += chunk
                self._more.notify_all()

    @property
    def pid(self) -> int:
        """Its process id, which is its group's too."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._popen.poll()

    @property
    def output(self) -> str:
        """All it has printed so far."""
        if self.returncode is not None:
            # A child that holds the pipe open must not be waited on for ever.
            self._reader.join(timeout=0.5)
        return self._read.decode(errors="replace")

    def wait_for_line(self, pattern: str, *, deadline: float = PATIENCE) -> re.Match[str]:
        """The first match of `pattern` in its output, waited for on the pipe; else AssertionError."""
        end = time.monotonic() + deadline
        while True:
            ended = self.returncode is not None
            found = re.search(pattern, self.output, re.MULTILINE)
            if found:
                return found
            left = end - time.monotonic()
            if ended or left <= 0:
                why = f"it ended with {self.returncode}" if ended else f"not within {deadline} s"
                raise AssertionError(f"no line like {pattern!r}: {why}. It said:\n{self.output}")
            with self._more:
                self._more.wait(min(left, 0.1))

    def send(self, signum: signal.Signals) -> None:
        """Send a signal to the process itself."""
        self._popen.send_signal(signum)

    def wait(self, *, deadline: float = PATIENCE) -> int:
        """Its exit code; AssertionError if it does not end in time."""
        try:
            return self._popen.wait(timeout=deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {deadline} s. It said:\n{self.output}") from None

    def stop(self, *, deadline: float = PATIENCE) -> int:
        """Ask it to end in order (SIGTERM) and give its exit code."""
        if self.returncode is None:
            self.send(signal.SIGTERM)
        return self.wait(deadline=deadline)

    def kill(self) -> None:
        """End it and its whole group with SIGKILL, as a crash would."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()

    def close(self) -> None:
        """Kill what still runs and let go of its pipe."""
        self.kill()
        self._reader.join(timeout=5)
        if not self._reader.is_alive():
            self._pipe.close()


def database_url(*, suffix: str = "") -> str:
    """The database that the running test uses, as other processes must be told of it; with ``suffix`` one beside it."""
    settings = connection.settings_dict
    host = settings["HOST"] or settings.get("OPTIONS", {}).get("host", "")
    login = quote(settings["USER"], safe="")
    if settings["PASSWORD"]:
        login += f":{quote(settings['PASSWORD'], safe='')}"
    name = quote(settings["NAME"] + suffix, safe="")
    if host.startswith("/"):
        return f"postgresql://{login}@/{name}?host={quote(host, safe='')}"
    return f"postgresql://{login}@{host}:{settings['PORT'] or 5432}/{name}"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Processes:
    """Starts processes for one test and ends them all after it."""

    def __init__(self) -> None:
        self._started: list[LiveProcess] = []

    def start(self, *command: str, within: tuple[str, ...] = (sys.executable,), **environment: Any) -> LiveProcess:
        """Start `python <command>` on the test's database and broker; `environment` adds variables.

        `within` is what runs the command, where it is not Python itself.
        """
        process = LiveProcess(*within, *command, environment={"DATABASE_URL": database_url(), **environment})
        self._started.append(process)
        return process

    def worker(
        self,
        *,
        queues: str = "services",
        pool: str = "threads",
        concurrency: int = 4,
        within: tuple[str, ...] = (sys.executable,),
        **environment: Any,
    ) -> LiveProcess:
        """A Celery worker that is ready to take messages."""
        options = ["-Q", queues, "-P", pool, "-c", str(concurrency), "-n", f"{queues}-{len(self._started)}@%h"]
        process = self.start(
            *("-m", "celery", "-A", "jobsite", "worker", "--without-gossip", "--without-mingle", *options),
            within=within,
            **environment,
        )
        process.wait_for_line(r"\bready\.")
        return process

    def beat(self, **environment: Any) -> LiveProcess:
        """A beat that has begun to tick."""
        return self.beats(1, **environment)[0]

    def beats(self, count: int, **environment: Any) -> list[LiveProcess]:
        """So many beats that have begun to tick, started at the same time."""
        command = ("-m", "celery", "-A", "jobsite", "beat", "--pidfile", "")
        started = [self.start(*command, **environment) for _ in range(count)]
        for process in started:
            process.wait_for_line(r"beat: Starting")
        return started

    def web(self, **environment: Any) -> tuple[LiveProcess, str]:
        """A web server that answers, and its address."""
        port = free_port()
        options = ["--config", "python:jobsite.web.config", "--bind", f"127.0.0.1:{port}", "--threads", "4"]
        process = self.start("-m", "gunicorn", "jobsite.wsgi", *options, **environment)
        process.wait_for_line(r"Booting worker")
        return process, f"http://127.0.0.1:{port}"

    def close(self) -> None:
        """End all of them, the newest first."""
        while self._started:
            self._started.pop().close()
