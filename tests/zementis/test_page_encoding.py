"""Pages come back as they were made, whatever is in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from zementis import page_encoding
from zementis.page_decoding import Page, decode
from zementis.page_encoding import ROWS_PER_PAGE, PageMaker, encode

COUNT = 300


def floats(seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(size=COUNT)


def back(times: Any, **columns: Any) -> Page:
    return decode(7, encode(times, columns))


def test_noise_and_order_both_come_back() -> None:
    times = np.arange(COUNT) * 1_000_000
    page = back(times, noise=floats(1), steady=np.full(COUNT, 0.1))
    assert page == Page(7, times.tolist(), {"noise": floats(1).tolist(), "steady": [0.1] * COUNT})


def test_what_repeats_itself_is_made_small() -> None:
    times = np.arange(ROWS_PER_PAGE) * 1_000_000
    assert len(encode(times, {"steady": np.full(ROWS_PER_PAGE, 0.1)})) < 8 * ROWS_PER_PAGE
    assert len(encode(times, {})) < 4 * ROWS_PER_PAGE


def test_a_negative_zero_among_decimals_stays_one() -> None:
    assert repr(back(np.arange(3), x=np.array([-0.0, 0.1, 0.0])).columns["x"]) == "[-0.0, 0.1, 0.0]"


def test_single_precision_comes_back_as_what_it_is() -> None:
    numbers = floats(3).astype(np.float32)
    numbers[7] = np.nan
    expected = [None if place == 7 else value for place, value in enumerate(numbers.tolist())]
    assert back(np.arange(COUNT), x=numbers).columns["x"] == expected


@pytest.mark.parametrize("kind", [np.int64, np.float64, np.float32])
@pytest.mark.parametrize("factor", [1, 200, 70_000, 10**10, 0.01, 0.1234567, 1e300])
def test_numbers_of_every_width_come_back(factor: float, kind: Any) -> None:
    with np.errstate(all="ignore"):
        numbers = (np.array([3, -1, 0, 5, -5, 100]) * factor).astype(kind)
    expected = [value if value - value == 0 else None for value in numbers.tolist()]
    assert back(np.array([1, 2, 3, 5, 8, 13]), x=numbers) == Page(7, [1, 2, 3, 5, 8, 13], {"x": expected})


def test_noise_is_not_made_larger() -> None:
    size = len(encode(np.arange(ROWS_PER_PAGE), {"noise": np.random.default_rng(1).normal(size=ROWS_PER_PAGE)}))
    assert size < 2 * 8 * ROWS_PER_PAGE


@given(
    arrays.arrays(np.float64, st.integers(1, 40), elements=st.floats(width=64)),
    st.lists(st.one_of(st.none(), st.booleans(), st.text(max_size=5)), min_size=40, max_size=40),
    st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_any_values_come_back(numbers: Any, mixed: list[Any], flags: list[bool]) -> None:
    count = len(numbers)
    mixed_column = np.empty(count, dtype=object)
    mixed_column[:] = mixed[:count]
    times = np.arange(count, dtype=np.int64) - 10**15
    page = back(times, numbers=numbers, mixed=mixed_column, flags=np.array(flags[:count]), whole=times)
    expected = [value if np.isfinite(value) else None for value in numbers.tolist()]
    assert (page.times, page.columns["whole"]) == (times.tolist(), times.tolist())
    assert [repr(value) for value in page.columns["numbers"]] == [repr(value) for value in expected]
    assert [repr(value) for value in page.columns["mixed"]] == [repr(value) for value in mixed[:count]]
    assert page.columns["flags"] == flags[:count]


@given(st.lists(st.integers(1, 3000), max_size=6))
def test_pages_are_full_but_the_last_whatever_came_at_a_time(counts: list[int]) -> None:
    maker = PageMaker()
    pages = []
    start = 0
    for count in counts:
        times = np.arange(start, start + count)
        pages += maker.add(5, times, {"x": times.astype(float)})
        start += count
    pages += maker.end(5)
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    assert [page.rows for page in pages[:-1]] == [ROWS_PER_PAGE] * (len(pages) - 1 if pages else 0)
    assert [time for page in pages for time in decode(5, page.data).times] == list(range(start))


@given(st.lists(st.integers(0, 30), max_size=5), st.integers(0, 2**32 - 1))
def test_devices_that_come_together_get_the_pages_they_would_get_alone(counts: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    edges = np.cumsum([0, *counts])
    times = np.sort(random.integers(0, 3, edges[-1])).cumsum()
    columns = {
        "flag": random.random(edges[-1]) < 0.5,
        "label": random.choice(np.array(["a", "b"], dtype=object), edges[-1]),
        "count": random.integers(-5, 5, edges[-1]),
        "single": random.normal(size=edges[-1]).astype(np.float32),
        "double": random.normal(size=edges[-1]),
    }
    devices = list(range(len(counts)))
    together = page_encoding.pages(devices, edges, times, columns)
    for device, own in zip(devices, together, strict=True):
        part = slice(edges[device], edges[device + 1])
        maker = PageMaker()
        alone = maker.add(device, times[part], {name: column[part] for name, column in columns.items()})
        alone += maker.end(device)
        assert [(page.number, page.rows) for page in own] == [(page.number, page.rows) for page in alone]
        assert [decode(device, page.data) for page in own] == [decode(device, page.data) for page in alone]
