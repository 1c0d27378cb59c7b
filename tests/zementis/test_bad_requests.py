"""Whatever is sent, the answer is the surface's own, and never a crash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zementis.conftest import Api, answer
from tests.zementis.factories import a_device, a_job_body, a_model, a_user
from zementis.errors import INFO

pytestmark = pytest.mark.django_db

JOB = "/service/zementis/job"
BODIES = [
    b"",
    b"{",
    b"nonsense",
    b"[]",
    b"5",
    b"null",
    b'"text"',
    b'{"jobName": NaN}',
    b'{"jobName": Infinity}',
    b'{"jobName": 1e999}',
    b"{" + b'"a":{' * 5000,
    b"[" * 100_000,
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b"1" * 5000,
    b'{"associatedGroupOrDeviceId": ' + b"9" * 4000 + b"}",
    b"\xff\xfe\x00",
    b'{"jobName": "\\ud800", "associatedModel": "\\ud800\\u0000"}',
    b'{"jobName": "\x00"}',
    '{"jobName": "\ud800"}'.encode("utf-8", "surrogatepass"),
]


def asked(api: Api, path: str, body: bytes, **options: Any) -> tuple[int, Any]:
    return answer(api.post(path, body, **options))


@pytest.mark.parametrize("path", [JOB, "/inventory/managedObjects", "/measurement/measurements"])
def test_a_bad_body_is_the_clients_fault(api: Api, path: str) -> None:
    answers = [asked(api, path, body) for body in BODIES]
    form = {"errors"} if path == JOB else {"error", "message", "info"}
    assert [
        BODIES[n][:50] for n, (code, found) in enumerate(answers) if code not in (400, 422) or set(found) != form
    ] == []


def test_malformed_json_is_told_with_its_place(api: Api) -> None:
    assert asked(api, JOB, b'{"jobName": }') == (
        400,
        {"errors": ["The request body cannot be read: malformed JSON at line 1, column 13."]},
    )


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_another_content_type_is_not_supported(api: Api, kind: str) -> None:
    code, found = asked(api, JOB, b"{}", content_type=kind)
    named = f"Content type '{kind}' is not supported" if kind else "The request names no content type"
    assert (code, found) == (415, {"errors": [f"{named}; send application/json."]})


def test_a_body_too_large_is_refused(api: Api) -> None:
    code, found = asked(api, JOB, b" " * (1024 * 1024 + 1))
    assert (code, found) == (413, {"errors": ["The request body is larger than 1 MB."]})


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "GET", "OPTIONS"])
def test_another_method_is_not_allowed(api: Api, method: str) -> None:
    response = api(method, JOB)
    assert (answer(response), response["Allow"]) == (
        (405, {"errors": [f"Method '{method}' is not allowed here."]}),
        "POST, OPTIONS",
    )


def test_a_path_that_leads_nowhere_is_told_in_the_surfaces_form(api: Api) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert answer(api(method, "/service/zementis/nowhere")) == (404, {"errors": ["There is no such resource."]})


def test_a_platform_path_that_leads_nowhere_is_told_in_the_platforms_form(api: Api) -> None:
    assert answer(api.get("/inventory/nowhere")) == (
        404,
        {
            "error": "general/notFound",
            "message": "There is no such resource.",
            "info": "https://www.cumulocity.com/guides/reference-guide/#error_reporting",
        },
    )


SERVICE_PREFIXES = ["/service/zementis", "/service/zementis/"]
PLATFORM_PREFIXES = ["/inventory", "/measurement", "/platform", "/platform/", "/tenant", "/user"]


def test_a_bare_prefix_leads_nowhere_in_its_surfaces_form(api: Api) -> None:
    message = "There is no such resource."
    service, platform = {"errors": [message]}, {"error": "general/notFound", "message": message, "info": INFO}
    for method in ("GET", "POST", "DELETE"):
        assert {path: answer(api(method, path)) for path in SERVICE_PREFIXES + PLATFORM_PREFIXES} == {
            **dict.fromkeys(SERVICE_PREFIXES, (404, service)),
            **dict.fromkeys(PLATFORM_PREFIXES, (404, platform)),
        }


def test_a_wrong_host_is_refused_in_the_surfaces_form(api: Api) -> None:
    message = "The request was refused: Bad Request."
    service, platform = {"errors": [message]}, {"error": "general/badRequest", "message": message, "info": INFO}
    services = [*SERVICE_PREFIXES, "/service/zementis/jobs", JOB]
    platforms = [*PLATFORM_PREFIXES, "/inventory/managedObjects", "/measurement/measurements"]
    responses = {path: api.get(path, headers={"Host": "evil.example"}) for path in services + platforms}
    assert {path: (response["Content-Type"], answer(response)) for path, response in responses.items()} == {
        **dict.fromkeys(services, ("application/json", (400, service))),
        **dict.fromkeys(platforms, ("application/json", (400, platform))),
    }


def test_what_is_not_the_surfaces_keeps_its_own_error_pages(api: Api) -> None:
    for path in ("/admin/", "/", "/services", "/inventories", "/service/other"):
        response = api.get(path, headers={"Host": "evil.example"})
        assert (path, response.status_code, response["Content-Type"].split(";")[0]) == (path, 400, "text/html")


def test_a_closing_slash_changes_nothing(api: Api) -> None:
    assert answer(api.get("/service/zementis/jobs/")) == (200, [])


ODD_DIGITS = ("id eq '²'", "bygroupid(²)", "²", "٣")
strange = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**62, max_value=2**80),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        ["\x00", "\ud800", "é", "periodic", "once", "2026-01-01T00:00:00Z", "* * * * * ?", "a.b.value", ""]
    ),
)
values = st.recursive(
    strange,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(data=st.data())
def test_no_job_crashes_the_server(api: Api, data: st.DataObject) -> None:
    from zementis.models import ManagedObject, ScoringModel

    if not ScoringModel.objects.exists():
        a_model()
        a_device()
    body: dict[str, Any] = a_job_body(ManagedObject.objects.values_list("pk", flat=True)[0])
    for key in data.draw(st.lists(st.sampled_from([*body, *body["jobSchedule"]]), min_size=1, max_size=3)):
        where = body if key in body else body["jobSchedule"]
        if isinstance(where, dict):
            where[key] = data.draw(values)
    code, found = asked(api, JOB, json.dumps(body).encode())
    assert code in (201, 400, 404), found


@settings(max_examples=60)
@given(key=st.text(max_size=10), value=values, known=st.sampled_from(["type", "time", "source", "c8y_X", "name", "id"]))
def test_no_platform_body_crashes_the_server(api: Api, key: str, value: Any, known: str) -> None:
    from zementis.models import ManagedObject

    if not ManagedObject.objects.exists():
        a_device()
    device = ManagedObject.objects.values_list("pk", flat=True)[0]
    measurement = {
        "type": "t",
        "time": "2026-01-01T00:00:00Z",
        "source": {"id": str(device)},
        "c8y_X": {"x": {"value": 1}},
        key: value,
    }
    measurement[known] = value if key.startswith("a") else measurement.get(known)
    codes = [
        asked(api, "/measurement/measurements", json.dumps(measurement).encode())[0],
        asked(api, "/inventory/managedObjects", json.dumps({known: value, key: value}).encode())[0],
    ]
    assert set(codes) <= {201, 422}


@settings(max_examples=100)
@given(
    path=st.sampled_from(
        [
            "/inventory/managedObjects",
            "/measurement/measurements",
            "/measurement/measurements/series",
            "/inventory/managedObjects/1/childAssets",
            "/service/zementis/apply/X",
            "/service/zementis/job/1/history/1/inferences",
        ]
    ),
    name=st.sampled_from(
        [
            "pageSize",
            "currentPage",
            "source",
            "dateFrom",
            "dateTo",
            "type",
            "query",
            "q",
            "ids",
            "text",
            "fragmentType",
            "valueFragmentType",
            "valueFragmentSeries",
            "series",
            "aggregationType",
            "record",
            "withTotalPages",
        ]
    ),
    value=st.one_of(
        st.text(max_size=20),
        st.integers().map(str),
        st.sampled_from(["\x00", "9" * 30, "true", "'", "has((", *ODD_DIGITS]),
    ),
)
def test_no_parameter_crashes_the_server(api: Api, path: str, name: str, value: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in value):
        return
    response = api.get(path, {name: value, **({"source": "1"} if "series" in path and name != "source" else {})})
    assert response.status_code in (200, 400, 404, 422)


@pytest.mark.parametrize(
    "path",
    [
        "/inventory/managedObjects/{}",
        "/inventory/managedObjects/{}/supportedSeries",
        "/inventory/managedObjects/{}/childAssets",
        "/inventory/managedObjects/1/childAssets/{}",
        "/measurement/measurements/{}",
        "/service/zementis/model/{}",
        "/service/zementis/model/{}/source",
        "/service/zementis/apply/{}?record=%7B%7D",
        "/service/zementis/job/{}/history",
    ],
)
def test_no_path_crashes_the_server(api: Api, path: str) -> None:
    form = {"errors"} if path.startswith("/service") else {"error", "message", "info"}
    segments = ["0", "-1", "abc", "9" * 19, "9" * 400, "%00", "%F0%9F%92%A9", "%ff", "1e5", "..."]
    answers = {segment: answer(api.get(path.format(segment))) for segment in segments}
    assert {segment: (code, set(found)) for segment, (code, found) in answers.items()} == dict.fromkeys(
        segments, (404, form)
    )


def test_a_user_without_any_right_learns_nothing_of_paths(db: None) -> None:
    assert Api(a_user()).get("/service/zementis/nowhere").status_code == 404
