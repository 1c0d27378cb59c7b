"""Blocks: what thousands of stored measurements say, as arrays. The only writer of ``MeasurementBlock``.

A block may be made or be missing at any time: rows are the truth, and who reads takes from rows what no block holds.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import connection, transaction

from zementis.models import DeviceLayout, MeasurementBlock

logger = logging.getLogger(__name__)

# Packing costs as much as storing a few hundred rows, so it waits for enough; what is left over makes smaller blocks.
ENOUGH_ROWS = 2_000
MIN_ROWS = 1_000
MAX_ROWS = 8_000
# What one call may pack, and a client waits for; the rest is for the next.
_MOST_BLOCKS = 8
_REMEMBERED = 50_000
# See migration 0002.
_LOCK, _BUCKETS = 748107, 256
_BEGINNING = datetime(1, 1, 2, tzinfo=UTC)
_END = datetime(9999, 12, 31, tzinfo=UTC)


class _Loose:
    """How many rows of a device and layout this process has stored that are in no block yet, and the oldest instant."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: OrderedDict[tuple[int, int], tuple[int, datetime]] = OrderedDict()

    def add(self, pair: tuple[int, int], rows: int, since: datetime) -> bool:
        """Count rows; return whether there are enough for a block."""
        with self._lock:
            known, oldest = self._rows.pop(pair, (0, since))
            self._rows[pair] = known + rows, min(oldest, since)
            while len(self._rows) > _REMEMBERED:
                self._rows.popitem(last=False)
            return known + rows >= ENOUGH_ROWS

    def take(self, pair: tuple[int, int]) -> tuple[int, datetime] | None:
        """Forget a pair and return what was known of it."""
        with self._lock:
            return self._rows.pop(pair, None)

    def clear(self) -> None:
        with self._lock:
            self._rows.clear()


_loose = _Loose()


def forget() -> None:
    """Forget what was counted: tests empty the tables under us."""
    _loose.clear()


def count(added: Iterable[tuple[tuple[int, int], int, datetime]]) -> None:
    """Take note of committed rows: (device, layout), how many, and their oldest instant; pack where enough are loose.

    A pair that somebody else is working on is left for the next time.
    """
    for pair, rows, since in added:
        if _loose.add(pair, rows, since) and (known := _loose.take(pair)) is not None:
            packed = pack(*pair, since=known[1])
            if packed is None:
                _loose.add(pair, *known)


def pack_all() -> int:
    """Pack whatever is loose in the whole store, device by device; return how many rows went into blocks."""
    total = 0
    for pair in DeviceLayout.objects.order_by("pk").values_list("device_id", "layout_id").iterator():
        since = _BEGINNING
        while (found := pack(*pair, since=since)) is not None and found[0]:
            total += found[0]
            since = found[1]
    return total


def pack(device: int, layout: int, *, since: datetime) -> tuple[int, datetime] | None:
    """Make blocks of loose rows from the newest block before ``since`` on; at least ``MIN_ROWS`` rows make one.

    Returns how many rows were packed and how far it came; None where others hold the device or its rows change.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Never wait: those who hold these may wait for us.
            cursor.execute("SELECT 1 FROM zementis_managedobject WHERE id = %s FOR KEY SHARE SKIP LOCKED", [device])
            if cursor.fetchone() is None:
                return None
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCK, device % _BUCKETS])
            if not cursor.fetchone()[0]:
                return None
        return _pack(device, layout, since)


def _pack(device: int, layout: int, since: datetime) -> tuple[int, datetime]:
    # NumPy stays out of a web process that stores single measurements only.
    from zementis.devices import loose_rows
    from zementis.devices.block_encoding import encode
    from zementis.devices.loose_rows import Range, instant, microseconds

    blocks = MeasurementBlock.objects.filter(device_id=device, layout_id=layout)
    before = blocks.filter(first_time__lt=since).order_by("-last_time").values_list("last_time", flat=True).first()
    start = microseconds(before) + 1 if before is not None else microseconds(_BEGINNING)
    after = blocks.filter(last_time__gte=instant(start)).order_by("last_time").values_list("first_time", "last_time")
    fences = [(microseconds(first), microseconds(last)) for first, last in after[: 4 * _MOST_BLOCKS]]
    made: list[MeasurementBlock] = []
    for first, last in [*fences, (microseconds(_END), microseconds(_END))]:
        while start < first and len(made) < _MOST_BLOCKS:
            found = loose_rows.read([Range(device, layout, start, first)], limit=MAX_ROWS + 1).get(0)
            size = 0 if found is None else _cut(found.times)
            if found is None or size < MIN_ROWS:
                break
            times, ids, values = found.times[:size], found.ids[:size], found.values[:size]
            made.append(
                MeasurementBlock(
                    device_id=device,
                    layout_id=layout,
                    first_time=instant(int(times[0])),
                    last_time=instant(int(times[-1])),
                    rows=size,
                    data=encode(times, ids, values),
                )
            )
            start = int(times[-1]) + 1
        if len(made) == _MOST_BLOCKS:
            break
        start = last + 1
    MeasurementBlock.objects.bulk_create(made)
    return sum(block.rows for block in made), made[-1].last_time if made else since


def _cut(times: object) -> int:
    """Return how many of the rows read make a block: no instant may be half inside."""
    import numpy as np

    array = np.asarray(times)
    if len(array) <= MAX_ROWS:
        return len(array)
    return int(np.searchsorted(array, array[MAX_ROWS], side="left"))
