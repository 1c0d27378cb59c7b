"""The database's clock: the one every process agrees on, whatever its own host believes."""

from __future__ import annotations

from datetime import datetime

from django.db import connection


def now() -> datetime:
    """Return PostgreSQL's time in UTC: inside a transaction the instant it began, else the present one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        row = cursor.fetchone()
    instant: datetime = row[0]
    return instant
