"""Reads stored measurements row by row, as arrays: PostgreSQL makes the columns, no Python object is made per value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
from django.db import connection
from psycopg.adapt import Loader
from psycopg.pq import Format

if TYPE_CHECKING:
    from zementis.devices.source import Floats, Instants

# PostgreSQL counts microseconds from 2000, everyone else from 1970.
_POSTGRES_EPOCH = 946_684_800_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ARRAY_OIDS = {"float8": 1022, "int8": 1016, "timestamptz": 1185}
_HEADER = 12
_PER_DIMENSION = 8

# Of one layout, so that all arrays of values are of one length and become one.
_RANGES = """
SELECT array_agg(g.number - 1), array_agg(w.id), array_agg(w.time), array_agg(w.values)
  FROM unnest(%(devices)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(after)s::bigint[])
       WITH ORDINALITY g(device, first, last, after, number)
 CROSS JOIN LATERAL (
       SELECT m.id, m.time, m.values
         FROM zementis_measurement m
        WHERE m.device_id = g.device AND m.layout_id = %(layout)s
          AND (m.time, m.id) > (g.first, g.after) AND m.time < g.last
        ORDER BY m.time, m.id
        LIMIT %(limit)s) w
"""


@dataclass(frozen=True)
class Range:
    """Measurements of a layout of a device from ``start`` on, before ``end`` (microseconds since 1970).

    At ``start`` itself only those with an id above ``after``.
    """

    device: int
    layout: int
    start: int
    end: int
    after: int = 0


@dataclass(frozen=True)
class Rows:
    """What was found, in the order of (instant, id): times as above, and a row of values per measurement."""

    ids: Instants
    times: Instants
    values: Floats


class _RawArray(Loader):
    """Hands an array over as the bytes it came in."""

    format = Format.BINARY

    def load(self, data: Any) -> bytes:
        return bytes(data)


def binary_cursor() -> psycopg.Cursor[Any]:
    """Return a cursor of Django's connection that can be answered in binary, arrays as their bytes.

    Django's own writes parameters into the text, and then PostgreSQL cannot answer in binary.
    """
    connection.ensure_connection()
    cursor: psycopg.Cursor[Any] = psycopg.Cursor(connection.connection)
    for oid in _ARRAY_OIDS.values():
        cursor.adapters.register_loader(oid, _RawArray)
    return cursor


def read(ranges: Sequence[Range], *, limit: int) -> dict[int, Rows]:
    """Return, by the place of a range, its first ``limit`` measurements; ranges without any are left out."""
    found: dict[int, Rows] = {}
    places: dict[int, list[int]] = {}
    for place, one in enumerate(ranges):
        places.setdefault(one.layout, []).append(place)
    for layout, asked in places.items():
        found |= _of_layout(layout, asked, [ranges[place] for place in asked], limit=limit)
    return found


def _of_layout(layout: int, places: list[int], ranges: list[Range], *, limit: int) -> dict[int, Rows]:
    with connection.wrap_database_errors, binary_cursor() as cursor:
        cursor.execute(
            _RANGES,
            {
                "devices": [one.device for one in ranges],
                "layout": layout,
                "starts": [instant(one.start) for one in ranges],
                "ends": [instant(one.end) for one in ranges],
                "after": [one.after for one in ranges],
                "limit": limit,
            },
            binary=True,
        )
        row = cursor.fetchone()
    if row is None or row[0] is None:
        return {}
    numbers, ids, times, values = _int8s(row[0]), _int8s(row[1]), _int8s(row[2]) + _POSTGRES_EPOCH, _float8s(row[3])
    edges = np.searchsorted(numbers, np.arange(len(ranges) + 1)).tolist()
    return {
        place: Rows(ids[first:last], times[first:last], values[first:last])
        for place, first, last in zip(places, edges, edges[1:], strict=False)
        if first < last
    }


def instant(microseconds: int) -> datetime:
    """Return microseconds since 1970 as an aware instant."""
    return _EPOCH + timedelta(microseconds=microseconds)


def microseconds(instant: datetime) -> int:
    """Return an aware instant as microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


# The elements of a binary array: each four bytes of length and eight of value.
_INT8 = np.dtype([("length", ">i4"), ("value", ">i8")])
_FLOAT8 = np.dtype([("length", ">i4"), ("value", ">f8")])


def _int8s(data: bytes) -> Instants:
    return np.frombuffer(data, dtype=_INT8, offset=_HEADER + _PER_DIMENSION)["value"].astype(np.int64)


def _float8s(data: bytes) -> Floats:
    """Return the values as one row per measurement. Values are never null, so every element has its length."""
    width = int.from_bytes(data[_HEADER + _PER_DIMENSION : _HEADER + _PER_DIMENSION + 4], "big")
    elements = np.frombuffer(data, dtype=_FLOAT8, offset=_HEADER + 2 * _PER_DIMENSION)["value"]
    # Column after column in memory: that is how they are used.
    return elements.reshape(-1, width).T.astype(np.float64, order="C").T
