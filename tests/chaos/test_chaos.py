"""A short chaos in the suite, on servers of its own; `make chaos` is the long one."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.faults import plan

ROOT = Path(__file__).resolve().parents[2]


def test_a_seed_says_which_faults_come() -> None:
    faults = plan(7, seconds=40, every=2.5)
    assert faults == plan(7, seconds=40, every=2.5)
    assert faults != plan(8, seconds=40, every=2.5)
    assert faults == sorted(faults, key=lambda fault: fault.at)


@pytest.mark.live
def test_a_hurt_fleet_loses_and_doubles_nothing() -> None:
    command = [sys.executable, "-m", "tests.chaos", "--seconds", "40", "--seed", "7", "--every", "2.2"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert (ended.returncode, ended.stdout.splitlines()[-1:]) == (0, ["no violation"]), ended.stdout + ended.stderr
