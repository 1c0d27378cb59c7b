"""The rooms of the project, held by the contracts in pyproject.toml."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("accounts", "jobsite", "scheduler", "voltmx", "zementis")


def lint(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo", *options]
    return subprocess.run(
        command,
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin"},
    )


def test_every_contract_is_kept() -> None:
    result = lint(ROOT)
    assert (result.returncode, "0 broken" in result.stdout) == (0, True), result.stdout


FORBIDDEN = (
    ("voltmx.job_type", "zementis.job_type"),
    ("scheduler.jobs", "voltmx.job_type"),
    ("zementis.job_type", "jobsite.health"),
    ("scheduler.jobs", "accounts.tokens"),
    ("accounts.tokens", "voltmx.tokens"),
    ("accounts.doors", "rest_framework"),
    ("scheduler.jobs", "scheduler.beat"),
    ("scheduler.models.job", "scheduler.executions"),
    ("scheduler.misfire", "scheduler.models"),
    ("scheduler.quartz.fires", "django"),
    ("scheduler.jobs", "requests"),
    ("voltmx.foundry", "voltmx.errors"),
    ("zementis.job_type", "rest_framework"),
    ("zementis.scoring", "django_celery_beat"),
)


def test_every_contract_finds_what_it_forbids(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "static", "demo"))
    for importer, imported in FORBIDDEN:
        with (tmp_path / f"{importer.replace('.', '/')}.py").open("a") as file:
            file.write(f"\nimport {imported}\n")
    result = lint(tmp_path)
    unseen = [pair for pair in FORBIDDEN if not re.search(rf"\b{pair[0]} -> {pair[1]}\b", result.stdout)]
    assert (unseen, "0 kept" in result.stdout) == ([], True), result.stdout
