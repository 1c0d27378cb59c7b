"""The database's clock: the one every process agrees on, whatever its own host believes."""

from __future__ import annotations

from datetime import datetime

from django.db import connection


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
