"""Hosts whose clock is set while their process works."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.processes import LiveProcess, Processes

BEAT = ("beat", "--pidfile", "")
WORKER = ("worker", "-Q", "services", "-P", "threads", "-c", "4", "--without-gossip", "--without-mingle")


class Host:
    """A beat or a worker on a host whose clock is wrong from its start, and is stepped as it works."""

    def __init__(self, stack: ExitStack, processes: Processes, *command: str, wrong: int) -> None:
        steps = Path(stack.enter_context(TemporaryDirectory(prefix="jobsite-clock-"))) / "steps"
        os.mkfifo(steps)
        # For reading too, so that this does not wait for the process.
        self._steps = os.open(steps, os.O_RDWR)
        stack.callback(os.close, self._steps)
        self.process: LiveProcess = processes.start(
            "-m", "tests.live.shifted", str(wrong), "--steps", str(steps), *command
        )
        self._made = 0

    def step(self, seconds: int) -> None:
        """Set its clock forward by so many seconds, or back; return when that is done."""
        os.write(self._steps, f"{seconds}\n".encode())
        self._made += 1
        self.process.wait_for_line(rf"clock step {self._made}: {seconds}\b")


@contextmanager
def stepping(processes: Processes) -> Iterator[tuple[Host, Host]]:
    """A beat whose clock is five minutes slow, and a worker whose clock is five minutes fast, at work."""
    with ExitStack() as stack:
        beat = Host(stack, processes, *BEAT, wrong=-300)
        worker = Host(stack, processes, *WORKER, wrong=300)
        beat.process.wait_for_line("beat: Starting")
        worker.process.wait_for_line(r"\bready\.")
        yield beat, worker
