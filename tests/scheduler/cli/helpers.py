"""Runs ``manage.py jobs`` in this process."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, what it printed, and what it complained of, by line."""

    code: int
    out: str
    problems: tuple[str, ...] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def jobs_command(*arguments: str) -> Ended:
    """Run the command and tell how it ended."""
    out = io.StringIO()
    try:
        call_command("jobs", *arguments, stdout=out)
    except CommandError as error:
        return Ended(error.returncode, out.getvalue(), tuple(str(error).split("\n")))
    except SystemExit as leaving:
        return Ended(int(leaving.code or 0), out.getvalue())
    return Ended(0, out.getvalue())


def written(folder: Path, text: str, name: str = "jobs.yaml") -> str:
    """Write a file and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)
