"""The stack's data directory."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from jobsite.stack.home import Home, StackError


def test_secrets_are_made_once_and_readable_by_us_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = home.environment({"DATABASE_URL": "postgresql://one"})
    second = Home(tmp_path).environment({"DATABASE_URL": "postgresql://two"})
    assert second == {**first, "DATABASE_URL": "postgresql://two"}
    assert stat.S_IMODE((tmp_path / "stack.env").stat().st_mode) == 0o600


def test_two_installations_have_different_secrets(tmp_path: Path) -> None:
    one, two = (Home(tmp_path / name) for name in ("one", "two"))
    for home in (one, two):
        home.root.mkdir()
    assert one.environment({}).items() & two.environment({}).items() == set()


def test_a_second_stack_on_the_same_directory_is_refused_by_name(tmp_path: Path) -> None:
    with Home(tmp_path).held(), pytest.raises(StackError) as raised, Home(tmp_path).held():
        pass
    assert str(raised.value) == f"A stack already runs on {tmp_path} (process {os.getpid()}): stop it first."


def test_the_lock_of_a_killed_stack_does_not_last(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom jobsite.stack.home import Home\n"
        "with Home(Path(sys.argv[1])).held():\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    with Home(tmp_path).held():
        assert killed.returncode == -9


def test_a_path_that_cannot_be_a_directory_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError) as raised, Home(tmp_path / "file" / "data").held():
        pass
    expected = f"Cannot write to {tmp_path}/file/data (Not a directory): set DATA_DIR to another place."
    assert str(raised.value) == expected


def test_what_cannot_be_read_back_counts_as_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.run.mkdir()
    (home.run / "broken.json").write_text("{")
    assert (home.read_json("broken.json"), home.read_json("absent.json")) == ({}, {})
