"""Reads a device's window as arrays: PostgreSQL makes the columns, no Python object is made per value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
from django.db import connection
from psycopg.adapt import Loader
from psycopg.pq import Format

from zementis.arguments import SeriesName, Window
from zementis.devices import layouts as series_layouts
from zementis.devices.source import Chunk

if TYPE_CHECKING:
    from zementis.devices.source import Floats, Instants

# PostgreSQL counts microseconds from 2000, everyone else from 1970.
_POSTGRES_EPOCH = 946_684_800_000_000
_ARRAY_OIDS = {"float8": 1022, "int8": 1016, "timestamptz": 1185}
_HEADER = 12
_PER_DIMENSION = 8

_WINDOW = """
SELECT w.layout_id, array_agg(w.id), array_agg(w.time), array_agg(w.values)
  FROM (SELECT m.layout_id, m.id, m.time, m.values
          FROM zementis_measurement m
         WHERE m.device_id = %(device)s AND m.time >= %(start)s AND m.time < %(end)s AND m.layout_id = ANY(%(layouts)s)
           AND (m.time, m.id) > (%(after_time)s::timestamptz, %(after_id)s::bigint)
         ORDER BY m.time, m.id
         LIMIT %(limit)s) w
 GROUP BY w.layout_id
"""


class _RawArray(Loader):
    """Hands an array over as the bytes it came in: no Python object per element."""

    format = Format.BINARY

    def load(self, data: Any) -> bytes:
        return bytes(data)


def chunks(device: int, *, series: Sequence[SeriesName], window: Window, limit: int) -> Iterator[Chunk]:
    """Give the device's measurements of ``series`` inside ``window`` in chunks of at most ``limit`` rows."""
    places = series_layouts.positions(device, series=series)
    after: tuple[datetime, int] = (window.start, 0)
    while places:
        parts = _read(device, window, after=after, layouts=list(places), limit=limit)
        chunk, last = _merged(parts, places, width=len(series))
        if last is None:
            return
        yield chunk
        if len(chunk.times) < limit:
            return
        after = last


def _read(
    device: int, window: Window, *, after: tuple[datetime, int], layouts: list[int], limit: int
) -> list[tuple[int, Instants, Instants, Floats]]:
    """Return layout id, ids, times (microseconds since 1970) and values (a row per measurement) of one chunk."""
    connection.ensure_connection()
    # Django's own cursor writes parameters into the text, and then PostgreSQL cannot answer in binary.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        for oid in _ARRAY_OIDS.values():
            cursor.adapters.register_loader(oid, _RawArray)
        cursor.execute(
            _WINDOW,
            {
                "device": device,
                "start": window.start,
                "end": window.end,
                "layouts": layouts,
                "after_time": after[0],
                "after_id": after[1],
                "limit": limit,
            },
            binary=True,
        )
        return [
            (layout, _int8s(ids), _int8s(times) + _POSTGRES_EPOCH, _float8s(values))
            for layout, ids, times, values in cursor
        ]


def _body(data: bytes, *, dimensions: int) -> bytes:
    """Return the elements of a binary array without its header: each four bytes of length and eight of value."""
    return data[_HEADER + _PER_DIMENSION * dimensions :]


_INT8 = np.dtype([("length", ">i4"), ("value", ">i8")])
_FLOAT8 = np.dtype([("length", ">i4"), ("value", ">f8")])


def _int8s(data: bytes) -> Instants:
    return np.frombuffer(_body(data, dimensions=1), dtype=_INT8)["value"].astype(np.int64)


def _float8s(data: bytes) -> Floats:
    """Return the values as one row per measurement. Values are never null, so every element has its length."""
    width = int.from_bytes(data[_HEADER + _PER_DIMENSION : _HEADER + _PER_DIMENSION + 4], "big")
    elements = np.frombuffer(_body(data, dimensions=2), dtype=_FLOAT8)["value"]
    return elements.reshape(-1, width)


def _merged(
    parts: list[tuple[int, Instants, Instants, Floats]], places: dict[int, list[int | None]], *, width: int
) -> tuple[Chunk, tuple[datetime, int] | None]:
    """Put the layouts' parts into one chunk in the order of (time, id); also return where to go on."""
    if not parts:
        empty: Floats = np.empty(0)
        return Chunk(np.empty(0, dtype=np.int64), (empty,) * width), None
    times = np.concatenate([part[2] for part in parts])
    ids = np.concatenate([part[1] for part in parts])
    columns = [np.full(len(times), np.nan) for _ in range(width)]
    offset = 0
    for layout, part_ids, _, values in parts:
        rows = slice(offset, offset + len(part_ids))
        for column, place in zip(columns, places[layout], strict=True):
            if place is not None:
                column[rows] = values[:, place]
        offset += len(part_ids)
    if len(parts) > 1 or not bool(np.all(times[1:] > times[:-1])):
        order = np.lexsort((ids, times))
        times, ids = times[order], ids[order]
        columns = [column[order] for column in columns]
    return Chunk(times, tuple(columns)), (_instant(int(times[-1])), int(ids[-1]))


def _instant(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
