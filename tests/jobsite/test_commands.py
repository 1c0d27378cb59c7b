"""`make`, the scripts under it, and the documents that show them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.check_readme import commands, complaint

ROOT = Path(__file__).resolve().parents[2]
TARGETS = {"run", "test"}


def test_without_a_suitable_python_the_error_is_one_line(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    checkout = tmp_path / "checkout"
    (checkout / "scripts").mkdir(parents=True)
    (checkout / "scripts" / "venv").write_bytes((ROOT / "scripts" / "venv").read_bytes())
    (checkout / "requirements.txt").touch()
    result = subprocess.run(
        ["/bin/sh", str(checkout / "scripts" / "venv"), "requirements.txt"],
        env={"PATH": "/bin:/usr/bin", "PYTHON": str(old)},
        capture_output=True,
        text=True,
        check=False,
    )
    expected = (
        "Error: Python 3.11 or newer with venv is needed (Debian, Ubuntu: apt install python3 python3-venv); "
        f"none on the PATH by the name {old}.\n"
    )
    assert (result.returncode, result.stdout, result.stderr) == (1, "", expected)


def test_make_lists_its_targets() -> None:
    listed = subprocess.run(
        ["make"], cwd=ROOT, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
    )
    assert {line.split()[1] for line in listed.stdout.splitlines()} >= {"run", "test", "check", "lock", "clean"}


def test_commands_are_the_lines_of_shell_blocks() -> None:
    text = """\
Text with `make nothing`.
```sh
# a comment
PORT=9000 make run   # another
curl -u a:b \\
  http://localhost:8000/healthz
```
```console
$ make test
12 passed
```
```python
make()
```
"""
    assert list(commands(text)) == [
        ["make", "run"],
        ["curl", "-u", "a:b", "http://localhost:8000/healthz"],
        ["make", "test"],
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["make", "run", "PORT=9000"], None),
        (["make", "fly"], "no target fly in the Makefile"),
        ([".venv/bin/python", "manage.py", "migrate"], None),
        ([".venv/bin/python", "manage.py", "fly"], "no command fly"),
        (["curl", "http://127.0.0.1:8000/readyz"], None),
        (["curl", "http://127.0.0.1:8000/admin/login/?next=x"], None),
        (["curl", "http://127.0.0.1:8000/nowhere/at/all"], "no view for /nowhere/at/all"),
        (["curl", "http://elsewhere.example.org/nowhere"], None),
        (["scripts/venv"], None),
        (["./nothing.sh"], "no file ./nothing.sh"),
    ],
)
def test_a_command_that_does_not_exist_is_named(words: list[str], expected: str | None) -> None:
    assert complaint(words, targets=TARGETS) == expected


def test_all_commands_of_the_documents_exist() -> None:
    result = subprocess.run(
        [sys.executable, "scripts/check_readme.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (0, "")
