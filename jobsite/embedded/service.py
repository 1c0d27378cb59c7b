"""What the starter of an embedded server needs to know of it."""

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


class EmbeddedError(Exception):
    """An embedded server cannot be had here; the message is one line that says what to do."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program: how it is started and stopped.

    `before_exec` runs in the child between fork and exec. `stop_signal` asks for an orderly end, `kill_signal` for one
    that waits for nothing; SIGKILL follows where neither helps.
    """

    name: str
    command: tuple[str, ...]
    directory: Path
    before_exec: Callable[[], None]
    stop_signal: signal.Signals = signal.SIGTERM
    kill_signal: signal.Signals = signal.SIGKILL
    passes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Service(Program):
    """A server among programs: it can be asked whether it `answers`, which never raises."""

    answers: Callable[[], bool]

    def start(self, log: Path) -> "subprocess.Popen[bytes]":
        """Start it with its output in `log`, in a process group of its own; wait until it answers.

        Raises EmbeddedError with the last line of its output where it ends instead, or says nothing for 30 seconds.
        """
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                self.command,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=self.before_exec,
                start_new_session=True,
            )
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            if self.answers():
                return process
            time.sleep(0.02)
        lines = log.read_text(errors="replace").strip().splitlines() or ["no output"]
        self.stop(process)
        raise EmbeddedError(f"{self.name} did not start: {lines[-1]} (all of it in {log})")

    def stop(self, process: "subprocess.Popen[bytes]", *, patience: float = 5) -> None:
        """Stop it: in order first, hard after `patience` seconds."""
        for signum in (self.stop_signal, self.kill_signal):
            if process.poll() is not None:
                return
            process.send_signal(signum)
            try:
                process.wait(timeout=patience)
            except subprocess.TimeoutExpired:
                continue
        if process.poll() is None:
            process.kill()
            process.wait()
