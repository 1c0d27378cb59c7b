"""Bringing a fuzzed stack to rest, so that what it holds can be checked."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from scheduler import executions, jobs
from scheduler.exceptions import SchedulerError
from scheduler.models import Execution, Job, Removal

# Rules of the checker that do not hold here, and why.
NOT_ASKED = {
    # Fuzzed forms change limits all the time, and a limit that is lowered lets go on what runs.
    "runs under a limit stay within it",
}
_PAUSE = threading.Event()


def settle(seconds: float) -> list[str]:
    """Pause every job, cancel every run, and wait until none is open; return those that are after so long."""
    for job in Job.objects.active().order_by("pk"):
        with suppress(SchedulerError):
            jobs.deactivate(job, by="fuzz")
    for execution in Execution.objects.open().order_by("pk"):
        with suppress(SchedulerError):
            executions.cancel(execution, by="fuzz")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not Execution.objects.open().exists() and not Removal.objects.exists():
            return []
        _PAUSE.wait(0.3)
    rows = [f"execution {pk} of job {job}" for pk, job in Execution.objects.open().values_list("pk", "job_id")]
    return rows + [f"what job {job} left" for job in Removal.objects.values_list("job_id", flat=True)]


def crashes(root: Path) -> list[str]:
    """Return what the programs' logs say of exceptions that nobody caught, each kind once with its count."""
    found: Counter[str] = Counter()
    for log in sorted(root.glob("*.log")):
        if log.stem in ("postgres", "redis"):
            continue
        text = log.read_text(errors="replace")
        for trace in re.findall(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(\S.*)$", text, re.M):
            # Django logs the requests that it refuses (400) as errors of their own.
            if not re.match(r"\S+\.(Disallowed\w+|TooMany\w+)|ValueError: Max number of fields", trace):
                found[f"{log.stem}: {trace[:200]}"] += 1
    return [f"{count} × traceback in {line}" for line, count in found.most_common(20)]
