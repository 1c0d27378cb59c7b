"""What holds for every file of the project."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("accounts", "jobsite", "scheduler", "voltmx", "zementis")
LONGEST = 450


def tracked(*patterns: str) -> list[Path]:
    """The project's files, those that git would take included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(path for line in listed.splitlines() if (path := ROOT / line).is_file())


def ours(*patterns: str) -> list[Path]:
    return [path for path in tracked(*patterns) if "migrations" not in path.parts]


def test_no_file_is_longer_than_a_few_screens() -> None:
    long = {
        str(path.relative_to(ROOT)): n for path in ours("*.py") if (n := len(path.read_text().splitlines())) > LONGEST
    }
    assert long == {}


def test_no_place_is_left_unfinished() -> None:
    # Spelled in halves, so as not to find itself.
    marks = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error")))
    found = [str(path.relative_to(ROOT)) for path in ours("*.py") if marks.search(path.read_text())]
    assert found == []


def test_no_test_is_skipped_or_waits_on_the_clock() -> None:
    marks = re.compile(
        "|".join((r"pytest\.(mark\.)?(sk" + "ip|xf" + "ail)", "import" + "orskip", r"\btime\.sl" + r"eep\("))
    )
    found = [str(path.relative_to(ROOT)) for path in ours("tests/*.py") if marks.search(path.read_text())]
    assert found == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_says_what_it_is_for(room: str) -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in ours(f"{room}/*.py")
        if path.stat().st_size and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert silent == []


def test_lock_files_name_no_index() -> None:
    named = [
        f"{path.name}: {line}"
        for path in ours("requirements*.txt", "pyproject.toml", "Makefile", "scripts/*", "Dockerfile")
        for line in path.read_text().splitlines()
        if re.search(r"--(extra-)?index-url|--find-links|https?://[^ ]*/simple", line)
    ]
    assert named == []


def test_every_locked_requirement_has_hashes() -> None:
    for lock in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / lock).read_text()
        pinned = re.findall(r"^([a-z0-9_.-]+)==", text, re.MULTILINE)
        hashed = re.findall(r"^([a-z0-9_.-]+)==[^\n]*\\\n +--hash=sha256:", text, re.MULTILINE)
        assert (len(pinned) > 50, hashed) == (True, pinned)


def test_both_lock_files_pin_the_same_versions() -> None:
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9_.-]+==[^ ]+", (ROOT / lock).read_text(), re.MULTILINE))

    assert pins("requirements.txt") - pins("requirements-dev.txt") == set()


def test_every_exception_from_a_security_rule_has_its_reason_beside_it() -> None:
    noted = re.compile(r"#\s*(?:noqa:\s*S\d[\w, ]*|nosec\b[\sB\d]*)")
    silent = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in ours("*.py")
        for line in path.read_text().splitlines()
        # What is left of the comments when the exceptions themselves are gone.
        if noted.search(line)
        and not re.search(r"\w", noted.sub("", line.partition("  # ")[1] + line.partition("  # ")[2]))
    ]
    assert silent == []
