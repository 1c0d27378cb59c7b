"""Rows are built from measurements whatever the chunks they came in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zementis import rows as building
from zementis.devices import Batch, Chunk
from zementis.rows import RowBuilder

NAN = float("nan")


def chunk(times: list[int], *columns: list[float]) -> Chunk:
    return Chunk(np.array(times, dtype=np.int64), tuple(np.array(column, dtype=np.float64) for column in columns))


def rows_of(*chunks: Chunk) -> list[tuple[Any, ...]]:
    builder = RowBuilder()
    parts = [*(builder.feed(item) for item in chunks), builder.finish()]
    return [row for part in parts if part is not None for row in readable(part)]


def readable(part: building.Rows) -> list[tuple[Any, ...]]:
    """Rows as (instant, values), None for missing."""
    found = zip(part.times.tolist(), *(column.tolist() for column in part.columns), strict=True)
    return [tuple(None if value != value else float(value) for value in row) for row in found]


def test_each_instant_gives_one_row() -> None:
    assert rows_of(chunk([1, 2], [10, 20], [30, 40])) == [(1, 10, 30), (2, 20, 40)]


def test_a_series_without_a_value_carries_its_last_one() -> None:
    assert rows_of(chunk([1, 2, 3], [10, NAN, 30], [NAN, 5, NAN])) == [(1, 10, None), (2, 10, 5), (3, 30, 5)]


def test_two_measurements_of_one_instant_are_one_row() -> None:
    assert rows_of(chunk([1, 1], [10, NAN], [NAN, 5])) == [(1, 10, 5)]


def test_the_later_of_two_values_at_one_instant_wins() -> None:
    assert rows_of(chunk([1, 1], [10, 11])) == [(1, 11)]


def test_an_instant_may_be_cut_by_the_end_of_a_chunk() -> None:
    assert rows_of(chunk([1, 2], [10, 20], [1, NAN]), chunk([2, 3], [NAN, 30], [7, NAN])) == [
        (1, 10, 1),
        (2, 20, 7),
        (3, 30, 7),
    ]


def test_no_measurement_gives_no_row() -> None:
    assert rows_of() == []


values = st.one_of(st.just(NAN), st.integers(0, 5).map(float))


@given(
    st.lists(st.tuples(st.integers(0, 8), values, values).filter(lambda row: row[1] == row[1] or row[2] == row[2])),
    st.lists(st.integers(0, 12), max_size=4),
)
def test_the_rows_do_not_depend_on_the_chunks(measured: list[tuple[int, float, float]], cuts: list[int]) -> None:
    measured.sort(key=lambda row: row[0])
    expected: dict[int, tuple[float | None, float | None]] = {}
    last: list[float | None] = [None, None]
    for time, *found in measured:
        last = [old if new != new else new for old, new in zip(last, found, strict=True)]
        expected[time] = (last[0], last[1])
    edges = [0, *sorted(min(cut, len(measured)) for cut in cuts), len(measured)]
    parts = [measured[first:after] for first, after in zip(edges, edges[1:], strict=False)]
    chunks = [chunk([r[0] for r in part], [r[1] for r in part], [r[2] for r in part]) for part in parts]
    assert rows_of(*chunks) == [(time, *found) for time, found in expected.items()]
    # The same where a chunk that does not cut an instant says so.
    ends = edges[1:]
    told = [
        replace(one, settled=after in (0, len(measured)) or measured[after][0] != measured[after - 1][0])
        for one, after in zip(chunks, ends, strict=True)
    ]
    assert rows_of(*told) == [(time, *found) for time, found in expected.items()]


ROWS = [
    (time, first, second) for time in range(5) for first, second in ((NAN, 1.0), (2.0, NAN), (3.0, 4.0), (5.0, 1.0))
]


@given(st.lists(st.lists(st.sampled_from(ROWS), max_size=8), max_size=5))
def test_devices_that_come_together_get_the_rows_they_would_get_alone(
    measured: list[list[tuple[int, float, float]]],
) -> None:
    for one in measured:
        one.sort(key=lambda row: row[0])
    devices = tuple(range(len(measured)))
    every = [row for one in measured for row in one]
    whole = chunk([r[0] for r in every], [r[1] for r in every], [r[2] for r in every])
    edges = np.cumsum([0, *map(len, measured)])
    found = building.of_batch(Batch(devices, edges, whole.times, whole.columns))
    alone = [rows_of(chunk([r[0] for r in one], [r[1] for r in one], [r[2] for r in one])) for one in measured]
    assert [readable(part) for _, part in found.apart()] == alone
    complete = [[row for row in one if None not in row] for one in alone]
    assert [readable(part) for _, part in found.complete().apart()] == complete
