"""Blocks say what the rows say, whatever happens to the rows, and are gone where they would not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.zementis.devices.reading import apart
from tests.zementis.factories import NOON, a_device, a_measurement, many_motions, store
from zementis import exact_arrays
from zementis.arguments import SeriesName, Window
from zementis.devices import blocks, managed_objects, measurement_queries, windows
from zementis.devices.local import LocalSource
from zementis.devices.measurement_queries import Filter
from zementis.models import Measurement, MeasurementBlock

X, Y = SeriesName("c8y_A", "x"), SeriesName("c8y_B", "y")
DAY = Window(NOON - timedelta(hours=1), NOON + timedelta(days=1))
MOTION_X = SeriesName("c8y_Acceleration", "accelerationX")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Blocks of five to eight rows, three listed at a time."""
    monkeypatch.setattr(blocks, "MIN_ROWS", 5)
    monkeypatch.setattr(blocks, "MAX_ROWS", 8)
    monkeypatch.setattr(windows, "_BLOCKS", 3)
    yield
    blocks.forget()


def seconds(place: float) -> Any:
    return NOON + timedelta(seconds=place)


def read(*devices: int, series: tuple[SeriesName, ...] = (X, Y), window: Window = DAY, limit: int = 7) -> list[Any]:
    """All rows as (device, instant, values as text), as a run gets them."""
    found = []
    for device, chunk in apart(LocalSource().measurements(devices, series=series, window=window, limit=limit)):
        if chunk is not None:
            assert 0 < len(chunk.times) <= limit
            rows = zip(chunk.times.tolist(), *(column.tolist() for column in chunk.columns), strict=True)
            found += [(device, *map(repr, row)) for row in rows]
    return found


@pytest.mark.django_db
def test_two_thousand_rows_become_a_block_when_they_are_committed(django_capture_on_commit_callbacks: Any) -> None:
    device = a_device().pk
    with django_capture_on_commit_callbacks(execute=True):
        many_motions(device, 1999)
    assert MeasurementBlock.objects.count() == 0
    with django_capture_on_commit_callbacks(execute=True):
        many_motions(device, 1, start=seconds(1999))
    block = MeasurementBlock.objects.get()
    assert (block.rows, block.first_time, block.last_time) == (2000, NOON, seconds(1999))
    # Instants at a steady pace and ids in a row take nothing, the constant series two bytes a value.
    assert len(block.data) < 2000 * (3 * 8 + 3 * 2) + 500


@pytest.mark.django_db
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", range(6))
def test_whatever_happened_blocks_and_rows_give_what_rows_give(seed: int) -> None:
    choose = random.Random(seed)  # noqa: S311 - reproducible, not secret
    devices = [a_device().pk for _ in range(3)]
    kinds = ["a", "b"]
    for _ in range(12):
        device, kind, start = choose.choice(devices), choose.choice(kinds), choose.randrange(0, 200)
        store(
            *(
                a_measurement(
                    device,
                    time=seconds(start + place // choose.choice((1, 2))),
                    kind=kind,
                    **({"c8y_A__x": choose.random()} if kind == "a" else {"c8y_B__y": place / 8, "c8y_A__x": 0.1}),
                )
                for place in range(choose.randrange(1, 40))
            )
        )
        if choose.random() < 0.2:
            first = choose.randrange(0, 200)
            measurement_queries.delete_matching(
                Filter(device=choose.choice(devices), start=seconds(first), end=seconds(first + 5))
            )
        blocks.pack_all()
    windows_ = [DAY, Window(seconds(13), seconds(90)), Window(seconds(50.5), seconds(51))]
    packed = [read(*devices, window=window) for window in windows_]
    assert MeasurementBlock.objects.count() > 10
    assert sum(block.rows for block in MeasurementBlock.objects.all()) <= Measurement.objects.count()
    MeasurementBlock.objects.all().delete()
    assert packed == [read(*devices, window=window) for window in windows_]


@pytest.mark.django_db
@pytest.mark.usefixtures("small")
def test_a_measurement_inside_a_block_removes_it_and_one_beside_does_not() -> None:
    device, other = a_device().pk, a_device().pk
    for one in (device, other):
        store(*(a_measurement(one, time=seconds(place * 2), c8y_A__x=place) for place in range(8)))
    blocks.pack_all()
    store(a_measurement(device, time=seconds(15), c8y_A__x=9.0), a_measurement(device, time=seconds(-1), c8y_A__x=9.0))
    assert MeasurementBlock.objects.count() == 2
    store(a_measurement(device, time=seconds(14), c8y_A__x=10.0))
    assert list(MeasurementBlock.objects.values_list("device_id", flat=True)) == [other]
    assert [row[2] for row in read(device, series=(X,))] == ["9.0", *(f"{n}.0" for n in range(8)), "10.0", "9.0"]


@pytest.mark.django_db
@pytest.mark.usefixtures("small")
def test_removed_measurements_and_devices_take_their_blocks_along() -> None:
    first, second = a_device().pk, a_device().pk
    ids = store(*(a_measurement(first, time=seconds(place), c8y_A__x=place) for place in range(8)))
    store(*(a_measurement(second, time=seconds(place), c8y_A__x=place) for place in range(8)))
    blocks.pack_all()
    measurement_queries.delete(ids[3])
    assert list(MeasurementBlock.objects.values_list("device_id", flat=True)) == [second]
    managed_objects.delete(second, cascade=False)
    assert MeasurementBlock.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.usefixtures("small")
def test_no_instant_is_cut_by_the_end_of_a_block() -> None:
    device = a_device().pk
    store(*(a_measurement(device, time=seconds(place // 3), c8y_A__x=place) for place in range(24)))
    blocks.pack_all()
    assert list(MeasurementBlock.objects.order_by("last_time").values_list("rows", flat=True)) == [6, 6, 6, 6]
    store(*(a_measurement(device, time=seconds(100), c8y_A__x=place) for place in range(9)))
    assert blocks.pack_all() == 0
    assert len(read(device)) == 33


@pytest.mark.django_db
@pytest.mark.usefixtures("small")
def test_a_block_that_goes_while_a_window_is_read_is_read_from_its_rows() -> None:
    device = a_device().pk
    store(*(a_measurement(device, time=seconds(place), c8y_A__x=place) for place in range(64)))
    blocks.pack_all()
    assert MeasurementBlock.objects.count() == 8
    reading = apart(LocalSource().measurements([device], series=[X], window=DAY, limit=8))
    first = next(reading)[1]
    MeasurementBlock.objects.all().delete()
    rest = [chunk for _, chunk in reading if chunk is not None]
    assert first is not None
    assert [value for chunk in [first, *rest] for value in chunk.columns[0].tolist()] == list(range(64))


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("small")
def test_nothing_is_packed_beside_rows_that_are_not_committed() -> None:
    device = a_device().pk
    store(*(a_measurement(device, time=seconds(place), c8y_A__x=place) for place in range(4)))
    row = Measurement.objects.filter(device_id=device).values_list("layout_id", flat=True)[0]
    parameters = connection.get_connection_params()
    names = {name: parameters[name] for name in ("host", "port", "dbname", "user", "password") if parameters.get(name)}
    with psycopg.connect(**names) as other:
        other.execute(
            'INSERT INTO zementis_measurement (device_id, "time", layout_id, "values")'
            " SELECT %s, %s::timestamptz + n * interval '1 second', %s, ARRAY[1.5] FROM generate_series(0, 5) n",
            [device, NOON, row],
        )
        assert blocks.pack(device, row, since=NOON) is None
    assert blocks.pack(device, row, since=NOON) is not None
    assert len(read(device, series=(X,))) == 10


@given(arrays.arrays(np.int64, st.integers(0, 20), elements=st.integers(-(2**63), 2**63 - 1)))
def test_any_whole_numbers_come_back(numbers: Any) -> None:
    written = exact_arrays.integers(numbers)
    assert exact_arrays.read(written.code, written.data, len(numbers)).tolist() == numbers.tolist()


@given(
    arrays.arrays(np.float64, st.integers(0, 20), elements=st.floats())
    | arrays.arrays(np.float64, st.integers(0, 20), elements=st.floats(width=32))
    | st.lists(st.decimals(-9999, 9999, places=3).map(float), max_size=20).map(np.array)
)
def test_any_numbers_come_back_to_the_bit(numbers: Any) -> None:
    numbers = numbers.astype(np.float64)
    written = exact_arrays.floats(numbers)
    back = exact_arrays.read(written.code, written.data, len(numbers))
    assert back.astype(np.float64).tobytes() == numbers.tobytes()
    first, data = written.part(1, len(numbers)) if len(numbers) else written.part(0, 0)
    assert exact_arrays.read(first, data, max(len(numbers) - 1, 0)).tobytes() == numbers[1:].tobytes()


@pytest.mark.django_db
@pytest.mark.usefixtures("small")
def test_what_came_in_before_there_were_blocks_is_packed_by_a_command() -> None:
    from io import StringIO

    from django.core.management import call_command

    device = a_device().pk
    store(*(a_measurement(device, time=seconds(place), c8y_A__x=place) for place in range(20)))
    said = StringIO()
    call_command("pack_measurements", stdout=said)
    assert (said.getvalue(), MeasurementBlock.objects.count()) == ("16 measurements packed.\n", 2)
    call_command("pack_measurements", stdout=said)
    assert said.getvalue().splitlines()[-1] == "0 measurements packed."
