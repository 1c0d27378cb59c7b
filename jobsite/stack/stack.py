"""The stack from start to end: servers, preparation, programs, and the way back."""

import asyncio
import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping

import psycopg
from django.conf import settings
from redis import Redis as Client
from redis.exceptions import RedisError

from jobsite.embedded.postgres import Postgres
from jobsite.embedded.redis import Redis
from jobsite.settings import env
from jobsite.stack import leftovers, preparation, readiness
from jobsite.stack.home import Home, StackError
from jobsite.stack.login import recall
from jobsite.stack.programs import manage, programs
from jobsite.stack.supervisor import Supervisor
from jobsite.stack.terminal import say

_READY_WITHIN_SECONDS = 90.0


def run(*, everything: bool) -> None:
    """Run the stack until SIGINT, SIGTERM or SIGHUP. `everything`: show all output of all children.

    Raises StackError or EmbeddedError, each with one line that says what to do, where it cannot run.
    """
    if sys.version_info < (3, 12) and hasattr(os, "pidfd_open"):
        # The default of 3.11 waits for each child in a thread, and forking is safest where there is only one.
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
    home = Home(settings.DATA_DIR)
    with home.held(), _listening() as listener:
        asyncio.run(_until_told(home, listener, everything=everything))


async def _until_told(home: Home, listener: socket.socket, *, everything: bool) -> None:
    told = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(signum, told.set)
    supervisor = Supervisor(home, everything=everything)
    starting = asyncio.create_task(_start(home, supervisor, listener))
    waiting = asyncio.create_task(told.wait())
    try:
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not told.is_set():
            starting.result()
            await waiting
        say("jobsite   | stack.stopping")
    finally:
        starting.cancel()
        waiting.cancel()
        await asyncio.gather(starting, waiting, return_exceptions=True)
        began = time.monotonic()
        await supervisor.stop()
        say(f"jobsite   | stack.stopped after={time.monotonic() - began:.1f}s")


async def _start(home: Home, supervisor: Supervisor, listener: socket.socket) -> None:
    began = time.monotonic()
    ended = leftovers.end(home)
    if ended:
        say(f"jobsite   | leftovers.ended processes={ended}")
    environment = {
        **os.environ,
        **env.from_files,
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "jobsite.settings",
    }
    # Runs must have been told to stop well before the supervisor's patience with their worker is over.
    environment.setdefault("SCHEDULER_SHUTDOWN_SECONDS", "2")
    found: dict[str, str] = {}
    if "DATABASE_URL" in settings.STACK_EMBEDS:
        say("jobsite   | postgres.starting")
        postgres = Postgres(home.root)
        await supervisor.serve(postgres.service(), environment=environment)
        postgres.ensure_database()
        found["DATABASE_URL"] = postgres.url()
    if "CELERY_BROKER_URL" in settings.STACK_EMBEDS:
        say("jobsite   | redis.starting")
        redis = Redis(home.root)
        await supervisor.serve(redis.service(), environment=environment)
        found["CELERY_BROKER_URL"] = redis.url()
    kept = home.environment(found)
    # What the user gave wins over what an earlier start has kept, and this start's addresses over any older ones.
    environment |= {name: value for name, value in kept.items() if name in found or not environment.get(name)}
    _reach(environment)
    if not preparation.is_done(home, environment):
        say("jobsite   | database.preparing")
        await supervisor.once(manage("prepare", "prepare"), environment=environment)
        preparation.note_done(home, environment)
    since = preparation.clock(environment)
    await supervisor.run(programs(listener.fileno()), environment=environment)
    missing = await readiness.wait(settings.PORT, since=since, deadline=_READY_WITHIN_SECONDS)
    if missing:
        say(f"jobsite   | stack.not_ready missing={'; '.join(missing)!r} logs={home.logs}")
    say(_banner(home, ready_after=None if missing else time.monotonic() - began))


def _reach(environment: Mapping[str, str]) -> None:
    """Raise StackError unless both servers answer: embedded ones do by now, those of others may not."""
    try:
        psycopg.connect(environment["DATABASE_URL"], connect_timeout=10).close()
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise StackError(f"DATABASE_URL: the database cannot be reached ({reason}).") from error
    url = environment["CELERY_BROKER_URL"].replace("redis+socket://", "unix://")
    try:
        with Client.from_url(url, socket_connect_timeout=10) as client:
            client.ping()
    except (RedisError, ValueError) as error:
        raise StackError(f"CELERY_BROKER_URL: Redis cannot be reached ({error}).") from error


_PORTS_FAULT = (errno.EADDRINUSE, errno.EACCES)


def _listening() -> socket.socket:
    """The web server's socket. Taken before anything is started, and handed on: no second start can slip in between,
    and a caller waits instead of being refused while the web server is started again."""
    family = socket.AF_INET6 if ":" in settings.HOST else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.HOST, settings.PORT))
        listener.listen(512)
    except OSError as error:
        listener.close()
        remedy = "PORT to another one" if error.errno in _PORTS_FAULT else "HOST to an address of this machine"
        raise StackError(
            f"Cannot listen on {settings.HOST}:{settings.PORT} ({error.strerror}): set {remedy}."
        ) from error
    return listener


def _banner(home: Home, *, ready_after: float | None) -> str:
    host = "127.0.0.1" if settings.HOST in {"0.0.0.0", "::"} else settings.HOST  # noqa: S104 - compared with
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.PORT}"
    login = recall(home.root / "admin.json")
    if settings.ADMIN_PASSWORD:
        known, password = "the one in ADMIN_PASSWORD", '"$ADMIN_PASSWORD"'
    elif login and login.password:
        known = password = login.password
    else:
        known, password = "changed since it was made; ADMIN_PASSWORD=… sets it anew", "PASSWORD"
    state = "Jobsite is not ready yet" if ready_after is None else f"Jobsite is ready after {ready_after:.1f} s"
    return f"""
{state}.

  Admin      {url}/admin/
  Volt MX    {url}/admin/api/jobs/job
  Zementis   {url}/service/zementis/jobs
  State      {url}/readyz
  Login      {settings.ADMIN_USER} / {known}
  Files      {home.root} (logs in {home.logs.name}/)

Try
  curl -u {settings.ADMIN_USER}:{password} {url}/service/zementis/jobs

Ctrl-C stops it; `make run` starts it again with all its data.
"""
