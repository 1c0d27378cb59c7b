"""Questions about stored measurements: one, a page of many, series over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from scheduler import deeds
from zementis.arguments import SeriesName
from zementis.devices import layouts
from zementis.devices.exceptions import MeasurementNotFound
from zementis.models import Measurement, SeriesLayout

_LARGEST_ID = 2**63 - 1
MAX_INSTANTS = 5_000
_DEVICE_WINDOW = "device_id = %s AND layout_id = %s AND time >= %s AND time < %s"
BUCKETS = {"MINUTELY": "minute", "HOURLY": "hour", "DAILY": "day"}


@dataclass(frozen=True)
class StoredMeasurement:
    """A measurement as clients see it. ``series``: fragment, series, unit (None where none was sent), value."""

    id: int
    device: int
    time: datetime
    type: str
    series: tuple[tuple[str, str, str | None, float], ...]
    extra: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which measurements: from ``start`` on, before ``end``."""

    device: int | None = None
    type: str | None = None
    fragment: str | None = None
    series: str | None = None
    start: datetime | None = None
    end: datetime | None = None


def get(identifier: int) -> StoredMeasurement:
    """Return a measurement. Raises ``MeasurementNotFound``."""
    found = (
        Measurement.objects.select_related("layout").filter(pk=identifier).first()
        if 0 < identifier <= _LARGEST_ID
        else None
    )
    if found is None:
        raise MeasurementNotFound(f"Measurement with id '{identifier}' not found.")
    return stored(found)


def delete(identifier: int) -> None:
    """Delete a measurement. Raises ``MeasurementNotFound``."""
    found = get(identifier)
    _delete(Measurement.objects.filter(pk=identifier), {"measurement": identifier, "device": found.device})


def delete_matching(wanted: Filter) -> None:
    """Delete all measurements that match."""
    _delete(matching(wanted), {name: value for name, value in asdict(wanted).items() if value is not None})


def matching(wanted: Filter) -> QuerySet[Measurement]:
    """Return the measurements that match, unordered."""
    rows = Measurement.objects.all()
    if wanted.device is not None:
        rows = rows.filter(device_id=min(wanted.device, _LARGEST_ID))
    if wanted.start is not None:
        rows = rows.filter(time__gte=wanted.start)
    if wanted.end is not None:
        rows = rows.filter(time__lt=wanted.end)
    if wanted.type is not None or wanted.fragment is not None or wanted.series is not None:
        rows = rows.filter(layout_id__in=_matching_layouts(wanted))
    return rows


def in_order(rows: QuerySet[Measurement], *, of_device: bool, newest_first: bool) -> QuerySet[Measurement]:
    """Order measurements by time where they are one device's; over all devices by arrival, which needs no sort."""
    keys = ("time", "pk") if of_device else ("pk",)
    return rows.select_related("layout").order_by(*(f"-{key}" if newest_first else key for key in keys))


def stored(row: Measurement) -> StoredMeasurement:
    """Return a row as clients see it."""
    return StoredMeasurement(
        id=row.pk,
        device=row.device_id,
        time=row.time,
        type=row.layout.type,
        series=tuple(
            (fragment, name, unit, value)
            for (fragment, name, unit), value in zip(row.layout.series, row.values, strict=True)
        ),
        extra=row.extra,
    )


def _matching_layouts(wanted: Filter) -> list[int]:
    rows = SeriesLayout.objects.all()
    if wanted.device is not None:
        rows = rows.filter(devicelayout__device_id=min(wanted.device, _LARGEST_ID))
    if wanted.type is not None:
        rows = rows.filter(type=wanted.type)
    return [
        pk
        for pk, series in rows.values_list("pk", "series")
        if any(wanted.fragment in (None, fragment) and wanted.series in (None, name) for fragment, name, _ in series)
        or (wanted.fragment is None and wanted.series is None)
    ]


def _delete(rows: QuerySet[Measurement], which: dict[str, Any]) -> None:
    """Delete the rows and tell of it: which were asked for and how many there were, not what they said."""
    with transaction.atomic():
        count = rows._raw_delete(rows.db) or 0
        told = {name: str(value) for name, value in which.items()}
        deeds.tell("measurement.deleted", target="measurements", changes={**told, "rows": [count, 0]})


@dataclass(frozen=True)
class SeriesTable:
    """Series over time: their names and units, and per instant the (min, max) of each, None where it has none."""

    series: tuple[tuple[SeriesName, str | None], ...]
    values: tuple[tuple[datetime, tuple[tuple[float, float] | None, ...]], ...]
    truncated: bool


def supported(device: int) -> list[tuple[SeriesName, str | None]]:
    """Return the series a device has ever sent, with the unit sent last."""
    units: dict[SeriesName, str | None] = {}
    for layout in layouts.of_device(device):
        for fragment, name, unit in layout.series:
            units[SeriesName(fragment, name)] = unit
    return sorted(units.items(), key=lambda item: item[0])


def series_table(
    device: int, *, series: Sequence[SeriesName], start: datetime, end: datetime, bucket: str | None, newest_first: bool
) -> SeriesTable:
    """Return a device's series from ``start`` on, before ``end``; ``series`` empty means all, ``bucket`` a time unit.

    At most ``MAX_INSTANTS`` instants; ``truncated`` tells that there were more.
    """
    known = dict(supported(device))
    chosen = [(name, known.get(name)) for name in (series or list(known))]
    places = layouts.positions([device], series=[name for name, _ in chosen])
    parts: list[str] = []
    arguments: list[Any] = []
    instant = "date_trunc(%s, time)" if bucket is not None else "time"
    for layout, positions in places.items():
        for number, place in enumerate(positions):
            if place is not None:
                parts.append(
                    f"SELECT {instant} AS t, %s::int AS s, min(values[%s]) AS low, max(values[%s]) AS high"  # noqa: S608 - of texts of ours
                    f" FROM zementis_measurement WHERE {_DEVICE_WINDOW} GROUP BY 1"
                )
                arguments += [*([bucket] if bucket is not None else []), number, place + 1, place + 1]
                arguments += [device, layout, start, end]
    if not parts:
        return SeriesTable(tuple(chosen), (), False)
    direction = "DESC" if newest_first else "ASC"
    sql = (
        f"WITH parts AS ({' UNION ALL '.join(parts)}),"  # noqa: S608 - constants; values are parameters
        f" instants AS (SELECT DISTINCT t FROM parts ORDER BY t {direction} LIMIT {MAX_INSTANTS + 1})"
        " SELECT t, s, min(low), max(high) FROM parts JOIN instants USING (t)"
        f" GROUP BY t, s ORDER BY t {direction}, s"
    )
    table: dict[datetime, list[tuple[float, float] | None]] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        for time, number, low, high in cursor.fetchall():
            table.setdefault(time, [None] * len(chosen))[number] = (low, high)
    rows = [(time, tuple(cells)) for time, cells in table.items()]
    return SeriesTable(tuple(chosen), tuple(rows[:MAX_INSTANTS]), len(rows) > MAX_INSTANTS)
