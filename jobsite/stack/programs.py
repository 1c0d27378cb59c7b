"""What the stack runs above its servers: web, beats, workers."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from jobsite.embedded.child import before_exec
from jobsite.embedded.service import Program


def programs(listening: int) -> Iterator[Program]:
    """Web on the socket with descriptor `listening`, beats, and a worker for each queue, as the settings say."""
    yield _python(
        "web",
        *("-m", "gunicorn", "--config", "python:jobsite.web.config", "jobsite.wsgi"),
        *("--bind", f"fd://{listening}", "--graceful-timeout", "3"),
        passes=(listening,),
    )
    for number in range(1, settings.STACK_BEATS + 1):
        yield _python(f"beat-{number}", *("-m", "celery", "-A", "jobsite", "beat", "--pidfile", ""))
    yield _worker("services", "--pool", "threads", "--concurrency", str(settings.STACK_SERVICES_THREADS))
    yield _worker("inference", "--pool", "prefork", "--concurrency", str(settings.STACK_INFERENCE_PROCESSES))


def manage(name: str, *arguments: str) -> Program:
    """One `manage.py` command, run to its end."""
    return _python(name, "manage.py", *arguments)


def _worker(queue: str, *options: str) -> Program:
    return _python(
        queue,
        *("-m", "celery", "-A", "jobsite", "worker", "--queues", queue, "--hostname", f"{queue}@%h", *options),
        # What these say to other workers is for remote control, which nothing here uses.
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        # SIGQUIT ends a worker in the middle of its runs; their leases run out and they are rescued.
        kill_signal=signal.SIGQUIT,
    )


def _python(
    name: str, *arguments: str, passes: tuple[int, ...] = (), kill_signal: signal.Signals = signal.SIGKILL
) -> Program:
    root: Path = settings.BASE_DIR
    return Program(
        name=name,
        command=(sys.executable, *arguments),
        directory=root,
        before_exec=before_exec(dies_by=kill_signal if kill_signal is signal.SIGQUIT else signal.SIGTERM),
        kill_signal=kill_signal,
        passes=passes,
    )
