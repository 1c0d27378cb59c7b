"""The login door."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from django.contrib.auth.models import User

from tests.voltmx.wire import PASSWORD, Wire
from voltmx.models import AccountSession

LOGIN = "/authService/accounts/login"
PROFILE = {
    "userid": "admin",
    "email": "user.id@example.com",
    "firstname": "Ada",
    "lastname": "King",
    "user_attributes": {"user_id": "admin"},
    "profile_attributes": {
        "firstname": "Ada",
        "userid": "admin",
        "email": "user.id@example.com",
        "lastname": "King",
    },
}


def refusal(answer: Any, *, status: int, code: int, phrase: str) -> str:
    """The message of an answer that must have the AUTH shape."""
    body = answer.json()
    message = body["message"]
    assert len(body["requestid"]) == 36
    assert (answer.status_code, {**body, "requestid": "*"}) == (
        status,
        {
            "domain": "AUTH",
            "code": code,
            "mfcode": f"Auth{code}",
            "message": message,
            "details": {"message": message, "errcode": 0, "errmsg": message},
            "requestid": "*",
            "httpstatus": phrase,
        },
    )
    return str(message)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("userid", ["admin", "user.id@example.com", "USER.ID@example.com"])
def test_a_login_with_form_fields_answers_as_the_reference_prints(
    user: User, stranger: Wire, slash: str, userid: str
) -> None:
    before = int(time.time())
    answer = stranger.form(LOGIN + slash, userid=userid, password=PASSWORD, provider="x", domain="y")
    body = answer.json()
    assert answer.status_code == 200
    assert list(body) == ["profile", "claims_token", "refresh_token"]
    assert body["profile"] == PROFILE
    assert list(body["profile"]) == list(PROFILE)
    token = body["claims_token"]
    assert list(token) == ["value", "exp", "integrity_check_required"]
    assert token["integrity_check_required"] is False
    assert before + 3600 <= token["exp"] / 1000 <= time.time() + 3600
    assert token["exp"] % 1000 == 0
    assert jwt.decode(token["value"], options={"verify_signature": False})["exp"] == token["exp"] // 1000


def test_a_login_with_json_works_too(user: User, stranger: Wire) -> None:
    answer = stranger.send("POST", LOGIN, {"userid": "admin", "password": PASSWORD})
    assert (answer.status_code, answer.json()["profile"]) == (200, PROFILE)


def test_a_login_with_multipart_fields_works_too(user: User, stranger: Wire) -> None:
    answer = stranger.client.post(LOGIN, {"userid": "admin", "password": PASSWORD})
    assert (answer.status_code, answer.json()["profile"]) == (200, PROFILE)


def test_wrong_password_unknown_and_inactive_accounts_look_the_same(user: User, stranger: Wire) -> None:
    User.objects.create_user("gone", password=PASSWORD, is_active=False)
    answers = [
        stranger.form(LOGIN, userid=userid, password=password)
        for userid, password in (
            ("admin", "wrong"),
            ("nobody", PASSWORD),
            ("gone", PASSWORD),
            ("\x00", PASSWORD),
            ("admin", "x" * 5000),
        )
    ]
    told = {refusal(answer, status=401, code=-4, phrase="Unauthorized") for answer in answers}
    assert told == {"Invalid User Credentials"}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"userid": "admin"}, "password is required"),
        ({"password": "x"}, "userid is required"),
        ({}, "userid is required; password is required"),
    ],
)
def test_a_missing_field_is_named(user: User, stranger: Wire, fields: dict[str, str], told: str) -> None:
    assert refusal(stranger.form(LOGIN, **fields), status=400, code=-2, phrase="Bad Request") == told


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"userid": 5, "password": "x"}', "application/json", 400),
        (b'{"userid": "\\ud800", "password": "x"}', "application/json", 400),
        (b"userid=%ff&password=x", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a%d=1" % number for number in range(200)), "application/x-www-form-urlencoded", 400),
        (b"<xml/>", "application/xml", 415),
        (b"no boundary", "multipart/form-data", 400),
        (b"x" * (1 << 20) + b"x", "application/x-www-form-urlencoded", 413),
    ],
)
def test_unreadable_logins_are_refused_in_the_auth_shape(
    stranger: Wire, body: bytes, content_type: str, status: int
) -> None:
    answer = stranger.send("POST", LOGIN, body, content_type=content_type)
    assert (answer.status_code, answer.json()["domain"]) == (status, "AUTH")


@pytest.mark.parametrize("header", ["X-VoltMX-Authorization", "x-voltmx-authorization", "X-Kony-Authorization"])
def test_the_token_opens_the_jobs_api_under_each_header(wire: Wire, header: str) -> None:
    token = wire.headers["X-VoltMX-Authorization"]
    wire.headers = {header: token}
    assert wire.get("/admin/api/jobs/job") == []


def test_a_refresh_token_gives_a_login_anew(user: User, stranger: Wire) -> None:
    first = stranger.form(LOGIN, userid="admin", password=PASSWORD).json()
    answer = stranger.client.post("/authService/accounts/claims", headers={"Authorization": first["refresh_token"]})
    second = answer.json()
    assert (answer.status_code, second["profile"]) == (200, PROFILE)
    assert second["claims_token"]["value"] != first["claims_token"]["value"]
    stranger.headers = {"X-VoltMX-Authorization": second["claims_token"]["value"]}
    assert stranger.get("/admin/api/jobs/job") == []


def test_a_claims_token_does_not_refresh_and_a_refresh_token_opens_nothing(user: User, stranger: Wire) -> None:
    body = stranger.form(LOGIN, userid="admin", password=PASSWORD).json()
    claims, refresh = body["claims_token"]["value"], body["refresh_token"]
    answer = stranger.client.post("/authService/accounts/claims", headers={"Authorization": claims})
    refusal(answer, status=401, code=-4, phrase="Unauthorized")
    stranger.headers = {"X-VoltMX-Authorization": refresh}
    assert stranger.send("GET", "/admin/api/jobs/job").status_code == 401


@pytest.mark.parametrize("sort", ["claims", "refresh"])
def test_a_logout_revokes_every_token_of_the_login(user: User, stranger: Wire, sort: str) -> None:
    body = stranger.form(LOGIN, userid="admin", password=PASSWORD).json()
    both = {"claims": body["claims_token"]["value"], "refresh": body["refresh_token"]}
    answer = stranger.client.post("/authService/accounts/logout", headers={"Authorization": both[sort]})
    assert (answer.status_code, answer.json()) == (200, {})
    stranger.headers = {"X-VoltMX-Authorization": both["claims"]}
    assert stranger.send("GET", "/admin/api/jobs/job").status_code == 401
    again = stranger.client.post("/authService/accounts/claims", headers={"Authorization": both["refresh"]})
    refusal(again, status=401, code=-4, phrase="Unauthorized")


def test_tokens_die_with_a_new_password_and_with_the_account(wire: Wire, user: User) -> None:
    user.is_active = False
    user.save()
    assert wire.send("GET", "/admin/api/jobs/job").status_code == 401
    user.is_active = True
    user.save()
    assert wire.send("GET", "/admin/api/jobs/job").status_code == 200
    user.set_password("another one")
    user.save()
    assert wire.send("GET", "/admin/api/jobs/job").status_code == 401


def test_an_expired_token_is_refused(wire: Wire, user: User, settings: Any) -> None:
    settings.VOLTMX_TOKEN_SECONDS = -1
    wire.headers = {}
    wire.log_in("admin")
    assert wire.send("GET", "/admin/api/jobs/job").status_code == 401


def test_tokens_of_another_key_or_algorithm_are_refused(wire: Wire, settings: Any) -> None:
    good = wire.headers["X-VoltMX-Authorization"]
    payload = jwt.decode(good, options={"verify_signature": False})
    for forged in (
        jwt.encode(payload, "k" * 32, algorithm="HS256"),
        jwt.encode(payload, "", algorithm="none"),
        good[:-2],
        "garbage",
        "x" * 10_000,
    ):
        wire.headers = {"X-VoltMX-Authorization": forged}
        assert wire.send("GET", "/admin/api/jobs/job").status_code == 401


def test_a_retired_secret_key_still_opens(wire: Wire, settings: Any) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key, of which the tokens know nothing, and which is long enough"
    user = User.objects.get(username="admin")
    AccountSession.objects.update(fingerprint=user.get_session_auth_hash())
    assert wire.send("GET", "/admin/api/jobs/job").status_code == 200


def test_old_sessions_are_cleaned_up_by_the_next_login(wire: Wire, user: User, settings: Any) -> None:
    settings.VOLTMX_SESSION_SECONDS = -1
    wire.log_in("admin")
    assert AccountSession.objects.count() == 2
    settings.VOLTMX_SESSION_SECONDS = 600
    wire.log_in("admin")
    assert AccountSession.objects.count() == 2


def test_too_many_failed_logins_cost_a_wait_even_with_the_right_password(
    user: User, stranger: Wire, settings: Any
) -> None:
    settings.LOGIN_ATTEMPTS = 3
    told = [stranger.form(LOGIN, userid="admin", password="wrong").status_code for _ in range(3)]
    answer = stranger.form(LOGIN, userid="user.id@example.com", password=PASSWORD)
    assert told == [401, 401, 401]
    message = refusal(answer, status=429, code=-5, phrase="Too Many Requests")
    seconds = int(answer["Retry-After"])
    assert 0 < seconds <= 900
    assert message == f"Too many failed logins; try again in {seconds} seconds"


def test_unknown_accounts_are_locked_like_known_ones(user: User, stranger: Wire, settings: Any) -> None:
    settings.LOGIN_ATTEMPTS = 2
    told = [stranger.form(LOGIN, userid="nobody", password="wrong").status_code for _ in range(3)]
    assert told == [401, 401, 429]


def test_an_address_is_locked_over_all_accounts(user: User, stranger: Wire, settings: Any) -> None:
    settings.LOGIN_ATTEMPTS = 1
    told = [stranger.form(LOGIN, userid=f"u{number}", password="wrong").status_code for number in range(6)]
    assert told == [401, 401, 401, 401, 401, 429]


def test_good_logins_are_never_counted(user: User, stranger: Wire, settings: Any) -> None:
    settings.LOGIN_ATTEMPTS = 1
    told = [stranger.form(LOGIN, userid="admin", password=PASSWORD).status_code for _ in range(8)]
    assert told == [200] * 8


def test_the_wait_ends_with_its_window(user: User, stranger: Wire, settings: Any) -> None:
    settings.LOGIN_ATTEMPTS = 1
    settings.LOGIN_WINDOW_SECONDS = 0
    told = [stranger.form(LOGIN, userid="admin", password="wrong").status_code for _ in range(4)]
    assert told == [401] * 4


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "login", 405), ("DELETE", "login/", 405), ("GET", "claims", 405), ("GET", "nothing", 404)],
)
def test_other_methods_and_addresses_answer_in_the_auth_shape(
    stranger: Wire, method: str, path: str, status: int
) -> None:
    answer = stranger.send(method, f"/authService/accounts/{path}")
    assert (answer.status_code, answer.json()["domain"]) == (status, "AUTH")


def test_passwords_are_not_logged(user: User, stranger: Wire, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    stranger.form(LOGIN, userid="admin", password="marked-wrong-password")
    body = stranger.form(LOGIN, userid="admin", password=PASSWORD).json()
    for secret in ("marked-wrong-password", PASSWORD, body["claims_token"]["value"], body["refresh_token"]):
        assert secret not in caplog.text
