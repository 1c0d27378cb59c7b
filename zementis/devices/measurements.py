"""Measurements come in here: checked one by one, stored with one COPY. The only writer of ``Measurement``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection, transaction

from scheduler.strict_json import UnreadableJson, check_storable, storable_text
from zementis import instants
from zementis.devices import blocks, layouts
from zementis.devices.exceptions import InvalidContent, ObjectNotFound
from zementis.devices.layouts import Layout

MAX_SERIES = 1_000
_OWN_KEYS = frozenset({"id", "self", "source", "time", "type"})
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class NewMeasurement:
    """A checked measurement that is not stored yet. ``extra`` is what was sent beside the values."""

    device: int
    time: datetime
    layout: Layout
    values: tuple[float, ...]
    extra: dict[str, Any] | None


def read(content: Any) -> NewMeasurement:
    """Check one measurement as clients post it. Raises ``InvalidContent``."""
    if not isinstance(content, dict):
        raise InvalidContent("A measurement must be a JSON object.")
    kind, when = content.get("type"), content.get("time")
    if not isinstance(kind, str) or not kind or len(kind) > 255 or not storable_text(kind):
        raise InvalidContent("type must be text of 1 to 255 characters.")
    if not isinstance(when, str):
        raise InvalidContent(f"time must be {instants.EXPECTED}.")
    try:
        time = instants.parse(when)
        # The platform knows milliseconds, and what it answers must be what is compared.
        time = time.replace(microsecond=time.microsecond // 1000 * 1000)
    except ValueError as error:
        raise InvalidContent(f"time must be {error}, not '{when[:40]}'.") from None
    series: list[tuple[str, str, str | None]] = []
    values: list[float] = []
    extra: dict[str, Any] = {}
    for fragment, body in content.items():
        if fragment not in _OWN_KEYS:
            rest = _read_fragment(fragment, body, series, values)
            if rest is not None:
                extra[fragment] = rest
    if len(series) > MAX_SERIES:
        raise InvalidContent(f"A measurement has at most {MAX_SERIES} series.")
    if extra:
        try:
            check_storable(extra)
        except UnreadableJson as error:
            raise InvalidContent(f"The measurement cannot be kept: {error}.") from None
    return NewMeasurement(_source(content), time, _layout(kind, tuple(series)), tuple(values), extra or None)


def _source(content: Mapping[str, Any]) -> int:
    source = content.get("source")
    identifier = source.get("id") if isinstance(source, dict) else None
    text = str(identifier) if isinstance(identifier, (str, int)) and not isinstance(identifier, bool) else ""
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > _LARGEST_ID:
        raise InvalidContent('source must name a device: {"id": "…"}.')
    return int(text)


# Devices send the same names again and again: they are looked at once, and their layouts are one object each.
_layout = lru_cache(4096)(Layout)


@lru_cache(4096)
def _names(fragment: str, name: str, unit: str | None) -> tuple[str, str, str | None]:
    """Return the names of a value as a layout has them. Raises ``InvalidContent``."""
    for text in (fragment, name, unit or ""):
        if len(text) > 255 or not storable_text(text):
            raise InvalidContent("Names of fragments and series, and units, are text of at most 255 characters.")
    return fragment, name, unit


def _read_fragment(
    fragment: str, body: Any, series: list[tuple[str, str, str | None]], values: list[float]
) -> dict[str, Any] | Any | None:
    """Take the series out of one fragment; return what else is in it, None where that is nothing."""
    if not isinstance(body, dict):
        return body
    rest: dict[str, Any] = {}
    for name, entry in body.items():
        if not isinstance(entry, dict) or "value" not in entry:
            rest[name] = entry
            continue
        value = entry["value"]
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            # Kept beside the series it would look stored and never be scored.
            raise InvalidContent(f"The value of {_path(fragment, name)} must be a number.")
        unit = entry.get("unit")
        if unit is not None and not isinstance(unit, str):
            raise InvalidContent(f"The unit of {_path(fragment, name)} must be text.")
        values.append(_finite(value, fragment, name))
        series.append(_names(fragment, name, unit))
        if len(entry) > 1 + ("unit" in entry):
            rest[name] = {key: item for key, item in entry.items() if key not in ("value", "unit")}
    return rest if rest or not body else None


def _path(fragment: str, name: str) -> str:
    return f"{fragment[:100]}.{name[:100]}"


def _finite(value: float, fragment: str, name: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if number - number != 0.0:
        raise InvalidContent(f"The value of {_path(fragment, name)} is too large.")
    return number


def store(new: Sequence[NewMeasurement]) -> list[int]:
    """Store measurements, all or none, and return their ids in order. Raises ``ObjectNotFound``."""
    if not new:
        return []
    with transaction.atomic(), connection.cursor() as cursor:
        _hold_devices(cursor, {item.device for item in new})
        ids = layouts.ids_of({item.layout for item in new})
        layouts.note_use({(item.device, ids[item.layout]) for item in new})
        cursor.execute("SELECT nextval('zementis_measurement_id_seq') FROM generate_series(1, %s)", [len(new)])
        given = [row[0] for row in cursor.fetchall()]
        # Text made here costs a third of what an adapter per value would.
        lines = "".join(
            f"{key}\t{item.device}\t{item.time.isoformat()}\t{ids[item.layout]}"
            f"\t{{{','.join(map(repr, item.values))}}}\t{_escaped(item.extra)}\n"
            for key, item in zip(given, new, strict=True)
        )
        with (
            connection.wrap_database_errors,
            cursor.copy(
                'COPY zementis_measurement (id, device_id, "time", layout_id, "values", extra) FROM STDIN'
            ) as copy,
        ):
            copy.write(lines)
        added = _added(new, ids)
        # The measurements are stored whatever becomes of this.
        transaction.on_commit(lambda: blocks.count(added), robust=True)
    return given


def _added(new: Sequence[NewMeasurement], ids: Mapping[Layout, int]) -> list[tuple[tuple[int, int], int, datetime]]:
    """Return (device, layout), how many, and the oldest instant of each."""
    found: dict[tuple[int, int], tuple[int, datetime]] = {}
    for item in new:
        if item.values:
            pair = item.device, ids[item.layout]
            known, oldest = found.get(pair, (0, item.time))
            found[pair] = known + 1, min(oldest, item.time)
    return [(pair, rows, oldest) for pair, (rows, oldest) in found.items()]


def _hold_devices(cursor: Any, devices: set[int]) -> None:
    """Keep the devices from being deleted until we have committed. Raises ``ObjectNotFound``."""
    cursor.execute(
        "SELECT id FROM zementis_managedobject WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE", [sorted(devices)]
    )
    for missing in sorted(devices - {row[0] for row in cursor.fetchall()}):
        raise ObjectNotFound(f"No managedObject for id '{missing}'!")


def _escaped(extra: dict[str, Any] | None) -> str:
    """Return a JSON value for COPY's text format: the backslash is its escape, a line its row."""
    if extra is None:
        return "\\N"
    # ASCII JSON holds no raw tab or line break.
    return json.dumps(extra, ensure_ascii=True).replace("\\", "\\\\")
