"""``manage.py jobs run --wait`` against a real worker, as a shell sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.processes import ROOT, Processes, database_url
from tests.scheduler.factories import a_job

pytestmark = pytest.mark.live


def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with its output in pipes."""
    command = [sys.executable, "manage.py", "jobs", *arguments]
    environment = {**os.environ, "DATABASE_URL": database_url()}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90, check=False)


def test_runs_are_waited_for_and_end_the_command_as_they_end(processes: Processes, tmp_path: Path) -> None:
    processes.worker(queues="services")
    good, bad = a_job(name="good", arguments={"messages": ["well done"]}), a_job(name="bad", arguments={"error": "no"})
    waited: list[tuple[int, dict[str, Any]]] = []
    for job in (good, bad):
        ended = manage("run", f"probe/{job.number}", "--wait", "--json", "--by", "ada", "--timeout", "60")
        waited.append((ended.returncode, json.loads(ended.stdout)))
    assert [(code, run["status"], run["messages"]) for code, run in waited] == [
        (0, "succeeded", ["well done"]),
        (1, "failed", ["no"]),
    ]
    file = tmp_path / "jobs.yaml"
    file.write_text(
        "version: 1\njobs:\n- {kind: probe, name: new, schedule: {expression: 0 0 * * * ?}, arguments: {}}\n"
    )
    assert manage("plan", str(file)).returncode == 2
