"""GET /api/schedule/preview."""

import base64
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from rest_framework.test import APIRequestFactory, force_authenticate

from jobsite.schedule_preview import SchedulePreviewView
from scheduler.calendars import store

view = SchedulePreviewView.as_view(authentication_classes=[])


def get(parameters: dict[str, str], *, signed_in: bool = True) -> tuple[int, Any]:
    """Status and body of an answer."""
    request = APIRequestFactory().get("/api/schedule/preview", parameters)
    if signed_in:
        force_authenticate(request, User(username="operator"))
    answer = view(request)
    return answer.status_code, answer.data


def test_a_text_is_explained() -> None:
    status, body = get({"expression": "0 0 9 1 1 ? 2140", "zone": "Europe/Berlin", "count": "3"})
    assert (status, body) == (
        200,
        {
            "valid": True,
            "reason": None,
            "description": "At 09:00, on day 1 of the month, in January, in 2140",
            "never_fires": False,
            "zone": "Europe/Berlin",
            "fires": [
                {"utc": "2140-01-01T08:00:00Z", "local": "2140-01-01T09:00:00+01:00", "note": None, "suppressed": None}
            ],
        },
    )


@pytest.mark.parametrize(("format_", "accept"), [("-1", "*/*"), ("xml", "*/*"), ("json", "text/csv"), ("", "nonsense")])
def test_the_answer_is_json_whatever_is_asked_for(format_: str, accept: str) -> None:
    parameters = {"expression": "*/5 * * * *", "format": format_}
    request = APIRequestFactory().get("/api/schedule/preview", parameters, headers={"Accept": accept})
    force_authenticate(request, User(username="operator"))
    answer = view(request).render()
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


def test_more_parameters_than_are_read_are_refused_in_the_same_shape() -> None:
    request = APIRequestFactory().get("/api/schedule/preview?" + "a=b&" * 1500)
    force_authenticate(request, User(username="operator"))
    answer = view(request)
    assert (answer.status_code, answer.data) == (400, {"errors": ["The request cannot be read."]})


def test_the_zone_is_utc_and_the_count_ten_unless_given() -> None:
    status, body = get({"expression": "*/5 * * * *"})
    assert (status, body["zone"], len(body["fires"])) == (200, "UTC", 10)


def test_lost_and_second_times_are_marked() -> None:
    _, body = get({"expression": "0 30 1,2 8,1 3,11 ? 2139,2140", "zone": "America/New_York", "count": "100"})
    assert {fire["note"] for fire in body["fires"]} == {None, "second_pass"} | {"lost"}


def test_a_text_that_cannot_be_read_is_an_answer() -> None:
    status, body = get({"expression": "0 0 25 * * ?"})
    assert (status, body["valid"], body["description"], body["fires"]) == (200, False, None, [])
    assert body["reason"].startswith("hour: '25' is out of range 0-23")


def test_a_text_that_never_fires_says_so() -> None:
    status, body = get({"expression": "0 0 0 30 2 ?"})
    assert (status, body["valid"], body["never_fires"]) == (200, True, True)
    assert body["reason"].startswith("it never fires after ")


@pytest.mark.parametrize(
    ("parameters", "errors"),
    [
        ({}, ["expression: This field is required."]),
        ({"expression": ""}, ["expression: This field may not be blank."]),
        (
            {"expression": "* * * * *", "zone": "Mars"},
            ["zone: 'Mars' is not a time zone; use an IANA name such as Europe/Berlin"],
        ),
        ({"expression": "* * * * *", "count": "0"}, ["count: Ensure this value is greater than or equal to 1."]),
        ({"expression": "* * * * *", "count": "101"}, ["count: Ensure this value is less than or equal to 100."]),
        ({"expression": "* * * * *", "count": "x"}, ["count: A valid integer is required."]),
    ],
)
def test_a_bad_parameter_is_refused(parameters: dict[str, str], errors: list[str]) -> None:
    assert get(parameters) == (400, {"errors": errors})


@pytest.mark.parametrize("text", ["\x00", "\ud800", "x" * 100_000, "' OR 1=1", "%00", "\u202e"])
def test_an_odd_text_is_no_error_of_ours(text: str) -> None:
    request = APIRequestFactory().get("/api/schedule/preview", {"expression": text.encode("utf-8", "surrogatepass")})
    force_authenticate(request, User(username="operator"))
    assert view(request).status_code in (200, 400)


def test_nobody_gets_in_unsigned() -> None:
    assert get({"expression": "* * * * *"}, signed_in=False)[0] == 403


def test_the_schema_documents_it() -> None:
    patterns = [path("api/schedule/preview", view)]
    schema = SchemaGenerator(patterns=patterns).get_schema(request=None, public=True)
    validate_schema(schema)
    operation = schema["paths"]["/api/schedule/preview"]["get"]
    assert [parameter["name"] for parameter in operation["parameters"]] == ["calendars", "count", "expression", "zone"]
    assert {"200", "400"} <= set(operation["responses"])


PATH = "/api/schedule/preview"
WANTED = {"expression": "0 0 9 1 1 ? 2140"}


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create_superuser("operator", "operator@example.org", "a long password")


def test_the_platforms_login_is_taken(client: Client, operator: User) -> None:
    credentials = base64.b64encode(b"operator:a long password").decode()
    answer = client.get(PATH, WANTED, headers={"Authorization": f"Basic {credentials}"})
    assert (answer.status_code, answer.json()["valid"]) == (200, True)


def test_a_claims_token_is_taken(client: Client, operator: User) -> None:
    login = client.post("/authService/accounts/login", {"userid": "operator", "password": "a long password"})
    token = login.json()["claims_token"]["value"]
    answer = client.get(PATH, WANTED, headers={"X-VoltMX-Authorization": token})
    assert (answer.status_code, answer.json()["valid"]) == (200, True)


def test_the_consoles_session_is_taken(client: Client, operator: User) -> None:
    client.force_login(operator)
    assert client.get(PATH + "/", WANTED).status_code == 200


def test_fires_that_calendars_suppress_say_so(client: Client, operator: User) -> None:
    for name, days in (("stock-taking", "2140-01-01 stock"), ("other", "2140-01-02")):
        store.save(None, store.Rules(name=name, dates=days), by="ada")
    client.force_login(operator)
    wanted = {"expression": "0 0 9 1-3 1 ? 2140", "calendars": ["stock-taking", "other"]}
    fires = client.get(PATH, wanted).json()["fires"]
    assert [(fire["utc"], fire["suppressed"]) for fire in fires] == [
        ("2140-01-01T09:00:00Z", "stock-taking: stock"),
        ("2140-01-02T09:00:00Z", "other"),
        ("2140-01-03T09:00:00Z", None),
    ]


@pytest.mark.parametrize(
    ("calendars", "error"),
    [
        (["none"], "calendars: there is no calendar 'none'"),
        (["a\0"], "calendars: Null characters are not allowed."),
        (["a"] * 21, "calendars: Ensure this field has no more than 20 elements."),
    ],
)
def test_calendars_that_cannot_be_are_refused(client: Client, operator: User, calendars: list[str], error: str) -> None:
    client.force_login(operator)
    answer = client.get(PATH, {**WANTED, "calendars": calendars})
    assert (answer.status_code, answer.json()) == (400, {"errors": [error]})


@pytest.mark.django_db
def test_calendars_are_for_those_who_may_view_them(client: Client) -> None:
    client.force_login(User.objects.create_user("reader"))
    answer = client.get(PATH, {**WANTED, "calendars": "none"})
    assert (answer.status_code, answer.json()) == (403, {"errors": ["You may not view calendars."]})


@pytest.mark.django_db
def test_nobody_else_is(client: Client) -> None:
    answer = client.get(PATH, WANTED)
    assert (answer.status_code, list(answer.json())) == (401, ["errors"])


def test_the_schema_that_is_served_documents_it(client: Client, operator: User) -> None:
    client.force_login(operator)
    answer = client.get("/api/schema", {"format": "json"})
    assert (answer.status_code, "/api/schedule/preview" in "".join(answer.json()["paths"])) == (200, True)
