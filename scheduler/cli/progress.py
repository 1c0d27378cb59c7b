"""A bar on the terminal while many steps are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

# Fewer are done before anybody could look.
MANY = 50


@contextmanager
def bar(total: int, *, console: Console) -> Iterator[Callable[[int], None]]:
    """Yield what is told how many of ``total`` steps are done. Nothing is drawn for few, or where no terminal is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = total < MANY or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as shown:
        task = shown.add_task("applying", total=total)
        yield lambda done: shown.update(task, completed=done)
