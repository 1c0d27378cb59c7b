"""What keeps programs running and ends them, on small programs."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from jobsite.embedded.child import before_exec
from jobsite.embedded.service import EmbeddedError, Program, Service
from jobsite.stack import leftovers, supervisor
from jobsite.stack.home import Home, StackError
from jobsite.stack.supervisor import Supervisor
from tests.waiting import PATIENCE

Story = Callable[[Supervisor], Awaitable[None]]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    for directory in (home.run, home.logs):
        directory.mkdir()
    return home


def program(code: str, name: str = "one") -> Program:
    return Program(
        name=name,
        command=(sys.executable, "-c", code),
        directory=Path.cwd(),
        before_exec=before_exec(dies_by=signal.SIGTERM),
    )


def play(home: Home, story: Story) -> None:
    """Let a story happen to a supervisor, then stop it."""

    async def whole() -> None:
        kept = Supervisor(home, everything=False)
        try:
            await story(kept)
        finally:
            await kept.stop()

    asyncio.run(whole())


async def until(look: Callable[[], object]) -> None:
    """Wait for something to be true without holding up the supervisor."""
    async with asyncio.timeout(PATIENCE):
        while not look():
            await asyncio.sleep(0.02)


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_program_that_ends_is_started_again_and_said(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    lives = home.root / "lives"
    code = f"open({str(lives)!r}, 'a').write('x'); print('out of luck'); raise SystemExit(3)"

    async def story(kept: Supervisor) -> None:
        await kept.run([program(code)], environment=os.environ)
        await until(lambda: lives.exists() and lives.read_text() == "xxx")

    play(home, story)
    # How long it took to end says how busy the machine is.
    said = re.sub(r"after=\d+s", "after=0s", capsys.readouterr().out)
    lines = [line for line in said.splitlines() if "child.ended" in line]
    assert lines[:2] == [
        "jobsite   | child.ended name=one how=exit-3 after=0s restarts_in=0.2s last='out of luck'",
        "jobsite   | child.ended name=one how=exit-3 after=0s restarts_in=1s last='out of luck'",
    ]


def test_a_program_that_will_not_end_is_killed_with_its_children(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor, "_ORDERLY_SECONDS", 0.3)
    pids = home.root / "pids"
    # The child has left the group, as a Java engine may.
    code = (
        "import os, signal, subprocess, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}} .')\nsignal.pause()\n"
    )

    async def story(kept: Supervisor) -> None:
        await kept.run([program(code)], environment=os.environ)
        await until(lambda: pids.exists() and pids.read_text().endswith("."))

    play(home, story)
    left = [pid for pid in map(int, pids.read_text().split()[:2]) if runs(pid)]
    said = "child.slow_to_end name=one sending=SIGKILL" in capsys.readouterr().out
    assert (left, said) == ([], True)


def test_a_step_that_fails_is_told_by_its_last_words(home: Home) -> None:
    async def story(kept: Supervisor) -> None:
        await kept.once(program("print('no such table'); raise SystemExit(1)", "prepare"), environment=os.environ)

    with pytest.raises(StackError) as raised:
        play(home, story)
    assert str(raised.value) == f"prepare failed (exit-1): no such table (see {home.logs / 'prepare.log'})"


def test_a_server_that_never_answers_is_told_by_its_last_words(home: Home) -> None:
    ended = program("print('bad configuration')", "redis")
    service = Service(**vars(ended), answers=lambda: False)

    async def story(kept: Supervisor) -> None:
        await kept.serve(service, environment=os.environ)

    with pytest.raises(EmbeddedError) as raised:
        play(home, story)
    assert str(raised.value) == "redis did not start: bad configuration"


def test_what_a_killed_supervisor_left_is_ended_and_nobody_else(home: Home) -> None:
    sleepers = [subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(2)]
    ours, other = sleepers
    leftovers.record(home, [ours.pid])
    # The same id as in the record but another start: somebody who has got an id that was ours.
    home.write_json("children.json", {**home.read_json("children.json"), str(other.pid): time.time() + 60})
    ended = leftovers.end(home)
    assert (ended, runs(ours.pid), runs(other.pid)) == (1, False, True)
    for sleeper in sleepers:
        sleeper.kill()
        sleeper.wait()
