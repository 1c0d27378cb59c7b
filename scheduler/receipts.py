"""Receipts of signed messages, so that none is worked on again once it was dealt with."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

_TAKE = """
INSERT INTO scheduler_receipt (nonce, until, closed) VALUES (%s, %s, false)
ON CONFLICT (nonce) DO UPDATE SET until = excluded.until WHERE NOT scheduler_receipt.closed
RETURNING 1
"""
_TAKE_ONCE = """
INSERT INTO scheduler_receipt (nonce, until, closed) VALUES (%s, %s, true) ON CONFLICT (nonce) DO NOTHING RETURNING 1
"""
_PURGE = """
DELETE FROM scheduler_receipt WHERE nonce IN (
    SELECT nonce FROM scheduler_receipt WHERE until < clock_timestamp() LIMIT %s FOR UPDATE SKIP LOCKED)
"""
_AT_ONCE = 10_000


def take(nonce: str, *, until: datetime, again: bool) -> bool:
    """Note that a message came. Return False where it was dealt with before.

    With ``again`` it may come again until ``close``: a worker may have died with it. Without, the first to take it is
    the only one, however many ask at the same moment. ``until`` is when no such message is taken any more, and its
    receipt can be forgotten.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKE if again else _TAKE_ONCE, [nonce, until])
        return cursor.fetchone() is not None


def close(nonce: str) -> None:
    """Note that the message was dealt with."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scheduler_receipt SET closed = true WHERE nonce = %s", [nonce])


def purge() -> int:
    """Forget the receipts of messages that are too old to be taken, a batch of them; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_PURGE, [_AT_ONCE])
        return int(cursor.rowcount)
