"""Emptying the database after a test that commits.

Django truncates every table and writes permissions anew, which takes a tenth of a second and more for a hundred tables
of which a test has touched five. Here rows are deleted where there are some, and what migrations wrote of permissions
and roles stays, unless the test has changed it.
"""

from functools import cache

from django.db import OperationalError, ProgrammingError, connection, transaction
from django.test import TransactionTestCase

# What migrations write and `flush` writes again.
_WRITTEN_ONCE = ("django_content_type", "auth_permission", "auth_group", "auth_group_permissions")
# A table that grew beyond this is truncated: its dead rows would have to be stepped over by the tests that follow.
_LARGE_BYTES = 512 * 1024
_TRIES = 3

# Neither triggers nor foreign keys are asked: everything goes.
_PAST_TRIGGERS = "SET LOCAL session_replication_role = replica"

_truncate_all = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]


def install() -> None:
    """Empty the database in this way from now on; called once, with the database as migrations left it."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_PAST_TRIGGERS)
    except ProgrammingError:
        # The role may not; Django's way is as right, and slower.
        return
    before = _fingerprint()

    def empty(test: TransactionTestCase) -> None:
        if _fingerprint() != before or not _emptied():
            _truncate_all(test)

    TransactionTestCase._fixture_teardown = empty  # type: ignore[attr-defined]


def _emptied() -> bool:
    """Empty the database; False where a beat or worker that a whole module's tests share was in the way each time."""
    for _ in range(_TRIES):
        try:
            _empty()
        except OperationalError:
            continue
        return True
    return False


def _empty() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_looks())
        filled = cursor.fetchall()
        large = [name for name, size in filled if size > _LARGE_BYTES]
        if large:
            cursor.execute(f"TRUNCATE {', '.join(large)} CASCADE")
        cursor.execute(_PAST_TRIGGERS)
        for name, _ in filled:
            if name not in large:
                cursor.execute(f"DELETE FROM {name}")  # noqa: S608 - names of our own tables


@cache
def _looks() -> str:
    """Return one query for the names and sizes of all tables that have rows."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return " UNION ALL ".join(
        f"SELECT '{name}', pg_relation_size('{name}') WHERE EXISTS (SELECT 1 FROM {name})"  # noqa: S608 - names from the catalogue
        for name in sorted(names)
        if name not in _WRITTEN_ONCE
    )


def _fingerprint() -> tuple[str, ...]:
    columns = ", ".join(
        f"(SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY id)), '') FROM {name} t)"  # noqa: S608 - names from the catalogue
        for name in _WRITTEN_ONCE
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns}")
        found: tuple[str, ...] = cursor.fetchone()
    return found
