"""Children of a supervisor that was killed.

On Linux the kernel ends them with it (see `jobsite.embedded.child`). Elsewhere, and for their own children, the
supervisor keeps a list of whom it started; the next one reads it and ends who is still there.
"""

import contextlib
import os
import signal
from collections.abc import Iterator

import psutil

from jobsite.stack.home import Home

_FILE = "children.json"


def record(home: Home, pids: list[int]) -> None:
    """Keep who runs now. A process is its id and its start: ids are used again."""
    started = {}
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            started[str(pid)] = psutil.Process(pid).create_time()
    home.write_json(_FILE, started)


def end(home: Home) -> int:
    """End all that is left of the recorded processes' groups; how many there were. Takes up to 10 seconds."""
    # A group keeps its number only as long as somebody is in it, and a machine that started since has none of ours.
    groups = {
        int(pid): float(since)
        for pid, since in home.read_json(_FILE).items()
        if isinstance(since, float) and since >= psutil.boot_time() - 1
    }
    if not groups:
        return 0
    left = list(_members(groups))
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            # SIGINT is PostgreSQL's fast shutdown; the others take SIGTERM.
            process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
    _, stubborn = psutil.wait_procs(left, timeout=5)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process.kill()
    psutil.wait_procs(stubborn, timeout=5)
    home.write_json(_FILE, {})
    return len(left)


def _members(groups: dict[int, float]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, ProcessLookupError, PermissionError):
            group = os.getpgid(process.pid)
            if group in groups and process.create_time() >= groups[group] - 0.05:
                yield process
