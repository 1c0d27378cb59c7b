"""A short chaos in the suite, on servers of its own; `make chaos` is the long one."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.faults import Fault, Kind, plan

ROOT = Path(__file__).resolve().parents[2]


def test_a_seed_says_which_faults_come() -> None:
    faults = plan(7, seconds=40, every=2.5)
    assert faults == plan(7, seconds=40, every=2.5)
    assert faults != plan(8, seconds=40, every=2.5)
    assert faults == sorted(faults, key=lambda fault: fault.at)


def test_links_go_down_where_asked_and_nowhere_else() -> None:
    def cuts(faults: list[Fault]) -> int:
        return sum(fault.kind is Kind.CUT_HOST for fault in faults)

    assert cuts(plan(7, seconds=400, every=2.5)) == 0
    assert cuts(plan(7, seconds=400, every=2.5, cut=True)) > 10


@pytest.mark.live
def test_a_hurt_fleet_loses_and_doubles_nothing() -> None:
    command = [sys.executable, "-m", "tests.chaos", "--seconds", "40", "--seed", "7", "--every", "2.2"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert (ended.returncode, ended.stdout.splitlines()[-1:]) == (0, ["no violation"]), ended.stdout + ended.stderr
