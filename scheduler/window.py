"""Which executions a page looks through: ids grow with time, so that an instant is found without an index on instants.

No page reads all executions. What no index answers is looked for in a window of ids of bounded size.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

WIDEST = 200_000
# Ids are given a little before or after the instant that a row carries: look this much further.
_SKEW = timedelta(minutes=1)

# Bisection by one query: each step asks for the first row at or after the middle, through the primary key.
_FIRST_SINCE = """
WITH RECURSIVE edge(low, high) AS (
    SELECT min(id), max(id) + 1 FROM scheduler_execution
    UNION ALL
    SELECT CASE WHEN probe.created_at < %(instant)s THEN probe.id + 1 ELSE edge.low END,
           CASE WHEN probe.created_at < %(instant)s THEN edge.high ELSE (edge.low + edge.high) / 2 END
      FROM edge,
           LATERAL (SELECT id, created_at FROM scheduler_execution
                     WHERE id >= (edge.low + edge.high) / 2 ORDER BY id LIMIT 1) probe
     WHERE edge.low < edge.high
)
SELECT low FROM edge WHERE low >= high
"""


@dataclass(frozen=True)
class Window:
    """Ids from ``low`` up to but not including ``high``; ``is_cut`` tells that more would have been asked for."""

    low: int
    high: int
    is_cut: bool


def first_id_since(instant: datetime) -> int:
    """Return the id of about the first execution recorded at or after ``instant``; one past the last where none was."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_SINCE, {"instant": instant - _SKEW})
        row = cursor.fetchone()
    return 0 if row is None or row[0] is None else int(row[0])


def newest_id() -> int:
    """Return the id of the newest execution; 0 where there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM scheduler_execution")
        return int(cursor.fetchone()[0])


def window(*, since: datetime | None = None, until: datetime | None = None, widest: int = WIDEST) -> Window:
    """Return the ids recorded from ``since`` on, or the newest up to ``until``, at most ``widest`` of them."""
    newest = newest_id() + 1
    if since is not None:
        low = first_id_since(since)
        high = newest if until is None else min(newest, first_id_since(until + 2 * _SKEW))
        if high - low <= widest:
            return Window(low, max(low, high), False)
        # From a beginning somebody named, look forward; without an end, the newest matter.
        return Window(high - widest, high, True) if until is None else Window(low, low + widest, True)
    high = newest if until is None else first_id_since(until + 2 * _SKEW)
    return Window(max(0, high - widest), high, high > widest)
