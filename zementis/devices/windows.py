"""Reads devices' windows as arrays: PostgreSQL makes the columns, no Python object is made per value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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

# Devices asked for at once. Each may answer with its share of a chunk; those that have more are asked on alone.
_DEVICES = 32

_WINDOWS = """
SELECT d.id, w.layout_id, array_agg(w.id), array_agg(w.time), array_agg(w.values)
  FROM unnest(%(devices)s::bigint[]) d(id)
 CROSS JOIN LATERAL (
       SELECT m.layout_id, m.id, m.time, m.values
         FROM zementis_measurement m
        WHERE m.device_id = d.id AND m.time >= %(start)s AND m.time < %(end)s AND m.layout_id = ANY(%(layouts)s)
          AND (m.time, m.id) > (%(after_time)s::timestamptz, %(after_id)s::bigint)
        ORDER BY m.time, m.id
        LIMIT %(limit)s) w
 GROUP BY d.id, w.layout_id
"""


class _RawArray(Loader):
    """Hands an array over as the bytes it came in: no Python object per element."""

    format = Format.BINARY

    def load(self, data: Any) -> bytes:
        return bytes(data)


@dataclass(frozen=True)
class _Part:
    """What one layout of a device gave: ids, times (microseconds since 1970), a row of values per measurement."""

    layout: int
    ids: Instants
    times: Instants
    values: Floats


@dataclass(frozen=True)
class _Question:
    """What is asked of every device."""

    series: Sequence[SeriesName]
    window: Window
    places: dict[int, list[int | None]]


def chunks(
    devices: Sequence[int], *, series: Sequence[SeriesName], window: Window, limit: int
) -> Iterator[tuple[int, Chunk | None]]:
    """Give each device's measurements in chunks of at most ``limit`` rows, and None after its last."""
    for start in range(0, len(devices), _DEVICES):
        batch = devices[start : start + _DEVICES]
        question = _Question(series, window, series_layouts.positions(batch, series=series))
        share = max(1, limit // len(batch))
        first = _read(batch, question, after=(window.start, 0), limit=share) if question.places else {}
        for device in batch:
            yield from _of_device(device, first.get(device, []), question, asked=share, limit=limit)
            yield device, None


def _of_device(
    device: int, parts: list[_Part], question: _Question, *, asked: int, limit: int
) -> Iterator[tuple[int, Chunk]]:
    while parts:
        chunk, last = _merged(parts, question)
        yield device, chunk
        if len(chunk.times) < asked:
            return
        asked = limit
        parts = _read([device], question, after=last, limit=limit).get(device, [])


def _read(
    devices: Sequence[int], question: _Question, *, after: tuple[datetime, int], limit: int
) -> dict[int, list[_Part]]:
    """Return, by device, what follows ``after`` in the order of (time, id): at most ``limit`` rows of each."""
    connection.ensure_connection()
    found: dict[int, list[_Part]] = {}
    # Django's own cursor writes parameters into the text, and then PostgreSQL cannot answer in binary.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        for oid in _ARRAY_OIDS.values():
            cursor.adapters.register_loader(oid, _RawArray)
        cursor.execute(
            _WINDOWS,
            {
                "devices": list(devices),
                "start": question.window.start,
                "end": question.window.end,
                "layouts": list(question.places),
                "after_time": after[0],
                "after_id": after[1],
                "limit": limit,
            },
            binary=True,
        )
        for device, layout, ids, times, values in cursor:
            part = _Part(layout, _int8s(ids), _int8s(times) + _POSTGRES_EPOCH, _float8s(values))
            found.setdefault(device, []).append(part)
    return found


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


def _merged(parts: list[_Part], question: _Question) -> tuple[Chunk, tuple[datetime, int]]:
    """Put the layouts' parts into one chunk in the order of (time, id); also return where to go on."""
    times = np.concatenate([part.times for part in parts])
    ids = np.concatenate([part.ids for part in parts])
    columns = [np.full(len(times), np.nan) for _ in question.series]
    offset = 0
    for part in parts:
        rows = slice(offset, offset + len(part.ids))
        for column, place in zip(columns, question.places[part.layout], strict=True):
            if place is not None:
                column[rows] = part.values[:, place]
        offset += len(part.ids)
    if len(parts) > 1 or not bool(np.all(times[1:] > times[:-1])):
        order = np.lexsort((ids, times))
        times, ids = times[order], ids[order]
        columns = [column[order] for column in columns]
    return Chunk(times, tuple(columns)), (_instant(int(times[-1])), int(ids[-1]))


def _instant(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
