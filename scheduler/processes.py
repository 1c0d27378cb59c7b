"""Which beats and workers are alive: each renews a row of its own while it lives and removes it when it stops."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Sequence
from typing import Any

from django.db import connection

from scheduler.models import Process

# A row this old belongs to a process that will not come back.
_FORGET_AFTER = "1 day"


def name_of(kind: str) -> str:
    """Return a name for this process that no other has or will have."""
    return f"{kind}@{socket.gethostname()}:{os.getpid()}:{time.time_ns()}"


def renew(name: str, kind: Process.Kind, *, queues: Sequence[str] = (), slots: int = 0, info: Any = None) -> None:
    """Say that this process is alive. Instants are the database's."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO scheduler_process (name, kind, hostname, pid, queues, slots, started_at, beat_at, info)
            VALUES (%s, %s, %s, %s, %s, %s, clock_timestamp(), clock_timestamp(), %s::jsonb)
            ON CONFLICT (name) DO UPDATE
               SET beat_at = clock_timestamp(), queues = excluded.queues, slots = excluded.slots, info = excluded.info
            """,
            [name, kind.value, socket.gethostname(), os.getpid(), list(queues), slots, json.dumps(info or {})],
        )


def remove(name: str) -> None:
    """Say that this process has stopped."""
    Process.objects.filter(name=name).delete()


def forget_old() -> None:
    """Delete the rows of processes that died long ago."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM scheduler_process WHERE beat_at < now() - %s::interval", [_FORGET_AFTER])
