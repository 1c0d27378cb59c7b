"""Keeps programs running, and ends them all in time."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterable, Mapping

import psutil

from jobsite.embedded.service import EmbeddedError, Program, Service
from jobsite.stack import leftovers
from jobsite.stack.child import Child
from jobsite.stack.home import Home, StackError
from jobsite.stack.terminal import ChildLog, say

# An orderly end, then one that waits for nothing, then SIGKILL. Both stages of programs and of the servers under them
# come to 9 seconds at most.
_ORDERLY_SECONDS = 5.0
_PROMPT_SECONDS = 1.0
_SERVER_ORDERLY_SECONDS = 2.0
_BACK_OFF_SECONDS = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
# A program that lived this long has recovered, and the next end of it is a first one again.
_STEADY_SECONDS = 60.0


class Supervisor:
    """Starts programs and starts them again when they end, until told to stop.

    `servers` are ended last, after everything that uses them.
    """

    def __init__(self, home: Home, *, everything: bool) -> None:
        self._home = home
        self._everything = everything
        self._children: dict[str, Child] = {}
        self._logs: dict[str, ChildLog] = {}
        self._keepers: set[asyncio.Task[None]] = set()
        self._servers: set[str] = set()
        self._stopping = False

    async def serve(self, service: Service, *, environment: Mapping[str, str]) -> None:
        """Start a server, keep it running, and come back once it answers.

        Raises EmbeddedError with its last words where it ends before that, or is silent for 30 seconds.
        """
        self._servers.add(service.name)
        child = await self._start(service, environment)
        deadline = time.monotonic() + 30
        while child.running and time.monotonic() < deadline:
            if service.answers():
                self._keep(child, environment)
                return
            await asyncio.sleep(0.02)
        await child.bury()
        raise EmbeddedError(f"{service.name} did not start: {self._logs[service.name].last or 'it said nothing'}")

    async def once(self, program: Program, *, environment: Mapping[str, str]) -> None:
        """Run a program to its end. Raises StackError with its last words where it fails."""
        child = await self._start(program, environment)
        code = await child.wait()
        await child.bury()
        del self._children[program.name]
        if code:
            log = self._home.logs / f"{program.name}.log"
            raise StackError(f"{program.name} failed ({_ending(code)}): {self._logs[program.name].last} (see {log})")

    async def run(self, programs: Iterable[Program], *, environment: Mapping[str, str]) -> None:
        """Start programs all at once and keep them running."""
        for child in await asyncio.gather(*(self._start(program, environment) for program in programs)):
            self._keep(child, environment)

    async def stop(self) -> None:
        """End all programs, then all servers, within 10 seconds; nothing of them is left."""
        self._stopping = True
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        everybody = list(self._children.values())
        below = _descendants(everybody)
        servers = [child for child in everybody if child.program.name in self._servers]
        await _end([child for child in everybody if child not in servers], patience=_ORDERLY_SECONDS)
        await _end(servers, patience=_SERVER_ORDERLY_SECONDS)
        for process in below:
            # Only who is still the same process: psutil compares its start.
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process.kill()
        psutil.wait_procs(below, timeout=1)
        leftovers.record(self._home, [])
        for log in self._logs.values():
            log.close()

    async def _start(self, program: Program, environment: Mapping[str, str]) -> Child:
        if program.name not in self._logs:
            path = self._home.logs / f"{program.name}.log"
            self._logs[program.name] = ChildLog(path, name=program.name, everything=self._everything)
        child = await Child.start(program, environment=environment, log=self._logs[program.name])
        self._children[program.name] = child
        leftovers.record(self._home, [each.pid for each in self._children.values() if each.running])
        return child

    def _keep(self, child: Child, environment: Mapping[str, str]) -> None:
        keeper = asyncio.create_task(self._keep_running(child, environment))
        self._keepers.add(keeper)
        keeper.add_done_callback(self._keepers.discard)

    async def _keep_running(self, child: Child, environment: Mapping[str, str]) -> None:
        """Wait for the child's end and start its program again, later each time it ends soon."""
        program = child.program
        ends = 0
        while True:
            since = time.monotonic()
            code = await child.wait()
            lived = time.monotonic() - since
            await child.bury()
            ends = 0 if lived >= _STEADY_SECONDS else ends
            last = self._logs[program.name].last
            how = f"how={_ending(code)} after={lived:.0f}s restarts_in={_back_off(ends):g}s"
            say(f"jobsite   | child.ended name={program.name} {how} last={last!r}")
            child, ends = await self._start_again(program, environment, ends)
            say(f"jobsite   | child.started name={program.name} pid={child.pid}")

    async def _start_again(self, program: Program, environment: Mapping[str, str], ends: int) -> tuple[Child, int]:
        """Start after a pause; where even that fails (no memory, no more processes), after a longer one."""
        while True:
            await asyncio.sleep(_back_off(ends))
            ends += 1
            try:
                return await self._start(program, environment), ends
            except OSError as error:
                why = f"why={error.strerror!r} again_in={_back_off(ends):g}s"
                say(f"jobsite   | child.cannot_start name={program.name} {why}")


def _back_off(ends: int) -> float:
    return _BACK_OFF_SECONDS[min(ends, len(_BACK_OFF_SECONDS) - 1)]


async def _end(children: list[Child], *, patience: float) -> None:
    """Ask in order, then promptly, then kill; each step only whom the one before did not end."""
    waits = [asyncio.create_task(child.wait()) for child in children]
    steps = (("stop_signal", patience), ("kill_signal", _PROMPT_SECONDS), (None, _PROMPT_SECONDS))
    for step, seconds in steps if waits else ():
        for child in filter(lambda each: each.running, children):
            signum = getattr(child.program, step) if step else signal.SIGKILL
            if step != "stop_signal":
                say(f"jobsite   | child.slow_to_end name={child.program.name} sending={signum.name}")
            child.send(signum)
        _, running = await asyncio.wait(waits, timeout=seconds)
        if not running:
            break
    await asyncio.gather(*(child.bury() for child in children))


def _descendants(children: list[Child]) -> list[psutil.Process]:
    found = []
    for child in children:
        if child.running:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += psutil.Process(child.pid).children(recursive=True)
    return found


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit-{code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal-{-code}"
