"""One child of the supervisor: a single life of a program, in a process group of its own."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping

from jobsite.embedded.service import Program
from jobsite.stack.terminal import ChildLog


class Child:
    """A started program. Its output goes to `log` until it and whoever shares its pipe has ended."""

    def __init__(self, program: Program, process: asyncio.subprocess.Process, pump: "asyncio.Task[None]") -> None:
        self.program = program
        self._process = process
        self._pump = pump

    @classmethod
    async def start(cls, program: Program, *, environment: Mapping[str, str], log: ChildLog) -> "Child":
        """Start the program. Raises OSError where it cannot be executed."""
        # A pipe of our own, not asyncio's: asyncio may wait for the pipe's end before it says that the process has
        # ended, and a grandchild can hold the pipe open for long.
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *program.command,
                cwd=program.directory,
                env=dict(environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                preexec_fn=program.before_exec,
                start_new_session=True,
                pass_fds=program.passes,
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        return cls(program, process, asyncio.create_task(_pump(reading, log)))

    @property
    def pid(self) -> int:
        """Its process id, which is its group's too."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether its first process still runs."""
        return self._process.returncode is None

    def send(self, signum: signal.Signals) -> None:
        """Signal its first process, if that still runs."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signum)

    async def wait(self) -> int:
        """How it ended: the exit code, or minus the signal that ended it."""
        return await self._process.wait()

    async def bury(self) -> None:
        """After its end: kill what is left of its group (pool processes, a Java engine), and read its last words."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        await asyncio.wait({self._pump}, timeout=1)
        self._pump.cancel()


async def _pump(descriptor: int, log: ChildLog) -> None:
    reader = asyncio.StreamReader()
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    try:
        while chunk := await reader.read(65536):
            log.write(chunk)
    finally:
        transport.close()
