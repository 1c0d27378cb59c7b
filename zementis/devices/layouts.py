"""Series layouts: found or made while measurements come in, and asked which of them hold a series."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from django.db import connection, transaction

from zementis.arguments import SeriesName
from zementis.models import DeviceLayout, SeriesLayout

_REMEMBERED = 50_000


@dataclass(frozen=True)
class Layout:
    """A measurement's type and the (fragment, series, unit) of its values."""

    type: str
    series: tuple[tuple[str, str, str | None], ...]

    def __hash__(self) -> int:
        # Every measurement that comes in is looked up by its layout, and most have one that was seen before.
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.type, self.series))

    @property
    def digest(self) -> str:
        """What tells two layouts apart."""
        text = json.dumps([self.type, self.series], ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class _Memory:
    """What this process knows to be in the database for good: bounded, the longest unused forgotten first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[object, int] = OrderedDict()

    def get(self, key: object) -> int | None:
        with self._lock:
            if key not in self._known:
                return None
            self._known.move_to_end(key)
            return self._known[key]

    def add_all(self, pairs: Iterable[tuple[object, int]]) -> None:
        with self._lock:
            self._known.update(pairs)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._known.clear()


_ids = _Memory()
_pairs = _Memory()


def forget() -> None:
    """Forget what was read: tests empty the tables under us."""
    _ids.clear()
    _pairs.clear()


def ids_of(layouts: Iterable[Layout]) -> dict[Layout, int]:
    """Return each layout's id, making rows for new ones. Inside the caller's transaction."""
    found: dict[Layout, int] = {}
    unknown: dict[str, Layout] = {}
    for layout in layouts:
        known = _ids.get(layout)
        if known is None:
            unknown[layout.digest] = layout
        else:
            found[layout] = known
    if not unknown:
        return found
    SeriesLayout.objects.bulk_create(
        [
            SeriesLayout(digest=digest, type=layout.type, series=[list(part) for part in layout.series])
            for digest, layout in sorted(unknown.items())
        ],
        ignore_conflicts=True,
    )
    rows = SeriesLayout.objects.filter(digest__in=list(unknown)).values_list("digest", "pk")
    fresh = {unknown[digest]: pk for digest, pk in rows}
    # Only what is committed may be remembered: a rollback takes the rows away again.
    transaction.on_commit(lambda: _ids.add_all(fresh.items()))
    return found | fresh


def note_use(pairs: Iterable[tuple[int, int]]) -> None:
    """Record that devices (first) sent layouts (second). Inside the caller's transaction."""
    fresh = sorted({pair for pair in pairs if _pairs.get(pair) is None})
    if not fresh:
        return
    DeviceLayout.objects.bulk_create(
        [DeviceLayout(device_id=device, layout_id=layout) for device, layout in fresh], ignore_conflicts=True
    )
    transaction.on_commit(lambda: _pairs.add_all((pair, 1) for pair in fresh))


def of_device(device: int) -> list[SeriesLayout]:
    """Return the layouts that a device has sent, the oldest first."""
    return list(SeriesLayout.objects.filter(devicelayout__device_id=device).order_by("pk"))


def positions(devices: Sequence[int], *, series: Sequence[SeriesName]) -> dict[int, list[int | None]]:
    """Return layout id -> for each of ``series`` its place in the layout's values, None where it has none.

    Only layouts that one of the devices has sent and that hold one of the series at least.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.id, l.series::text FROM zementis_serieslayout l"
            " WHERE l.id IN (SELECT d.layout_id FROM zementis_devicelayout d WHERE d.device_id = ANY(%s))",
            [list(devices)],
        )
        rows = cursor.fetchall()
    places: dict[int, list[int | None]] = {}
    for layout_id, text in rows:
        index = {SeriesName(part[0], part[1]): place for place, part in enumerate(json.loads(text))}
        wanted = [index.get(name) for name in series]
        if any(place is not None for place in wanted):
            places[layout_id] = wanted
    return places
