"""Waiting for a run's end while showing how far it is."""

from __future__ import annotations

import time
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from scheduler.cli.problems import Problem, Refused
from scheduler.models import Execution, Status

_PAUSE_SECONDS = 0.25


def follow(execution: Execution, *, console: Console, limit: timedelta | None = None) -> Execution:
    """Return the execution once it has ended. Raises ``Refused`` where it is gone or ``limit`` has passed."""
    started = time.monotonic()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("queued", total=None)
        while True:
            present = Execution.objects.filter(pk=execution.pk).first()
            if present is None:
                raise Refused(Problem(0, "the run was deleted while it was waited for"))
            if not Status(present.status).is_open:
                return present
            if limit is not None and time.monotonic() - started >= limit.total_seconds():
                raise Refused(Problem(0, f"the run has not ended within {limit.total_seconds():g} seconds; it goes on"))
            progress.update(
                bar,
                description=_words(present),
                completed=present.progress_done or 0,
                total=present.progress_total or None,
            )
            time.sleep(_PAUSE_SECONDS)


def _words(execution: Execution) -> str:
    if execution.status == Status.QUEUED:
        return "queued" if execution.attempt == 0 else f"waiting for attempt {execution.attempt + 1}"
    return "running" if execution.attempt <= 1 else f"running, attempt {execution.attempt}"
