"""Measurements over HTTP: posted one by one and in bulk, asked for, aggregated, removed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.zementis.conftest import Api, answer
from tests.zementis.factories import NOON, a_device, a_measurement, motion, store
from zementis.devices import layouts
from zementis.errors import INFO
from zementis.models import Measurement, SeriesLayout

pytestmark = pytest.mark.django_db

MEASUREMENTS = "/measurement/measurements"
SERIES = "/measurement/measurements/series"
VENDOR = "application/vnd.com.nsn.cumulocity."
HOST = "http://testserver"
ACCEPT = {"Accept": "application/json"}


@pytest.fixture
def device(db: None) -> int:
    return a_device().pk


def sample(device: int, **changes: Any) -> dict[str, Any]:
    body = {
        "source": {"id": str(device)},
        "type": "c8y_Temperature",
        "time": "2026-05-01T14:00:00.250+02:00",
        "c8y_Temperature": {"T": {"value": 21.5, "unit": "C"}},
    }
    return {**body, **changes}


def numbers(found: dict[str, Any]) -> list[int]:
    return [int(item["id"]) for item in found["measurements"]]


def test_a_measurement_comes_back_as_it_was_sent(api: Api, device: int) -> None:
    sent = sample(
        device,
        c8y_Motion={"x": {"value": 1}, "y": {"value": -2.5e-7, "unit": "m", "quality": {"good": True}}, "note": "hi"},
        deviceState="ok",
    )
    code, found = answer(api.post(MEASUREMENTS, sent, headers=ACCEPT))
    assert (code, found) == (
        201,
        {
            "id": found["id"],
            "self": f"{HOST}{MEASUREMENTS}/{found['id']}",
            "source": {"id": str(device), "self": f"{HOST}/inventory/managedObjects/{device}"},
            "type": "c8y_Temperature",
            "time": "2026-05-01T12:00:00.250Z",
            "c8y_Temperature": {"T": {"unit": "C", "value": 21.5}},
            "c8y_Motion": sent["c8y_Motion"],
            "deviceState": "ok",
        },
    )
    assert answer(api.get(f"{MEASUREMENTS}/{found['id']}")) == (200, found)


def test_nothing_is_answered_to_those_who_accept_nothing(api: Api, device: int) -> None:
    response = api.post(MEASUREMENTS, sample(device), content_type=f"{VENDOR}measurement+json")
    assert (response.status_code, response.content, Measurement.objects.count()) == (201, b"", 1)


def test_many_are_stored_at_once(api: Api, device: int) -> None:
    many = {"measurements": [sample(device, c8y_X={"x": {"value": place}}) for place in range(50)]}
    kind = f"{VENDOR}measurementcollection+json"
    code, found = answer(api.post(MEASUREMENTS, many, content_type=kind, headers=ACCEPT))
    assert (code, [item["c8y_X"]["x"]["value"] for item in found["measurements"]]) == (201, list(range(50)))


def test_all_are_stored_or_none(api: Api, device: int) -> None:
    for bad in (sample(device, time="never"), sample(999_999_999)):
        assert api.post(MEASUREMENTS, {"measurements": [sample(device), bad]}).status_code == 422
    assert Measurement.objects.count() == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"source": None},
        {"source": {}},
        {"source": {"id": "x"}},
        {"source": {"id": True}},
        {"source": {"id": "9" * 30}},
        {"type": None},
        {"type": ""},
        {"type": "x" * 256},
        {"type": "\x00"},
        {"time": None},
        {"time": 5},
        {"time": "2026-05-01T14:00:00"},
        {"time": "2026-13-01T14:00:00Z"},
        {"c8y_X": {"x": {"value": 10**350}}},
        {"c8y_X": {"x": {"value": 1, "unit": 5}}},
        {"c8y_X": {"\x00": {"value": 1}}},
        {"c8y_X": {"x" * 256: {"value": 1}}},
        {"c8y_X": {"x": "\ud800"}},
        {"c8y_X": {str(place): {"value": place} for place in range(1001)}},
    ],
)
def test_what_cannot_be_kept_is_unprocessable(api: Api, device: int, changes: dict[str, Any]) -> None:
    code, found = answer(api.post(MEASUREMENTS, json.dumps(sample(device, **changes))))
    assert (code, found["error"]) == (422, "measurement/invalid")


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
@pytest.mark.parametrize("value", [True, False, None, "NaN", "21.5", "", [], [1], {}, {"value": 1}], ids=repr)
def test_a_value_that_is_no_number_is_refused(api: Api, device: int, value: Any, many: bool) -> None:
    bad = sample(device, c8y_X={"ok": {"value": 1}, "x": {"value": value, "unit": "C"}})
    found = answer(api.post(MEASUREMENTS, {"measurements": [sample(device), bad]} if many else bad))
    assert (found, Measurement.objects.count(), SeriesLayout.objects.count()) == (
        (422, {"error": "measurement/invalid", "message": "The value of c8y_X.x must be a number.", "info": INFO}),
        0,
        0,
    )


def test_what_is_not_a_series_is_kept_whatever_it_is(api: Api, device: int) -> None:
    note = {"value": "text", "list": [{"value": True}], "deep": {"er": {"value": None}}, "unit": {"unit": "C"}}
    number = answer(api.post(MEASUREMENTS, sample(device, note=note), headers=ACCEPT))[1]["id"]
    assert answer(api.get(f"{MEASUREMENTS}/{number}"))[1]["note"] == note


def test_odd_texts_are_kept_exactly(api: Api, device: int) -> None:
    odd = {"a\tb": "\\N \\. \n\r\t ' \" ü \u2028", "": {"": [[], {}]}}
    sent = sample(device, **{"od\\d": odd, "c8y\\Y": {"z\n": {"value": 1, "unit": "\\t"}}})
    number = answer(api.post(MEASUREMENTS, sent, headers=ACCEPT))[1]["id"]
    found = answer(api.get(f"{MEASUREMENTS}/{number}"))[1]
    assert (found["od\\d"], found["c8y\\Y"]) == (odd, {"z\n": {"unit": "\\t", "value": 1}})


@pytest.mark.parametrize("value", [0.1, -0.0, 5e-324, 1.7976931348623157e308, 2**53 + 2, 123456789.123456789, -7])
def test_a_value_keeps_every_bit(api: Api, device: int, value: float) -> None:
    number = answer(api.post(MEASUREMENTS, sample(device, c8y_X={"x": {"value": value}}), headers=ACCEPT))[1]["id"]
    assert answer(api.get(f"{MEASUREMENTS}/{number}"))[1]["c8y_X"]["x"]["value"] == float(value)


def test_a_layout_is_stored_once(api: Api, device: int) -> None:
    for _ in range(3):
        api.post(MEASUREMENTS, sample(device))
        layouts.forget()
    assert SeriesLayout.objects.count() == 1


def test_measurements_are_found_by_device_time_and_series(api: Api, device: int) -> None:
    other = a_device().pk
    first, second, third = store(
        a_measurement(device, time=NOON, c8y_A__x=1.0),
        a_measurement(device, time=NOON + timedelta(seconds=1), kind="other", c8y_A__y=2.0, c8y_B__x=1.0),
        a_measurement(other, time=NOON - timedelta(seconds=1), c8y_A__x=3.0),
    )

    def found(**query: Any) -> list[int]:
        return numbers(answer(api.get(MEASUREMENTS, query))[1])

    assert found() == [first, second, third]
    assert found(revert="true") == [third, second, first]
    assert found(source=device, revert="true") == [second, first]
    assert found(source=device, dateFrom="2026-05-01T12:00:01Z") == [second]
    assert found(source=device, dateTo="2026-05-01T14:00:01 02:00") == [first]
    assert found(dateFrom="2026-05-01", dateTo="2026-05-02") == [first, second, third]
    assert found(type="other") == [second]
    assert found(valueFragmentType="c8y_A", valueFragmentSeries="x") == [first, third]
    assert found(valueFragmentType="c8y_B") == [second]
    assert found(valueFragmentType="c8y_B", valueFragmentSeries="y") == []
    assert found(source=other, valueFragmentType="c8y_A") == [third]
    assert found(source=123456) == []


def test_measurements_come_in_pages(api: Api, device: int) -> None:
    stored = store(*(motion(device, time=NOON + timedelta(seconds=place)) for place in range(12)))
    page = answer(api.get(MEASUREMENTS, {"source": device, "pageSize": 5, "currentPage": 3, "withTotalPages": "true"}))[
        1
    ]
    assert (numbers(page), page["statistics"], "next" in page, page["prev"]) == (
        stored[10:],
        {"currentPage": 3, "pageSize": 5, "totalPages": 3},
        False,
        f"{HOST}{MEASUREMENTS}?source={device}&pageSize=5&withTotalPages=true&currentPage=2",
    )


def test_measurements_are_removed(api: Api, device: int) -> None:
    first, second, third = store(*(motion(device, time=NOON + timedelta(seconds=place)) for place in range(3)))
    assert api.delete(f"{MEASUREMENTS}/{first}").status_code == 204
    assert api.delete(f"{MEASUREMENTS}/{first}").status_code == 404
    assert api.delete(f"{MEASUREMENTS}?source={device}&dateTo=2026-05-01T12:00:02Z").status_code == 204
    assert list(Measurement.objects.values_list("pk", flat=True)) == [third]
    assert second not in (first, third)


def test_all_measurements_of_all_devices_are_not_removed_by_mistake(api: Api, device: int) -> None:
    store(motion(device))
    assert (api.delete(MEASUREMENTS).status_code, Measurement.objects.count()) == (422, 1)


def test_series_tell_values_over_time(api: Api, device: int) -> None:
    store(
        a_measurement(device, time=NOON, c8y_A__x=1.5),
        a_measurement(device, time=NOON, kind="b", c8y_B__y=7.0),
        a_measurement(device, time=NOON + timedelta(minutes=1), c8y_A__x=2.5),
    )
    query = {"source": device, "dateFrom": "2026-05-01", "dateTo": "2026-05-02", "series": ["c8y_B.y", "c8y_A.x"]}
    assert answer(api.get(SERIES, query)) == (
        200,
        {
            "values": {
                "2026-05-01T12:00:00.000Z": [{"min": 7.0, "max": 7.0}, {"min": 1.5, "max": 1.5}],
                "2026-05-01T12:01:00.000Z": [None, {"min": 2.5, "max": 2.5}],
            },
            "series": [
                {"type": "c8y_B", "name": "y", "unit": None},
                {"type": "c8y_A", "name": "x", "unit": None},
            ],
            "truncated": False,
        },
    )


@pytest.mark.parametrize(("kind", "buckets"), [("MINUTELY", 3), ("HOURLY", 2), ("DAILY", 1)])
def test_series_are_aggregated(api: Api, device: int, kind: str, buckets: int) -> None:
    minutes = (0, 1, 60)
    store(*(a_measurement(device, time=NOON + timedelta(minutes=m), c8y_A__x=float(m)) for m in minutes))
    query = {"source": device, "dateFrom": "2026-05-01", "dateTo": "2026-05-02", "aggregationType": kind}
    assert len(answer(api.get(SERIES, query))[1]["values"]) == buckets


def test_series_end_after_five_thousand_instants(api: Api, device: int) -> None:
    store(*(a_measurement(device, time=NOON + timedelta(seconds=s), c8y_A__x=1.0) for s in range(5001)))
    found = answer(api.get(SERIES, {"source": device}))[1]
    assert (len(found["values"]), found["truncated"]) == (5000, True)


def test_a_device_that_sent_nothing_has_no_series(api: Api, device: int) -> None:
    assert answer(api.get(SERIES, {"source": device})) == (200, {"values": {}, "series": [], "truncated": False})
