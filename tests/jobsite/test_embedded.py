"""PostgreSQL and Redis from wheels."""

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
from redis import Redis as Client
from redis.exceptions import AuthenticationError

from jobsite.embedded import redis as redis_module
from jobsite.embedded.child import ServerUser, before_exec, reaches
from jobsite.embedded.postgres import Postgres
from jobsite.embedded.redis import Redis
from jobsite.embedded.service import EmbeddedError, Service
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def running(server: Postgres | Redis) -> Iterator["subprocess.Popen[bytes]"]:
    service: Service = server.service()
    process = service.start(server.root / f"{service.name}.log")
    try:
        yield process
    finally:
        service.stop(process)


def root_of_servers(tmp_path: Path) -> Path:
    """pytest's directories are closed to other users, as root's home is: what the servers must cope with."""
    root = tmp_path / "servers"
    root.mkdir()
    return root


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a PostgreSQL that has never run: making them is what takes the longest."""
    root = root_of_servers(tmp_path_factory.mktemp("initialised"))
    Postgres(root).service()
    return root / "postgres"


@pytest.fixture
def root(tmp_path: Path, initialised: Path) -> Path:
    """Where servers have their files, with those of a PostgreSQL that has never run."""
    root = root_of_servers(tmp_path)
    # As they are, with their owner.
    subprocess.run(["cp", "-a", str(initialised), str(root)], check=True)
    return root


def execute(postgres: Postgres, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_postgres_keeps_its_data_and_leaves_nothing_behind(root: Path) -> None:
    postgres = Postgres(root, durable=False)
    with running(postgres) as first:
        postgres.ensure_database()
        execute(postgres, "CREATE TABLE kept AS SELECT 7 AS n")
    left = (first.poll(), (postgres.data / "postmaster.pid").exists(), list(postgres.sockets.iterdir()))
    with running(postgres):
        postgres.ensure_database()
        assert (left, execute(postgres, "SELECT n FROM kept")) == ((0, False, []), [(7,)])


def test_postgres_runs_as_an_ordinary_user_below_directories_closed_to_it(tmp_path: Path) -> None:
    root = root_of_servers(tmp_path)
    root.chmod(0o700)
    with running(Postgres(root, durable=False)) as process:
        assert psutil.Process(process.pid).uids().effective != 0


def test_the_database_role_may_make_databases_and_no_more(root: Path) -> None:
    postgres = Postgres(root, durable=False)
    with running(postgres):
        postgres.ensure_database()
        query = "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        assert execute(postgres, query) == [(False, True, False)]


def test_only_its_user_may_enter_the_directory_of_the_socket(root: Path) -> None:
    postgres = Postgres(root, durable=False)
    postgres.service()
    assert stat.S_IMODE(postgres.sockets.stat().st_mode) == 0o700


def test_a_path_too_long_for_a_socket_gets_a_short_directory_for_it(root: Path) -> None:
    postgres = Postgres(root / ("deep" * 30), durable=False)
    postgres.root.mkdir()
    (root / "postgres").rename(postgres.data)
    with running(postgres):
        postgres.ensure_database()
        assert (len(str(postgres.sockets)) < 90, execute(postgres, "SELECT 1")) == (True, [(1,)])
    postgres.sockets.rmdir()


def test_an_unfinished_data_directory_is_made_anew(tmp_path: Path) -> None:
    postgres = Postgres(root_of_servers(tmp_path), durable=False)
    unfinished = postgres.root / "postgres.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    with running(postgres):
        assert postgres.answers()


def test_a_lock_whose_process_is_somebody_else_now_does_not_block(root: Path) -> None:
    postgres = Postgres(root, durable=False)
    with running(postgres):
        pass
    (postgres.data / "postmaster.pid").write_text(f"{os.getpid()}\n{postgres.data}\n")
    with running(postgres):
        assert postgres.answers()


def test_a_directory_of_a_version_that_the_wheel_lacks_is_one_line(tmp_path: Path) -> None:
    postgres = Postgres(root_of_servers(tmp_path))
    postgres.data.mkdir()
    (postgres.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedError) as raised:
        postgres.service()
    assert str(raised.value) == f"PostgreSQL: {postgres.data} needs version 9, which the wheel does not have."


STARTER = """
import os, signal, sys
from pathlib import Path
from jobsite.embedded.postgres import Postgres
from jobsite.embedded.redis import Redis
for server in (Postgres(Path(sys.argv[1])), Redis(Path(sys.argv[1]))):
    service = server.service()
    print(service.start(Path(sys.argv[1]) / "log").pid)
    if isinstance(server, Postgres):
        server.ensure_database()
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_servers_of_a_killed_starter_do_not_block_the_next_one(root: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", STARTER, str(root)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    pids = [int(pid) for pid in killed.stdout.split()]
    with running(Postgres(root)), running(Redis(root)):
        alive = [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    assert (killed.returncode, len(pids), alive) == (-signal.SIGKILL, 2, [])


def test_redis_keeps_its_data_and_takes_nobody_without_the_password(tmp_path: Path) -> None:
    redis = Redis(root_of_servers(tmp_path))
    with running(redis), Client.from_url(redis.url()) as client:
        client.lpush("queue", "message")
    again = Redis(redis.root)
    with running(again), Client.from_url(again.url()) as client:
        kept = client.lrange("queue", 0, -1)
        port = client.connection_pool.connection_kwargs["port"]
        with pytest.raises(AuthenticationError), Client.from_url(f"redis://127.0.0.1:{port}", retry=None) as stranger:
            stranger.ping()
    assert (kept, again.url()) == ([b"message"], redis.url())


def test_the_password_of_redis_is_in_no_command_line_and_no_open_file(tmp_path: Path) -> None:
    redis = Redis(root_of_servers(tmp_path))
    service = redis.service()
    password = redis.url().split("@")[0].rsplit(":")[-1]
    mode = stat.S_IMODE(redis.configuration.stat().st_mode)
    assert (password in redis.configuration.read_text(), mode, password in " ".join(service.command)) == (
        True,
        0o600,
        False,
    )


def test_redis_moves_when_its_port_has_been_taken(tmp_path: Path) -> None:
    root = root_of_servers(tmp_path)
    first = Redis(root)
    first.service()
    port = int(first.url().rsplit(":", 1)[1].split("/")[0])
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        second = Redis(root)
        with running(second):
            assert (second.answers(), second.url() == first.url()) == (True, False)


def test_no_redis_at_all_is_one_line_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(redis_module, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedError) as raised:
        Redis(tmp_path).service()
    assert (str(raised.value).count("\n"), "Install redis-server" in str(raised.value)) == (0, True)


def test_a_server_that_ends_at_once_is_told_by_its_last_words(tmp_path: Path) -> None:
    service = Service(
        name="oracle",
        command=(sys.executable, "-c", "print('hello'); print('no licence'); raise SystemExit(3)"),
        directory=tmp_path,
        before_exec=before_exec(dies_by=signal.SIGTERM),
        answers=lambda: False,
    )
    with pytest.raises(EmbeddedError) as raised:
        service.start(tmp_path / "log")
    assert str(raised.value) == f"oracle did not start: no licence (all of it in {tmp_path / 'log'})"


def test_a_server_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    code = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    log = tmp_path / "log"
    service = Service(
        name="deaf",
        command=(sys.executable, "-c", code),
        directory=tmp_path,
        before_exec=before_exec(dies_by=signal.SIGTERM),
        answers=lambda: "up" in log.read_text(),
    )
    process = service.start(log)
    service.stop(process, patience=0.2)
    assert process.returncode == -signal.SIGKILL


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import os, signal, subprocess, sys\nfrom jobsite.embedded.child import before_exec\n"
        "child = subprocess.Popen(['sleep', '60'], preexec_fn=before_exec(dies_by=signal.SIGTERM))\n"
        "print(child.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    # The pipe would stay open in a child that lives on, and be waited for.
    parent = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, timeout=30, check=False)
    child = int(parent.stdout)
    wait_for(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_whether_a_user_can_pass_is_read_off_every_directory_on_the_way(tmp_path: Path) -> None:
    stranger = ServerUser("stranger", 61234, 61234)
    inner = Path(tmp_path.anchor) / "usr"
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert (reaches(stranger, inner), reaches(stranger, closed)) == (True, False)
