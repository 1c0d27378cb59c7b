"""The database's clock: the one every process agrees on, whatever its own host believes. And how time passes here."""

from __future__ import annotations

import time
from datetime import datetime

from django.db import connection

# Counts while the machine is suspended too. Where there is no such clock, the monotonic one does that itself.
_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Return seconds that only ever grow, as fast as they pass on this host, asleep or awake. Asks no database."""
    return time.clock_gettime(_ELAPSED)


def now() -> datetime:
    """Return PostgreSQL's time in UTC: inside a transaction the instant it began, else the present one."""
    return _read("SELECT now()")


def exact_now() -> datetime:
    """Return PostgreSQL's present time in UTC, inside a transaction too."""
    return _read("SELECT clock_timestamp()")


def _read(query: str) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    instant: datetime = row[0]
    return instant
