"""Who may do what, and how a missing login is told."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.test import Client

from tests.zementis.conftest import Api, answer, basic
from tests.zementis.factories import PASSWORD, a_device, a_job, a_job_body, a_model, a_user

pytestmark = pytest.mark.django_db

JOBS = "/service/zementis/jobs"
REFUSED = {
    "error": "general/internalError",
    "message": "Not authorized!",
    "info": "https://www.cumulocity.com/guides/reference-guide/#error_reporting",
}
PATHS = [
    JOBS,
    "/service/zementis/job/1/history/1/inferences",
    "/service/zementis/models",
    "/service/zementis/apply/X",
    "/service/zementis/nowhere",
    "/inventory/managedObjects",
    "/measurement/measurements/series",
    "/tenant/currentTenant",
    "/user/currentUser",
    "/inventory/nowhere",
]


def asked(header: str | None, path: str = JOBS, **more: str) -> Any:
    headers = {**({"Authorization": header} if header is not None else {}), **more}
    return Client(raise_request_exception=False).get(path, headers=headers)


@pytest.mark.parametrize("path", PATHS)
def test_nobody_gets_the_platforms_refusal_everywhere(path: str) -> None:
    response = asked(None, path)
    assert (answer(response), response["WWW-Authenticate"]) == ((401, REFUSED), 'Basic realm="Cumulocity"')


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no-colon").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Basic " + base64.b64encode(b"a\x00b:x").decode(),
        "Basic " + "A" * 10_000,
        "Bearer abc",
        "Digest x",
        "nonsense",
    ],
)
def test_a_broken_login_is_a_refused_one(header: str) -> None:
    assert answer(asked(header)) == (401, REFUSED)


def test_a_wrong_password_is_refused() -> None:
    user = a_user(superuser=True)
    assert asked(basic(user.username, "wrong")).status_code == 401


def test_an_inactive_user_is_refused_even_while_remembered() -> None:
    user = a_user(superuser=True)
    assert asked(basic(user.username, PASSWORD)).status_code == 200
    user.is_active = False
    user.save()
    assert asked(basic(user.username, PASSWORD)).status_code == 401


def test_the_tenant_may_stand_in_front_of_the_user() -> None:
    user = a_user(superuser=True)
    assert asked(basic(f"t100/{user.username}", PASSWORD)).status_code == 200


def test_a_password_may_hold_a_colon() -> None:
    user = a_user(superuser=True, password="a:b:c")
    assert asked(basic(user.username, "a:b:c")).status_code == 200


def test_a_clients_wish_for_no_login_window_is_heard() -> None:
    assert asked(None, UseXBasic="true")["WWW-Authenticate"] == 'XBasic realm="Cumulocity"'


def test_the_second_request_costs_no_password_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    from accounts import doors

    user = a_user(superuser=True)
    calls: list[str] = []
    real = vars(doors)["authenticate"]

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append("hash")
        return real(*args, **kwargs)

    monkeypatch.setattr(doors, "authenticate", counted)
    for _ in range(3):
        assert asked(basic(user.username, PASSWORD)).status_code == 200
    assert calls == ["hash"]


def test_a_changed_password_is_in_force_at_once() -> None:
    user = a_user(superuser=True)
    assert asked(basic(user.username, PASSWORD)).status_code == 200
    user.set_password("other")
    user.save()
    assert asked(basic(user.username, PASSWORD)).status_code == 401
    assert asked(basic(user.username, "other")).status_code == 200


def test_passwords_cannot_be_tried_at_leisure() -> None:
    user = a_user(superuser=True)
    codes = [asked(basic(user.username, f"guess {number}")).status_code for number in range(11)]
    assert codes == [401] * 10 + [429]
    throttled = asked(basic(user.username, "guess"))
    assert answer(throttled)[1]["errors"][0].startswith("Too many requests. Try again in ")
    assert 0 < int(throttled["Retry-After"]) <= 900


@pytest.mark.parametrize(
    ("permission", "method", "path"),
    [
        ("scheduler.view_job", "GET", JOBS),
        ("scheduler.delete_job", "DELETE", JOBS),
        ("scheduler.view_job", "GET", "/service/zementis/job/{job}"),
        ("scheduler.delete_job", "DELETE", "/service/zementis/job/{job}"),
        ("scheduler.view_execution", "GET", "/service/zementis/job/{job}/history"),
        ("zementis.view_scoringmodel", "GET", "/service/zementis/models"),
        ("zementis.view_scoringmodel", "GET", "/service/zementis/model/IsolationForest"),
        ("zementis.change_scoringmodel", "PUT", "/service/zementis/model/IsolationForest/deactivate"),
        ("zementis.delete_scoringmodel", "DELETE", "/service/zementis/model/IsolationForest"),
        ("zementis.delete_scoringmodel", "DELETE", "/service/zementis/models"),
        ("zementis.view_managedobject", "GET", "/inventory/managedObjects"),
        ("zementis.view_managedobject", "GET", "/inventory/managedObjects/{device}/childAssets"),
        ("zementis.delete_managedobject", "DELETE", "/inventory/managedObjects/{device}"),
        ("zementis.view_measurement", "GET", "/measurement/measurements"),
        ("zementis.view_measurement", "GET", "/measurement/measurements/series?source={device}"),
        ("zementis.delete_measurement", "DELETE", "/measurement/measurements?source={device}"),
    ],
)
def test_each_resource_takes_its_permission(permission: str, method: str, path: str) -> None:
    a_model()
    device = a_device()
    path = path.format(job=a_job(device.pk).number, device=device.pk)
    allowed, other = Api(a_user(permission)), Api(a_user("zementis.add_measurement"))
    assert other(method, path).status_code == 403
    assert allowed(method, path).status_code in (200, 204)


@pytest.mark.parametrize(
    ("permission", "path", "body"),
    [
        ("scheduler.add_job", "/service/zementis/job", {}),
        ("zementis.add_scoringmodel", "/service/zementis/model", {}),
        ("zementis.add_managedobject", "/inventory/managedObjects", {}),
        ("zementis.add_measurement", "/measurement/measurements", {}),
    ],
)
def test_posting_takes_its_permission(permission: str, path: str, body: Any) -> None:
    assert Api(a_user()).post(path, body).status_code == 403
    assert Api(a_user(permission)).post(path, body).status_code in (201, 400, 422)


def test_the_service_tells_what_may_not_be_done() -> None:
    assert answer(Api(a_user()).get(JOBS)) == (403, {"errors": ["You do not have the permission to do this."]})


def test_the_platform_tells_what_may_not_be_done() -> None:
    assert answer(Api(a_user()).get("/inventory/managedObjects")) == (
        403,
        {
            "error": "inventory/forbidden",
            "message": "You do not have the permission to do this.",
            "info": "https://www.cumulocity.com/guides/reference-guide/#error_reporting",
        },
    )


def test_reading_and_writing_are_apart() -> None:
    a_model()
    reader = Api(a_user("scheduler.view_job"))
    assert reader.post("/service/zementis/job", a_job_body(a_device().pk)).status_code == 403
