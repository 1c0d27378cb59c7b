"""`manage.py stack`, really started: servers, programs, ready, killed, stopped."""

import json
import os
import pwd
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker
from redis import Redis

from jobsite.embedded.child import ServerUser, before_exec
from tests.live.servers import put_database
from tests.processes import LiveProcess, database_url, free_port
from tests.waiting import NOISE, wait_for

# One process has the stack that most of them share.
pytestmark = [pytest.mark.live, pytest.mark.xdist_group("stack")]

ROOT = Path(__file__).resolve().parents[2]
CHILDREN = ["beat-1", "beat-2", "inference", "postgres", "redis", "services", "web"]


class Stack:
    """One data directory and port, and the stack last started on them."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.port = free_port()
        self.process: LiveProcess | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """Without the servers that the tests themselves use."""
        mine = {"DATA_DIR": str(self.data), "PORT": str(self.port)}
        return {"DATABASE_URL": "", "CELERY_BROKER_URL": "", "DEMO": "0", **mine}

    def start(self, *, before: Callable[[], None] | None = None, **changes: str) -> LiveProcess:
        command = (sys.executable, "manage.py", "stack")
        self.process = LiveProcess(*command, environment={**self.environment, **changes}, before_exec=before)
        return self.process

    def start_ready(self, *, before: Callable[[], None] | None = None) -> float:
        """Start it; the seconds until it said that it was ready."""
        return float(self.start(before=before).wait_for_line(r"ready after ([\d.]+) s", deadline=120)[1])

    def refused(self, **changes: str) -> tuple[int, str]:
        """Start another one that cannot start: its exit code and all it says."""
        result = subprocess.run(
            [sys.executable, "manage.py", "stack"],
            cwd=ROOT,
            env={**os.environ, **self.environment, **changes},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return result.returncode, result.stdout + result.stderr

    def get(self, path: str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def pid_of(self, name: str) -> int:
        """The child's first process, told by the file its output goes to being named after it."""
        children = psutil.Process(self.running.pid).children()
        marks = {
            "web": "gunicorn",
            "redis": "redis-server",
            "postgres": str(self.data / "postgres"),
            "services": "services",
        }
        return next(child.pid for child in children if marks[name] in " ".join(child.cmdline()))

    @property
    def running(self) -> LiveProcess:
        assert self.process is not None
        return self.process

    def left(self) -> list[str]:
        """Every process that works on this data directory."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                mine = process.environ().get("DATA_DIR") == str(self.data)
                if mine or str(self.data) in " ".join(process.cmdline()):
                    found.append(" ".join(process.cmdline()))
        return found

    def close(self) -> None:
        if self.process is not None:
            with suppress(AssertionError):
                self.process.stop(deadline=15)
            self.process.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Stack]:
    with closing(Stack(tmp_path)) as stack:
        yield stack


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Stack]:
    """A stack that is ready, shared by the tests that leave it so."""
    with closing(Stack(tmp_path_factory.mktemp("stack"))) as stack:
        stack.data.mkdir()
        with django_db_blocker.unblock():
            put_database(stack.data)
        stack.start_ready()
        yield stack


def test_it_says_where_to_go_and_the_login_it_prints_is_true(stack: Stack) -> None:
    output = stack.running.output
    login = re.search(r"Login +admin / (\S+)", output)
    assert login is not None
    shown = [f"http://127.0.0.1:{stack.port}/{path}" in output for path in ("admin/", "admin/api/jobs/job", "readyz")]
    code = (
        "import os, django; django.setup(); from django.contrib.auth import authenticate; "
        f"print(authenticate(username='admin', password={login[1]!r}).is_superuser)"
    )
    # No address given: `manage.py` commands beside a running stack find its servers by themselves.
    environment = {
        name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "CELERY_BROKER_URL"}
    }
    checked = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**environment, "DATA_DIR": str(stack.data), "DJANGO_SETTINGS_MODULE": "jobsite.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (shown, checked.stdout) == ([True] * 3, "True\n"), checked.stderr


def test_ready_counts_two_beats_and_both_workers(stack: Stack) -> None:
    expected = {
        "ready": True,
        "database": True,
        "broker": True,
        "beats": 2,
        "workers": {"services": 1, "inference": 1},
        "missing": [],
    }
    # It is ready with one beat; the other may be a moment behind.
    wait_for(lambda: json.loads(stack.get("/readyz")[1]) == expected, what="all of them")


def test_each_child_has_a_log_of_its_own(stack: Stack) -> None:
    assert sorted(path.stem for path in (stack.data / "log").glob("*.log") if path.stem != "prepare") == CHILDREN


def test_a_second_stack_on_the_same_port_is_refused_in_one_line(stack: Stack, tmp_path: Path) -> None:
    code, said = stack.refused(DATA_DIR=str(tmp_path / "other"))
    expected = f"Cannot listen on 127.0.0.1:{stack.port} (Address already in use): set PORT to another one."
    assert (code, said) == (1, f"CommandError: {expected}\n")


def test_a_second_stack_on_the_same_data_is_refused_in_one_line(stack: Stack) -> None:
    code, said = stack.refused(PORT=str(free_port()))
    expected = f"A stack already runs on {stack.data} (process {stack.running.pid}): stop it first."
    assert (code, said) == (1, f"CommandError: {expected}\n")


def test_a_data_directory_that_cannot_be_written_is_refused_in_one_line(fresh: Stack, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, said = fresh.refused(DATA_DIR=f"{tmp_path}/file/data")
    expected = f"Cannot write to {tmp_path}/file/data (Not a directory): set DATA_DIR to another place."
    assert (code, said) == (1, f"CommandError: {expected}\n")


def test_a_given_database_that_does_not_answer_is_one_line(fresh: Stack) -> None:
    port = free_port()
    code, said = fresh.refused(
        DATABASE_URL=f"postgresql://u:secret@127.0.0.1:{port}/d",
        CELERY_BROKER_URL=f"redis://:secret@127.0.0.1:{port}/0",
    )
    *_, last = said.splitlines()
    begins = last.startswith("CommandError: DATABASE_URL: the database cannot be reached (")
    assert (code, begins, "Traceback" in said, "secret" in said) == (1, True, False, False)


def test_given_servers_are_used_and_none_are_started(
    fresh: Stack, transactional_db: None, broker: Redis, settings: Settings
) -> None:
    given = {"DATABASE_URL": database_url(), "CELERY_BROKER_URL": settings.CELERY_BROKER_URL}
    process = fresh.start(**given)
    process.wait_for_line(r"ready after", deadline=120)
    assert sorted(path.stem for path in (fresh.data / "log").glob("*.log") if path.stem != "prepare") == [
        name for name in CHILDREN if name not in {"postgres", "redis"}
    ]


@pytest.mark.parametrize("name", ["web", "redis", "postgres", "services"])
def test_a_child_that_is_killed_is_said_and_started_again(stack: Stack, name: str) -> None:
    wait_for(stack.ready, what="ready")
    before = stack.pid_of(name)
    os.kill(before, signal.SIGKILL)
    stack.running.wait_for_line(rf"child\.ended name={name} how=SIGKILL")
    stack.running.wait_for_line(rf"child\.started name={name} pid=(?!{before}\b)\d+")
    wait_for(stack.ready, what="ready again")


def test_a_stop_leaves_no_process_and_a_new_start_keeps_the_data(stack: Stack) -> None:
    login = re.search(r"Login .*", stack.running.output)
    assert login is not None
    began = time.monotonic()
    code = stack.running.stop()
    took = timedelta(seconds=time.monotonic() - began)
    left = stack.left()
    stack.start_ready()
    assert took < timedelta(seconds=10) + NOISE
    assert (code, left, login[0] in stack.running.output) == (0, [], True)


def test_a_stop_while_it_starts_leaves_nothing_either(fresh: Stack) -> None:
    process = fresh.start()
    process.wait_for_line(r"database\.preparing")
    process.send(signal.SIGINT)
    assert (process.wait(), fresh.left()) == (0, [])


def test_an_ordinary_user_may_run_it_and_a_killed_one_does_not_block_the_next(fresh: Stack) -> None:
    before = None
    if os.geteuid() == 0:
        entry = pwd.getpwnam("nobody")
        user = ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
        fresh.data.mkdir()
        os.chown(fresh.data, user.uid, user.gid)
        # Root's Python may lie where others may not look; reading is all that the user is allowed beyond its own.
        before = before_exec(dies_by=signal.SIGKILL, user=user, passing=(Path(sys.executable).resolve(), fresh.data))
    fresh.start_ready(before=before)
    fresh.running.send(signal.SIGKILL)
    fresh.running.wait()
    fresh.start_ready(before=before)
    assert {process.uids().effective for process in psutil.Process(fresh.running.pid).children()} == {
        os.geteuid() or pwd.getpwnam("nobody").pw_uid
    }
