"""The inventory over HTTP, as device agents know it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.zementis.conftest import Api, answer
from tests.zementis.factories import a_device, a_group, motion, store
from zementis.models import ManagedObject, Measurement

pytestmark = pytest.mark.django_db

OBJECTS = "/inventory/managedObjects"
VENDOR = "application/vnd.com.nsn.cumulocity."
HOST = "http://testserver"
INFO = "https://www.cumulocity.com/guides/reference-guide/#error_reporting"
ACCEPT = {"Accept": "application/json"}


def made(api: Api, **content: Any) -> dict[str, Any]:
    code, found = answer(api.post(OBJECTS, content, headers=ACCEPT))
    assert code == 201
    result: dict[str, Any] = found
    return result


def ids(found: dict[str, Any]) -> list[int]:
    return [int(item["id"]) for item in found["managedObjects"]]


def missing(identifier: object) -> tuple[int, dict[str, str]]:
    return 404, {
        "error": "inventory/notFound",
        "message": f"Finding device data from database failed : No managedObject for id '{identifier}'!",
        "info": INFO,
    }


def test_a_managed_object_is_created_with_what_was_sent(api: Api) -> None:
    found = made(api, name="pump", type="machine", c8y_IsDevice={}, custom={"a": [1, 2.5, None, "ü"]})
    own = f"{HOST}{OBJECTS}/{found['id']}"
    instants = {found.pop("creationTime"), found.pop("lastUpdated")}
    assert len(instants) == 1
    assert found == {
        "id": found["id"],
        "self": own,
        "type": "machine",
        "name": "pump",
        "owner": api.user.username,
        "c8y_IsDevice": {},
        "custom": {"a": [1, 2.5, None, "ü"]},
        "childAssets": {"references": [], "self": f"{own}/childAssets"},
        "childDevices": {"references": [], "self": f"{own}/childDevices"},
        "childAdditions": {"references": [], "self": f"{own}/childAdditions"},
    }


def test_nothing_is_answered_to_those_who_accept_nothing(api: Api) -> None:
    response = api.post(OBJECTS, {"name": "pump"})
    stored = ManagedObject.objects.get()
    assert (response.status_code, response.content, response["Location"]) == (
        201,
        b"",
        f"{HOST}{OBJECTS}/{stored.pk}",
    )


def test_the_vendors_types_are_taken_and_given(api: Api) -> None:
    kind = f"{VENDOR}managedobject+json"
    response = api.post(
        OBJECTS, {"name": "pump"}, content_type=f"{kind};charset=UTF-8;ver=0.9", headers={"Accept": kind}
    )
    assert (response.status_code, response["Content-Type"]) == (201, kind)


def test_given_keys_cannot_be_sent(api: Api) -> None:
    found = made(api, id="5", self="x", creationTime="never", childAssets={"references": [1]}, name="pump")
    assert (found["id"] != "5", found["childAssets"]["references"]) == (True, [])


def test_a_change_touches_what_it_names_and_null_removes(api: Api) -> None:
    number = made(api, name="pump", type="machine", a={"x": 1}, b=2)["id"]
    code, found = answer(api.put(f"{OBJECTS}/{number}", {"name": "fan", "a": {"y": 2}, "b": None}))
    assert (code, found["name"], found["type"], found["a"], "b" in found) == (200, "fan", "machine", {"y": 2}, False)


def test_a_removed_object_is_gone_with_its_measurements(api: Api) -> None:
    device = a_device()
    group = a_group(device)
    store(motion(device.pk))
    assert api.delete(f"{OBJECTS}/{device.pk}").status_code == 204
    assert answer(api.get(f"{OBJECTS}/{device.pk}")) == missing(device.pk)
    assert Measurement.objects.count() == 0
    assert answer(api.get(f"{OBJECTS}/{group.pk}/childAssets"))[1]["references"] == []


def test_a_removed_group_leaves_its_devices_unless_told_otherwise(api: Api) -> None:
    device = a_device()
    group = a_group(a_group(device))
    outer = a_group(group)
    api.delete(f"{OBJECTS}/{outer.pk}")
    assert ManagedObject.objects.count() == 3
    api.delete(f"{OBJECTS}/{group.pk}?cascade=true")
    assert ManagedObject.objects.count() == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_unknown_object_is_not_found(api: Api, method: str) -> None:
    body: dict[str, str] | None = {} if method == "PUT" else None
    assert answer(api(method, f"{OBJECTS}/123456789", body)) == missing(123456789)


@pytest.mark.parametrize("content", [[], "x", {"name": 5}, {"type": "x" * 256}, {"a": "\x00"}, {"\x00": 1}])
def test_what_cannot_be_kept_is_unprocessable(api: Api, content: Any) -> None:
    import json

    code, found = answer(api.post(OBJECTS, json.dumps(content)))
    assert (code, found["error"]) == (422, "inventory/invalid")


def test_objects_come_in_pages(api: Api) -> None:
    numbers = [a_device(f"d{place}").pk for place in range(7)]
    first = answer(api.get(OBJECTS, {"withTotalPages": "true"}))[1]
    last = answer(api.get(OBJECTS, {"currentPage": 2, "withTotalElements": "true"}))[1]
    assert (ids(first), first["statistics"], first["next"], "prev" in first) == (
        numbers[:5],
        {"currentPage": 1, "pageSize": 5, "totalPages": 2},
        f"{HOST}{OBJECTS}?withTotalPages=true&currentPage=2",
        False,
    )
    assert (ids(last), last["statistics"], last["prev"], "next" in last) == (
        numbers[5:],
        {"currentPage": 2, "pageSize": 5, "totalElements": 7},
        f"{HOST}{OBJECTS}?withTotalElements=true&currentPage=1",
        False,
    )


@pytest.mark.parametrize("page", [10**12, 99_999_999_999_999_999_999, 10**3999], ids=["10^12", "10^20-1", "10^3999"])
@pytest.mark.parametrize(("path", "name"), [(OBJECTS, "managedObjects"), ("/measurement/measurements", "measurements")])
def test_a_page_far_beyond_the_end_is_empty(api: Api, path: str, name: str, page: int) -> None:
    device = a_device().pk
    store(motion(device))
    assert answer(api.get(path, {"currentPage": page, "withTotalPages": "true"})) == (
        200,
        {
            "self": f"{HOST}{path}?withTotalPages=true&currentPage={page}",
            "prev": f"{HOST}{path}?withTotalPages=true&currentPage={page - 1}",
            name: [],
            "statistics": {"currentPage": page, "pageSize": 5, "totalPages": 1},
        },
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pageSize", "2001"),
        ("pageSize", "9" * 20),
        ("pageSize", "0"),
        ("currentPage", "x"),
        ("currentPage", "0"),
        ("currentPage", "²"),
        ("currentPage", "1" * 4001),
    ],
)
def test_a_page_that_cannot_be_is_unprocessable(api: Api, name: str, value: str) -> None:
    assert api.get(OBJECTS, {name: value}).status_code == 422


def test_objects_are_found_by_what_they_are(api: Api) -> None:
    pump = a_device("pump 1", serial={"number": 5, "vendor": "ACME"})
    fan = a_device("fan")
    hall = a_group(pump, name="hall")

    def found(**query: Any) -> list[int]:
        return ids(answer(api.get(OBJECTS, query))[1])

    assert found(fragmentType="c8y_IsDeviceGroup") == [hall.pk]
    assert found(type="machine") == [pump.pk, fan.pk]
    assert found(ids=f"{fan.pk},{hall.pk},x") == [fan.pk, hall.pk]
    assert found(text="pum") == [pump.pk]
    assert found(owner="nobody") == []
    assert found(q="$filter=(name eq 'pump*')") == [pump.pk]
    assert found(query=f"$filter=(bygroupid({hall.pk}))") == [pump.pk]
    assert found(query="$filter=(has(c8y_IsDevice) and not has(serial.number))") == [fan.pk]
    assert found(query="serial.vendor eq 'ACME' and serial.number ge 5") == [pump.pk]
    assert found(query="serial.vendor eq 'AC*'") == [pump.pk]
    assert found(query="$filter=(type ne 'machine') $orderby=name desc") == [hall.pk]
    assert found(q="$orderby=name") == [fan.pk, pump.pk]
    assert found(query=f"isinhierarchyof({hall.pk})") == [pump.pk, hall.pk]


@pytest.mark.parametrize(
    "query",
    [
        "has(",
        "name eq",
        "name is 'x'",
        "fly(1)",
        "(" * 60 + "has(a)" + ")" * 60,
        "$orderby=colour",
        "'x'",
        "a eq b",
        "§",
    ],
)
def test_a_query_that_cannot_be_read_is_unprocessable(api: Api, query: str) -> None:
    code, found = answer(api.get(OBJECTS, {"query": query}))
    assert (code, found["error"]) == (422, "inventory/invalid")


def test_children_are_added_listed_and_taken_away(api: Api) -> None:
    group, device = a_group(), a_device("pump")
    path = f"{OBJECTS}/{group.pk}/childAssets"
    reference = {
        "managedObject": {"id": str(device.pk), "self": f"{HOST}{OBJECTS}/{device.pk}", "name": "pump"},
        "self": f"{HOST}{path}/{device.pk}",
    }
    sent = {"managedObject": {"id": str(device.pk)}}
    assert answer(api.post(path, sent, headers=ACCEPT)) == (201, reference)
    assert answer(api.post(path, sent))[0] == 201
    assert answer(api.get(path))[1]["references"] == [reference]
    assert answer(api.get(f"{path}/{device.pk}")) == (200, reference)
    assert answer(api.get(f"{OBJECTS}/{group.pk}"))[1]["childAssets"]["references"] == [reference]
    parents = answer(api.get(f"{OBJECTS}/{device.pk}", {"withParents": "true"}))[1]["assetParents"]
    assert [item["managedObject"]["id"] for item in parents["references"]] == [str(group.pk)]
    assert api.delete(f"{path}/{device.pk}").status_code == 204
    assert answer(api.delete(f"{path}/{device.pk}")) == missing(device.pk)


def test_several_children_are_added_and_taken_away_at_once(api: Api) -> None:
    group = a_group()
    children = [a_device().pk, a_device().pk]
    path = f"{OBJECTS}/{group.pk}/childAssets"
    body = {"references": [{"managedObject": {"id": str(child)}} for child in children]}
    assert api.post(path, body).status_code == 201
    listed = answer(api.get(path))[1]["references"]
    assert [int(item["managedObject"]["id"]) for item in listed] == children
    assert api.delete(path, body).status_code == 204
    assert answer(api.get(path))[1]["references"] == []


def test_a_child_may_be_made_on_the_spot(api: Api) -> None:
    group = a_group()
    kind = f"{VENDOR}managedobject+json"
    path = f"{OBJECTS}/{group.pk}/childAssets"
    code, child = answer(api.post(path, {"name": "new"}, content_type=kind, headers=ACCEPT))
    listed = answer(api.get(path))[1]["references"]
    assert (code, [item["managedObject"]["id"] for item in listed]) == (201, [child["id"]])


def test_nothing_is_its_own_child(api: Api) -> None:
    group = a_group()
    body = {"managedObject": {"id": str(group.pk)}}
    assert api.post(f"{OBJECTS}/{group.pk}/childAssets", body).status_code == 422


def test_an_unknown_child_is_not_found(api: Api) -> None:
    group = a_group()
    body = {"managedObject": {"id": "99999999"}}
    assert answer(api.post(f"{OBJECTS}/{group.pk}/childAssets", body)) == missing(99999999)


def test_the_series_a_device_has_sent_are_known(api: Api) -> None:
    device = a_device()
    store(motion(device.pk))
    series = answer(api.get(f"{OBJECTS}/{device.pk}/supportedSeries"))[1]["c8y_SupportedSeries"]
    fragments = answer(api.get(f"{OBJECTS}/{device.pk}/supportedMeasurements"))[1]["c8y_SupportedMeasurements"]
    assert (series, fragments) == (
        [
            "c8y_Acceleration.accelerationX",
            "c8y_Acceleration.accelerationY",
            "c8y_Acceleration.accelerationZ",
            "c8y_Gyroscope.gyroX",
            "c8y_Gyroscope.gyroY",
            "c8y_Gyroscope.gyroZ",
        ],
        ["c8y_Acceleration", "c8y_Gyroscope"],
    )


def test_listing_costs_the_same_for_any_number_of_children(api: Api, django_assert_max_num_queries: Any) -> None:
    for _ in range(4):
        a_group(a_device(), a_device())
    api.get(OBJECTS)
    with django_assert_max_num_queries(8):
        assert len(ids(answer(api.get(OBJECTS, {"pageSize": 100}))[1])) == 12


def test_the_tenant_and_the_user_are_known(api: Api, settings: Any) -> None:
    settings.ZEMENTIS_TENANT = "t100"
    assert answer(api.get("/tenant/currentTenant"))[1]["name"] == "t100"
    assert answer(api.get("/user/currentUser"))[1]["userName"] == api.user.username
