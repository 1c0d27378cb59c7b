"""A database whose clock shows what a test says, for what goes by ``now()`` and ``clock_timestamp()`` alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection

_CLOCK = """
CREATE SCHEMA told;
CREATE FUNCTION told.now() RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT current_setting('told.now')::timestamptz $$;
CREATE FUNCTION told.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT current_setting('told.now')::timestamptz $$;
"""


@contextmanager
def told_clock() -> Iterator[Callable[[datetime], None]]:
    """Yield what sets the clock of the test's own transaction, triggers included; it is as it was afterwards.

    The functions lie before PostgreSQL's own on the path on which names are looked up.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLOCK)
        cursor.execute("SELECT current_setting('search_path')")
        [path] = cursor.fetchone()
        cursor.execute(f"SET LOCAL search_path = told, {path}, pg_catalog")

        def tell(instant: datetime) -> None:
            with connection.cursor() as teller:
                teller.execute("SELECT set_config('told.now', %s, true)", [instant.isoformat()])

        try:
            yield tell
        finally:
            cursor.execute(f"SET LOCAL search_path = {path}")
            cursor.execute("DROP SCHEMA told CASCADE")
