"""Rows are built from measurements whatever the chunks they came in."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zementis.devices import Chunk
from zementis.rows import RowBuilder

NAN = float("nan")


def chunk(times: list[int], *columns: list[float]) -> Chunk:
    return Chunk(np.array(times, dtype=np.int64), tuple(np.array(column, dtype=np.float64) for column in columns))


def rows_of(*chunks: Chunk) -> list[tuple[Any, ...]]:
    builder = RowBuilder()
    found: list[tuple[Any, ...]] = []
    for part in [*(builder.feed(item) for item in chunks), builder.finish()]:
        if part is not None:
            found += [(time, *values) for time, *values in zip(part.times, *part.columns, strict=True)]
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
