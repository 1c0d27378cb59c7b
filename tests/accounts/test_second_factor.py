"""The second factor: no way into the console without it where it is asked for, and no code is good twice."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts import second_factor, sign_in, totp
from accounts.models import AuditEntry, Enrolment, FailedLogins, RecoveryCode, SecondFactor
from accounts.roles import Role
from scheduler.secret import Secret
from tests.accounts.conftest import PASSWORD
from zementis import authentication

LOGIN, CODE, MANAGE = "/admin/login/", "/admin/login/code/", "/admin/second-factor/"
SEED = base64.b32encode(b"12345678901234567890").decode()
START = 2_000_000_010.0


class Clock:
    """The time that codes are looked at with."""

    def __init__(self) -> None:
        self.now = START

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands, and codes that do not depend on when the test runs."""
    found = Clock()
    monkeypatch.setattr(second_factor, "time", found)
    return found


@pytest.fixture
def ada(user_of: Callable[..., User]) -> User:
    """A viewer with a password."""
    return user_of(Role.VIEWER)


def codes_of(user: User) -> list[str]:
    """Give the user a factor with the seed above; return the recovery codes."""
    made = second_factor.make(user, Secret.of(SEED), step=0)
    assert made is not None
    return made[1]


def app(clock: Clock) -> str:
    return totp.code_at(SEED, int(clock.now // totp.STEP_SECONDS))


def wrong(clock: Clock) -> str:
    near = [totp.code_at(SEED, int(clock.now // totp.STEP_SECONDS) + step) for step in (-1, 0, 1)]
    return next(code for code in ("000000", "000001", "000002", "000003") if code not in near)


def password(client: Client, user: User, to: str = "/admin/") -> Any:
    return client.post(LOGIN, {"username": user.username, "password": PASSWORD, "next": to})


def is_in(client: Client) -> bool:
    return client.get("/admin/scheduler/job/").status_code == 200


def test_where_it_is_required_the_password_alone_leads_to_setting_one_up(
    settings: Any, clock: Clock, ada: User
) -> None:
    settings.MFA = "required"
    client = Client()
    assert (password(client, ada, "/admin/scheduler/job/")["Location"], is_in(client)) == (CODE, False)
    page = client.get(CODE).content.decode()
    found = re.search(r'<code id="seed">([A-Z2-7 ]+)</code>', page)
    assert found is not None and "<svg" in page
    seed = found[1].replace(" ", "")
    step = int(clock.now // 30)
    assert seed not in str(dict(client.session))
    refused = client.post(CODE, {"code": totp.code_at(seed, step + 5)})
    assert (refused.status_code, is_in(client), SecondFactor.objects.exists()) == (200, False, False)
    done = client.post(CODE, {"code": totp.code_at(seed, step)})
    codes = re.findall(r"<code>([A-Z2-7-]{19})</code>", done.content.decode())
    assert (len(set(codes)), 'href="/admin/scheduler/job/"' in done.content.decode(), is_in(client)) == (10, True, True)
    told = AuditEntry.objects.order_by("id").values_list("action", "by")
    name = ada.username
    assert [row for row in told if row[0] != "user.created"][-2:] == [
        ("secondfactor.created", name),
        ("login.succeeded", name),
    ]


def enrolment_code(user: User, **options: Any) -> str:
    out = StringIO()
    call_command("sign_in", "enrol", user.username, stdout=out, **options)
    return out.getvalue().strip()


@pytest.mark.parametrize("mode", ["required", "optional"])
def test_where_a_code_is_asked_for_nobody_sets_a_factor_up_with_a_password_alone(
    settings: Any, clock: Clock, ada: User, user_of: Callable[..., User], mode: str
) -> None:
    settings.MFA, settings.MFA_ENROLMENT, settings.LOGIN_ATTEMPTS = mode, "code", 4
    client, other = Client(), user_of(Role.EDITOR)
    password(client, ada)
    address = CODE if mode == "required" else MANAGE
    page = client.get(address).content.decode()
    found = re.search(r'<code id="seed">([A-Z2-7 ]+)</code>', page)
    assert found is not None and 'name="enrolment"' in page
    right = totp.code_at(found[1].replace(" ", ""), int(clock.now // 30))
    over, others, old, good = enrolment_code(ada), enrolment_code(other), enrolment_code(ada), enrolment_code(ada)
    Enrolment.objects.filter(user=ada).update(expires_at=timezone.now())
    tries = ["", "x", over, others, good]
    told = [client.post(address, {"code": right, "enrolment": code}).status_code for code in tries]
    assert (told, SecondFactor.objects.exists(), is_in(client)) == ([200] * 5, False, mode == "optional")
    # Counted, so that nobody goes on guessing.
    good = enrolment_code(ada)
    locked = client.post(address, {"code": right, "enrolment": good})
    assert (locked.status_code, int(locked["Retry-After"]) > 0, SecondFactor.objects.exists()) == (429, True, False)
    FailedLogins.objects.all().delete()
    assert client.post(address, {"code": right, "enrolment": old}).status_code == 200
    assert not SecondFactor.objects.exists()
    done = client.post(address, {"code": right, "enrolment": good.lower().replace("-", " ")})
    assert len(re.findall(r"<code>([A-Z2-7-]{19})</code>", done.content.decode())) == 10
    assert (is_in(client), Enrolment.objects.filter(user=ada).exists()) == (True, False)
    with pytest.raises(CommandError, match="the user has a second factor"):
        enrolment_code(ada)
    told_of = AuditEntry.objects.filter(target=ada.username, action__startswith="secondfactor.enrolment")
    assert [entry.by for entry in told_of.order_by("id")][:3] == ["command sign_in enrol"] * 3
    assert good not in "".join(entry.record for entry in AuditEntry.objects.all())


@pytest.mark.parametrize("mode", ["required", "optional"])
def test_who_removes_a_factor_is_shown_the_code_that_the_next_one_is_set_up_with(
    settings: Any, clock: Clock, ada: User, mode: str
) -> None:
    settings.MFA, settings.MFA_ENROLMENT = mode, "code"
    codes_of(ada)
    client = Client()
    password(client, ada)
    client.post(CODE, {"code": app(clock)})
    clock.now += 60
    page = client.post(MANAGE, {"do": "remove", "code": app(clock)}).content.decode()
    shown = re.search(r'<code id="enrolment">([A-Z2-7-]{19})</code>', page)
    assert shown is not None and not SecondFactor.objects.exists()
    address = MANAGE
    if mode == "required":
        client = Client()
        password(client, ada)
        address = CODE
    found = re.search(r'<code id="seed">([A-Z2-7 ]+)</code>', client.get(address).content.decode())
    assert found is not None
    right = totp.code_at(found[1].replace(" ", ""), int(clock.now // 30))
    client.post(address, {"code": right, "enrolment": shown[1]})
    assert (SecondFactor.objects.exists(), is_in(client)) == (True, True)


def test_a_session_that_was_made_in_any_other_way_opens_nothing(settings: Any, ada: User) -> None:
    settings.MFA, settings.METRICS_ALLOW_ADDRESSES = "required", []
    client = Client()
    client.force_login(ada)
    addresses = ("/admin/", "/admin/password_change/", "/api/docs", MANAGE, CODE)
    assert {address: client.get(address)["Location"].startswith(LOGIN) for address in addresses} == dict.fromkeys(
        addresses, True
    )
    assert [client.get(address).status_code for address in ("/metrics", "/api/schema", "/api/schedule/preview")] == [
        401
    ] * 3
    session = client.session
    session[second_factor.MARK] = second_factor.PROVIDER
    session.save()
    assert not is_in(client)


def test_password_and_code_let_in_and_a_code_only_once(settings: Any, clock: Clock, ada: User) -> None:
    settings.MFA = "optional"
    codes_of(ada)
    one, other = Client(), Client()
    for client in (one, other):
        assert (password(client, ada, "//evil.example/")["Location"], is_in(client)) == (CODE, False)
    assert (one.post(CODE, {"code": app(clock)})["Location"], is_in(one)) == ("/admin/", True)
    assert (other.post(CODE, {"code": app(clock)}).status_code, is_in(other)) == (200, False)
    # One from before it is no better, though its time has not ended.
    assert other.post(CODE, {"code": totp.code_at(SEED, int(clock.now // 30) - 1)}).status_code == 200
    clock.now += 30
    assert (other.post(CODE, {"code": f" {app(clock)[:3]} {app(clock)[3:]}"}).status_code, is_in(other)) == (302, True)
    entries = AuditEntry.objects.filter(action__in=("login.succeeded", "secondfactor.failed")).order_by("id")
    assert [(entry.action, entry.by, entry.details()["changes"]) for entry in entries] == [
        ("login.succeeded", ada.username, {"door": "console", "second factor": "app"}),
        ("secondfactor.failed", ada.username, {}),
        ("secondfactor.failed", ada.username, {}),
        ("login.succeeded", ada.username, {"door": "console", "second factor": "app"}),
    ]


def test_a_recovery_code_is_good_once(settings: Any, clock: Clock, ada: User) -> None:
    settings.MFA = "optional"
    first, second, *_ = codes_of(ada)
    outcomes = []
    for code in (first, first, second.lower().replace("-", " ")):
        client = Client()
        password(client, ada)
        client.post(CODE, {"code": code})
        outcomes.append(is_in(client))
    assert (outcomes, RecoveryCode.objects.count()) == ([True, False, True], 8)


def test_of_two_who_come_with_one_code_at_once_one_gets_in(clock: Clock, ada: User) -> None:
    codes = codes_of(ada)
    # Both have read the row before either writes it.
    one, other = SecondFactor.objects.get(), SecondFactor.objects.get()
    told = [
        second_factor.check(factor, code, address="192.0.2.1")
        for code in (app(clock), codes[0])
        for factor in (one, other)
    ]
    assert told == ["app", None, "recovery code", None]


def test_wrong_codes_lock_and_a_right_password_forgives_none(settings: Any, clock: Clock, ada: User) -> None:
    settings.MFA, settings.LOGIN_ATTEMPTS = "optional", 2
    codes = codes_of(ada)
    told = []
    for code in (wrong(clock), wrong(clock), app(clock), codes[0]):
        client = Client()
        assert password(client, ada)["Location"] == CODE
        answer = client.post(CODE, {"code": code})
        told.append((answer.status_code, 0 < int(answer.get("Retry-After", "0")) <= 900, is_in(client)))
    assert told == [(200, False, False)] * 2 + [(429, True, False)] * 2


def test_a_hundred_wrong_codes_in_a_row_end_the_app_until_a_recovery_code(
    settings: Any, clock: Clock, ada: User
) -> None:
    settings.MFA = "optional"
    codes = codes_of(ada)
    SecondFactor.objects.update(failures=99)
    outcomes = []
    for code in (wrong(clock), app(clock), codes[0], app(clock)):
        client = Client()
        password(client, ada)
        client.post(CODE, {"code": code})
        outcomes.append(is_in(client))
    assert outcomes == [False, False, True, True]


def test_what_is_pending_ends_with_time_password_and_deactivation(
    settings: Any, monkeypatch: pytest.MonkeyPatch, clock: Clock, ada: User
) -> None:
    settings.MFA = "optional"
    codes_of(ada)

    def late() -> None:
        now = time.time() + 601
        monkeypatch.setattr(sign_in, "time", SimpleNamespace(time=lambda: now))

    def another_password() -> None:
        monkeypatch.setattr(sign_in, "time", time)
        ada.set_password("another one")
        ada.save()

    def deactivated() -> None:
        ada.set_password(PASSWORD)
        ada.is_active = True
        ada.save()

    ends = []
    for change in (late, another_password):
        client = Client()
        password(client, ada)
        change()
        ends.append((client.post(CODE, {"code": app(clock)})["Location"], is_in(client)))
    deactivated()
    client = Client()
    password(client, ada)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    ends.append((client.post(CODE, {"code": app(clock)})["Location"], is_in(client)))
    assert ends == [(LOGIN, False)] * 3


def test_optional_it_is_set_up_renewed_and_removed_by_the_user(settings: Any, clock: Clock, ada: User) -> None:
    settings.MFA = "optional"
    client, elsewhere = Client(), Client()
    for one in (client, elsewhere):
        assert password(one, ada)["Location"] == "/admin/"
    page = client.get(MANAGE).content.decode()
    found = re.search(r'<code id="seed">([A-Z2-7 ]+)</code>', page)
    assert found is not None
    seed = found[1].replace(" ", "")
    step = int(clock.now // 30)
    assert client.post(MANAGE, {"code": totp.code_at(seed, step)}).status_code == 200
    # Sessions that have not passed it end.
    assert (is_in(client), is_in(elsewhere)) == (True, False)
    old = set(RecoveryCode.objects.values_list("digest", flat=True))
    client.post(MANAGE, {"do": "renew", "code": "000"})
    assert set(RecoveryCode.objects.values_list("digest", flat=True)) == old
    client.post(MANAGE, {"do": "renew", "code": totp.code_at(seed, step + 1)})
    assert (RecoveryCode.objects.count(), old & set(RecoveryCode.objects.values_list("digest", flat=True))) == (
        10,
        set(),
    )
    client.post(MANAGE, {"do": "remove", "code": totp.code_at(seed, step + 1)})
    assert SecondFactor.objects.exists()
    clock.now += 60
    client.post(MANAGE, {"do": "remove", "code": totp.code_at(seed, step + 2)})
    assert (SecondFactor.objects.exists(), is_in(client)) == (False, True)
    actions = AuditEntry.objects.filter(action__startswith="secondfactor").order_by("id").values_list("action", "by")
    assert list(actions) == [
        (f"secondfactor.{verb}", ada.username) for verb in ("created", "failed", "codes_renewed", "failed", "deleted")
    ]


def test_the_apis_take_the_password_alone(settings: Any, ada: User) -> None:
    settings.MFA = "required"
    authentication.verified.clear()
    basic = base64.b64encode(f"{ada.username}:{PASSWORD}".encode()).decode()
    told = [
        Client().get("/user/currentUser", headers={"Authorization": f"Basic {basic}"}).status_code,
        Client().post("/authService/accounts/login", {"userid": ada.username, "password": PASSWORD}).status_code,
    ]
    assert told == [200, 200]


def test_seeds_are_encrypted_and_rotated(settings: Any, ada: User) -> None:
    codes_of(ada)
    stored = SecondFactor.objects.get().seed
    assert SEED not in stored.encrypted
    old, new = settings.ENCRYPTION_KEYS, Fernet.generate_key().decode()
    settings.ENCRYPTION_KEYS = [new, *old]
    call_command("rotate_secrets", verbosity=0)
    settings.ENCRYPTION_KEYS = [new]
    assert SecondFactor.objects.get().seed.reveal() == SEED


def test_a_seed_whose_key_is_gone_lets_nobody_in_but_recovery_codes_do(settings: Any, clock: Clock, ada: User) -> None:
    settings.MFA = "required"
    codes = codes_of(ada)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    client = Client()
    password(client, ada)
    assert client.post(CODE, {"code": app(clock)}).status_code == 200
    assert client.post(CODE, {"code": codes[0]}).status_code == 302


def test_an_administrator_takes_away_factors_but_not_a_superusers(ada: User, user_of: Callable[..., User]) -> None:
    root = User.objects.create_superuser("root")
    for user in (ada, root):
        codes_of(user)
    client = Client()
    client.force_login(user_of(Role.ADMINISTRATOR))
    told = []
    for factor in SecondFactor.objects.order_by("pk"):
        answer = client.post(f"/admin/accounts/secondfactor/{factor.pk}/delete/", {"post": "yes"})
        told.append((factor.user.username, answer.status_code))
    assert (told, SecondFactor.objects.get().user) == ([(ada.username, 302), ("root", 403)], root)
    page = client.get(f"/admin/accounts/secondfactor/{SecondFactor.objects.get().pk}/change/").content.decode()
    assert SEED not in page
    call_command("sign_in", "reset-second-factor", "root", verbosity=0)
    assert not SecondFactor.objects.exists()
    with pytest.raises(CommandError, match="nothing to remove"):
        call_command("sign_in", "reset-second-factor", "root")
