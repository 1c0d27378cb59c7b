"""A block of measurements as bytes: instants, ids, and one array per series of the layout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zementis import exact_arrays

if TYPE_CHECKING:
    from zementis.devices.source import Floats, Instants

_LENGTH_BYTES = 4


@dataclass(frozen=True)
class Block:
    """Measurements of one layout of a device in the order of (instant, id). ``times``: microseconds since 1970.

    ``columns``: one per series that was asked for, None where the layout has none.
    """

    times: Instants
    ids: Instants
    columns: tuple[Floats | None, ...]


def encode(times: Instants, ids: Instants, values: Floats) -> bytes:
    """Return measurements, one row of ``values`` each, as bytes: a JSON head of codes and lengths, then arrays."""
    written = [exact_arrays.integers(times), exact_arrays.integers(ids)]
    written += [exact_arrays.floats(values[:, place]) for place in range(values.shape[1])]
    head = json.dumps([len(times), [[one.code, len(one.data)] for one in written]], separators=(",", ":")).encode()
    return b"".join([len(head).to_bytes(_LENGTH_BYTES, "big"), head, *(one.data for one in written)])


def decode(data: bytes, places: Sequence[int | None]) -> Block:
    """Return a block with the series at ``places`` of its layout; the others are not touched."""
    begin = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
    count, parts = json.loads(data[_LENGTH_BYTES:begin])
    lengths = [length for _, length in parts]
    starts = np.cumsum([begin, *lengths]).tolist()
    view = memoryview(data)

    def array(number: int) -> exact_arrays.Array:
        return exact_arrays.read(parts[number][0], view[starts[number] : starts[number + 1]], count)

    columns = tuple(None if place is None else array(place + 2) for place in places)
    return Block(array(0), array(1), columns)
