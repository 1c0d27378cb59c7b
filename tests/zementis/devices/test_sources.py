"""What every data source does: one suite, for the local store and for a tenant asked over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User

from tests.processes import Processes
from tests.zementis.devices.reading import apart
from tests.zementis.factories import NOON, a_device, a_group, a_measurement, many_motions, motion, store
from zementis.arguments import SeriesName, Window
from zementis.devices import DataSource, DataSourceError, Target, managed_objects
from zementis.devices.cumulocity import CumulocitySource
from zementis.devices.local import LocalSource

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

USER, PASSWORD = "tenant", "tenant secret"
X, Y = SeriesName("c8y_A", "x"), SeriesName("c8y_B", "y")
HOUR = Window(NOON, NOON + timedelta(hours=1))
AT = int(NOON.timestamp()) * 1_000_000


@pytest.fixture(params=["local", "cumulocity"])
def source(request: pytest.FixtureRequest) -> Iterator[DataSource]:
    """The local store, and the local store of a second running instance as a tenant."""
    if request.param == "local":
        yield LocalSource()
        return
    processes: Processes = request.getfixturevalue("processes")
    login = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1000)
    User.objects.create(username=USER, password=login, is_superuser=True)
    _, url = processes.web()
    yield CumulocitySource(url, tenant="t100", user=USER, password=PASSWORD, seconds=10, retries=1)


def rows(
    source: DataSource, device: int, *series: SeriesName, window: Window = HOUR, limit: int = 1000
) -> list[tuple[float | None, ...]]:
    """All rows as (seconds after noon, values), None for missing."""
    found: list[tuple[float | None, ...]] = []
    for of, chunk in apart(source.measurements([device], series=series, window=window, limit=limit)):
        assert of == device
        if chunk is None:
            continue
        assert len(chunk.times) <= limit
        for time, *values in zip(chunk.times.tolist(), *(column.tolist() for column in chunk.columns), strict=True):
            found.append(((time - AT) / 1_000_000, *(None if value != value else value for value in values)))
    return found


def test_a_device_is_itself(source: DataSource) -> None:
    device = a_device().pk
    assert source.target(device) == Target(device, False, (device,))


def test_a_group_is_the_devices_below_it(source: DataSource) -> None:
    first, second, other = a_device().pk, a_device(), a_device().pk
    inner = a_group(second)
    group = a_group(inner)
    managed_objects.add_children(group.pk, [first], kind="asset")
    managed_objects.add_children(inner.pk, [group.pk], kind="asset")
    found = source.target(group.pk)
    assert found == Target(group.pk, True, (first, second.pk))
    assert found is not None and other not in found.device_ids


def test_what_is_neither_is_nothing(source: DataSource) -> None:
    building = managed_objects.create({"name": "a building"}, by="tester").pk
    assert [source.target(number) for number in (building, 10**9, 10**30, 0)] == [None, None, None, None]


def test_values_come_in_the_order_of_time(source: DataSource) -> None:
    device = a_device().pk
    store(
        a_measurement(device, time=NOON + timedelta(seconds=2), kind="b", c8y_B__y=20.0),
        a_measurement(device, time=NOON + timedelta(seconds=1), c8y_A__x=1.0, c8y_B__y=10.0),
        a_measurement(device, time=NOON, kind="a", c8y_A__x=0.5),
    )
    assert rows(source, device, X, Y) == [(0, 0.5, None), (1, 1.0, 10.0), (2, None, 20.0)]


def test_series_that_were_not_asked_for_make_no_row(source: DataSource) -> None:
    device = a_device().pk
    store(a_measurement(device, c8y_A__x=1.0), a_measurement(device, time=NOON + timedelta(seconds=1), c8y_C__z=1.0))
    assert rows(source, device, X) == [(0, 1.0)]


def test_the_window_is_half_open(source: DataSource) -> None:
    device = a_device().pk
    for seconds in (-0.001, 0, 3599.999, 3600):
        store(a_measurement(device, time=NOON + timedelta(seconds=seconds), c8y_A__x=seconds))
    assert rows(source, device, X) == [(0, 0.0), (3599.999, 3599.999)]


def test_of_two_values_at_one_instant_the_later_comes_last(source: DataSource) -> None:
    device = a_device().pk
    store(*(a_measurement(device, c8y_A__x=value) for value in (1.0, 2.0, 3.0)))
    assert rows(source, device, X, limit=2) == [(0, 1.0), (0, 2.0), (0, 3.0)]


def test_no_row_is_lost_or_doubled_between_chunks(source: DataSource) -> None:
    device = a_device().pk
    store(
        *(
            a_measurement(device, time=NOON + timedelta(seconds=place // 3), c8y_A__x=float(place))
            for place in range(100)
        )
    )
    assert rows(source, device, X, limit=7) == [(place // 3, float(place)) for place in range(100)]


def test_units_and_types_do_not_tell_series_apart(source: DataSource) -> None:
    device = a_device().pk
    store(
        {**a_measurement(device), "c8y_A": {"x": {"value": 1, "unit": "C"}}},
        {
            **a_measurement(device, time=NOON + timedelta(seconds=1), kind="z"),
            "c8y_A": {"x": {"value": 2, "unit": "K"}},
        },
    )
    assert rows(source, device, X) == [(0, 1.0), (1, 2.0)]


def test_a_silent_device_has_no_rows(source: DataSource) -> None:
    device = a_device().pk
    store(motion(device, time=NOON))
    assert rows(source, device, X, Y) == []


def test_a_long_window_is_read_whole(source: DataSource) -> None:
    device = a_device().pk
    many_motions(device, 4500, step=timedelta(milliseconds=100))
    series = SeriesName("c8y_Acceleration", "accelerationX")
    assert rows(source, device, series, limit=2000) == [(place / 10, 0.01 * place) for place in range(4500)]


def test_devices_come_one_after_the_other_each_with_its_end(source: DataSource) -> None:
    devices = [a_device().pk for _ in range(40)]
    for place, device in enumerate(devices[::2]):
        store(*(a_measurement(device, time=NOON + timedelta(seconds=s), c8y_A__x=float(place)) for s in range(place)))
    seen = [
        (device, None if chunk is None else len(chunk.times))
        for device, chunk in apart(source.measurements(devices, series=[X], window=HOUR, limit=5 * 32))
    ]
    assert [device for device, count in seen if count is None] == devices
    assert sorted(seen, key=lambda pair: devices.index(pair[0])) == seen
    counts = {device: sum(count or 0 for of, count in seen if of == device) for device in devices}
    assert counts == {device: place // 2 if place % 2 == 0 else 0 for place, device in enumerate(devices)}


def test_a_tenant_that_is_not_there_is_told_and_worth_retrying() -> None:
    gone = CumulocitySource("http://127.0.0.1:1", tenant="t", user="u", password="p", seconds=1, retries=0)
    with pytest.raises(DataSourceError) as refused:
        gone.target(1)
    assert (str(refused.value), refused.value.retryable) == ("The tenant could not be reached.", True)


def test_a_login_that_is_refused_is_not_worth_retrying(processes: Processes) -> None:
    _, url = processes.web()
    wrong = CumulocitySource(url, tenant="t", user="nobody", password="p", seconds=10, retries=0)
    with pytest.raises(DataSourceError) as refused:
        wrong.target(1)
    assert refused.value.retryable is False
