"""Sign-in with an OpenID provider: who gets in as whom, and every lie that must not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import Group, User
from django.contrib.messages import get_messages
from django.core.management import CommandError, call_command
from django.test import Client

from accounts import second_factor, totp
from accounts.models import AuditEntry, Identity
from accounts.oidc import provider as openid
from accounts.oidc import views
from accounts.roles import Role
from scheduler.secret import Secret
from tests.accounts.conftest import PASSWORD
from tests.accounts.openid_server import CLIENT, SECRET, OpenIdServer, serving
from tests.waiting import PATIENCE, wait_for

START, CALLBACK, LOGIN, INSIDE = (
    "/admin/login/oidc/",
    "/admin/login/oidc/callback/",
    "/admin/login/",
    "/admin/auth/user/",
)


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[str, list[OpenIdServer]]]:
    """One address for the module's providers."""
    with serving() as found:
        yield found


@pytest.fixture
def provider(place: tuple[str, list[OpenIdServer]], settings: Any) -> OpenIdServer:
    """A provider that the settings name."""
    address, providers = place
    providers[:] = [OpenIdServer(address)]
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = address, CLIENT, SECRET
    settings.OIDC_NAME = "Example <SSO>"
    return providers[0]


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no lie of the provider's."""
    for name in ("_CONNECT_SECONDS", "_READ_SECONDS", "_TOTAL_SECONDS"):
        monkeypatch.setattr(openid, name, 60.0)
    # Providers of tests change from one question to the next.
    monkeypatch.setattr(openid, "_KEPT_SECONDS", 0.0)
    monkeypatch.setattr(openid, "_kept", {})


@pytest.fixture
def ada(user_of: Callable[..., User], provider: OpenIdServer) -> User:
    """An administrator whose address the provider has verified."""
    user = user_of(Role.ADMINISTRATOR)
    provider.claims.update(email=user.email.upper(), email_verified=True)
    return user


def sign_in(provider: OpenIdServer, client: Client, to: str = INSIDE, **change: str) -> Any:
    """Go there and back; ``change`` goes over what the provider's answer says."""
    there = client.get(START, {"next": to})
    code = provider.authorize(there["Location"])
    return client.get(CALLBACK, {"code": code, "state": provider.asked["state"], **change})


def is_in(client: Client) -> bool:
    return client.get(INSIDE).status_code == 200


def roles_of(user: User) -> list[str]:
    return sorted(user.groups.values_list("name", flat=True))


def test_the_first_sign_in_links_the_account_with_the_verified_address(provider: OpenIdServer, ada: User) -> None:
    client = Client()
    page = client.get(LOGIN, {"next": INSIDE}).content.decode()
    assert 'href="/admin/login/oidc/?next=%2Fadmin%2Fauth%2Fuser%2F"' in page and "Example &lt;SSO&gt;" in page
    assert (sign_in(provider, client)["Location"], is_in(client)) == (INSIDE, True)
    asked = dict(provider.asked)
    secrets = [asked.pop(name) for name in ("state", "nonce", "code_challenge")]
    assert (asked, [len(secret) for secret in secrets]) == (
        {
            "tenant": "1",
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": f"http://testserver{CALLBACK}",
            "scope": "openid profile email",
            "code_challenge_method": "S256",
        },
        [43, 43, 43],
    )
    identity = Identity.objects.get()
    assert (identity.user, identity.issuer, identity.subject) == (ada, provider.issuer, "subject-1")
    # From now on the subject counts, whatever becomes of the address.
    provider.claims.update(email="other@example.com", email_verified=False)
    again = Client()
    sign_in(provider, again)
    assert (is_in(again), again.session.get_expiry_age() <= 28800) == (True, True)
    entries = AuditEntry.objects.filter(action__in=("identity.created", "login.succeeded")).order_by("id")
    assert [(entry.action, entry.by, entry.details()["changes"].get("door")) for entry in entries] == [
        ("identity.created", ada.username, None),
        ("login.succeeded", ada.username, "oidc"),
        ("login.succeeded", ada.username, "oidc"),
    ]


LIES: dict[str, dict[str, Any]] = {
    "another issuer": {"claims": {"iss": "https://other.example"}},
    "another audience": {"claims": {"aud": "another client"}},
    "several audiences and no word for whom": {"claims": {"aud": [CLIENT, "other"]}},
    "another party": {"claims": {"azp": "another client"}},
    "over": {"claims": {"exp": int(time.time()) - 3600}},
    "without an end": {"claims": {"exp": None}},
    "not yet": {"claims": {"nbf": int(time.time()) + 86_400}},
    "another nonce": {"claims": {"nonce": "another"}},
    "no nonce": {"claims": {"nonce": None}},
    "no subject": {"claims": {"sub": None}},
    "an empty subject": {"claims": {"sub": ""}},
    "an endless subject": {"claims": {"sub": "s" * 256}},
    "signed by somebody else": {"signs": "forger"},
    "a key that is none of the provider's": {"signs": "forger", "kid": "forger"},
    "signed with the client's secret": {"algorithm": "HS256"},
    "not signed": {"algorithm": "none"},
    "no token": {"answer": {"id_token": None}},
    "no text": {"answer": {"id_token": ["a", "b"]}},
    "no token's form": {"answer": {"id_token": "a.b.c"}},
    "a user of another subject": {"claims": {"email": None}, "userinfo": {"sub": "subject-2", "email_verified": True}},
    "a configuration of another issuer": {"configuration": {"issuer": "https://other.example"}},
    "keys on another host": {"configuration": {"jwks_uri": "http://127.0.0.1:9/keys"}},
    "a token address on another host": {"configuration": {"token_endpoint": "https://other.example/token"}},
    "an address that is none": {"configuration": {"authorization_endpoint": "http://[::1"}},
    "no address": {"configuration": {"token_endpoint": 7}},
    "an error": {"status": 500},
    "a redirect": {"status": 302},
    "too much": {"padding": 1 << 19},
}


def test_no_lie_lets_anybody_in(provider: OpenIdServer, ada: User) -> None:
    Identity.objects.create(user=ada, issuer=provider.issuer, subject="subject-1")
    honest, let_in, recorded = {**vars(provider)}, [], {}
    for lie, change in LIES.items():
        client = Client()
        there = client.get(START)
        code = provider.authorize(there["Location"])
        for name, value in change.items():
            setattr(provider, name, {**honest[name], **value} if isinstance(value, dict) else value)
        before = AuditEntry.objects.count()
        answer = client.get(CALLBACK, {"code": code, "state": provider.asked["state"]})
        if answer.status_code != 302 or answer["Location"] != LOGIN or SESSION_KEY in client.session:
            let_in.append(lie)
        recorded[lie] = AuditEntry.objects.count() - before
        vars(provider).update(honest)
    assert let_in == []
    # What the provider's answer was found to be is recorded, that it gave none is not.
    assert {lie for lie, count in recorded.items() if not count} == set(list(LIES)[-8:])
    assert not [path for path in provider.paths if "elsewhere" in path]
    for algorithm in ("RS256", "PS384"):
        provider.algorithm = algorithm
        client = Client()
        sign_in(provider, client)
        assert is_in(client)


def test_an_answer_that_nobody_here_asked_for_or_for_the_second_time_is_none(
    provider: OpenIdServer, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, client = Client(), Client()
    client.get(LOGIN)
    refused = [
        victim.get(CALLBACK, {"code": "the-code", "state": "x"}),
        sign_in(provider, client, state="another"),
        # The question is gone with the first answer, right or wrong.
        client.get(CALLBACK, {"code": "the-code", "state": provider.asked["state"]}),
        sign_in(provider, client, iss="https://other.example"),
        sign_in(provider, client, code=""),
        sign_in(provider, client, error="access_denied"),
    ]
    assert [(answer["Location"], is_in(client)) for answer in refused] == [(LOGIN, False)] * 6
    told = [str(message) for answer in refused[:1] for message in get_messages(answer.wsgi_request)]
    assert told == ["The sign-in with Example <SSO> failed: it was not begun here, or took too long."]
    stolen = provider.asked["state"]
    sign_in(provider, client)
    assert victim.get(CALLBACK, {"code": "the-code", "state": stolen})["Location"] == LOGIN
    replayed = client.get(CALLBACK, {"code": "the-code", "state": provider.asked["state"]})
    assert replayed["Location"] == LOGIN
    late = Client()
    there = late.get(START)
    code, now = provider.authorize(there["Location"]), time.time() + 601
    monkeypatch.setattr(views, "time", SimpleNamespace(time=lambda: now))
    late.get(CALLBACK, {"code": code, "state": provider.asked["state"]})
    assert not is_in(late)


def test_who_is_no_account_here_gets_no_further(
    provider: OpenIdServer, ada: User, user_of: Callable[..., User], settings: Any
) -> None:
    User.objects.create_superuser("root", "root@example.com", PASSWORD)
    for name in ("twin1", "twin2"):
        User.objects.create_user(name, "twin@example.com", PASSWORD, is_staff=True)
    User.objects.create_user("guest", "guest@example.com", PASSWORD)
    User.objects.create_user("dotless", "adm\u0131n@example.com", PASSWORD, is_staff=True)
    User.objects.create_user("gone", "gone@example.com", PASSWORD, is_staff=True, is_active=False)
    claims: dict[str, dict[str, Any]] = {
        "unknown account": {"email": "nobody@example.com"},
        "two accounts": {"email": "twin@example.com"},
        "a superuser": {"email": "root@example.com"},
        "not of the staff": {"email": "guest@example.com"},
        "not active": {"email": "gone@example.com"},
        "letters that case makes others": {"email": "adm\u0131n@example.com"},
        "not verified": {"email": ada.email, "email_verified": False},
        "verified in words": {"email": ada.email, "email_verified": "true"},
        "the name alone": {"email": None, "preferred_username": ada.username},
        "an address that is none": {"email": "x" * 400},
        "a number": {"email": 7},
    }
    told = {}
    for case, change in claims.items():
        provider.claims = {"email_verified": True, **change}
        client = Client()
        sign_in(provider, client)
        told[case] = (is_in(client), Identity.objects.count())
    assert told == dict.fromkeys(claims, (False, 0))
    settings.OIDC_ACCOUNTS = "linked"
    provider.claims = {"email": ada.email, "email_verified": True}
    sign_in(provider, Client())
    assert not Identity.objects.exists()
    call_command("sign_in", "link", "root", "subject-1", verbosity=0)
    with pytest.raises(CommandError, match="linked already"):
        call_command("sign_in", "link", ada.username, "subject-1")
    client = Client()
    sign_in(provider, client)
    assert client.get("/admin/").wsgi_request.user.get_username() == "root"
    User.objects.filter(username="root").update(is_active=False)
    # The session ends, and there is no other.
    assert not is_in(client)
    sign_in(provider, client)
    assert not is_in(client)
    refusals = AuditEntry.objects.filter(action="login.failed").order_by("-id")
    assert (refusals[0].target, refusals[0].details()["changes"]) == (
        "root",
        {"door": "oidc", "reason": "the account is not active"},
    )


def test_roles_follow_the_claim_at_each_sign_in(provider: OpenIdServer, ada: User, settings: Any) -> None:
    settings.OIDC_ROLES = {"admins": "administrator", "CN=ops,OU=x": "operator", "all": "viewer"}
    settings.OIDC_ROLES_CLAIM = "realm_access.roles"
    ada.groups.add(Group.objects.create(name="night shift"))
    told = []
    for claim in (
        {"realm_access": {"roles": ["all", "CN=ops,OU=x", 7, None]}},
        {"realm_access.roles": "admins"},
        {"realm_access": {"roles": ["other"]}},
        {"realm_access": {"roles": {"admins": True}}},
        {"realm_access": "admins"},
        {},
    ):
        provider.claims = {"email": ada.email, "email_verified": True, **claim}
        client = Client()
        sign_in(provider, client, to="/admin/")
        told.append((client.get("/admin/scheduler/job/").status_code == 200, roles_of(ada)))
    assert told == [
        (True, ["night shift", "operator"]),
        (True, ["administrator", "night shift"]),
        *[(False, ["night shift"])] * 4,
    ]
    changes = AuditEntry.objects.filter(action="user_groups.changed", by=ada.username).count()
    assert changes >= 4


def test_new_accounts_are_made_where_the_settings_say_so(provider: OpenIdServer, ada: User, settings: Any) -> None:
    settings.OIDC_ACCOUNTS, settings.OIDC_ROLES = "created", {"staff": "editor"}
    provider.configuration = {"token_endpoint_auth_methods_supported": ["client_secret_basic"]}
    # The rest is asked for with the access token.
    provider.claims = {}
    provider.userinfo = {"email": "new@example.com", "email_verified": True, "groups": ["staff"]}
    names = []
    for number, name in enumerate(("grace", ada.username.upper(), "not a name!", None), start=2):
        provider.subject = f"subject-{number}"
        provider.userinfo |= {"preferred_username": name, "email": f"new{number}@example.com"}
        client = Client()
        sign_in(provider, client, to="/admin/")
        user = User.objects.get(username=client.get("/admin/").wsgi_request.user.get_username())
        names.append((user.get_username(), roles_of(user), user.has_usable_password(), user.is_superuser))
    assert names == [
        (name, ["editor"], False, False)
        for name in ("grace", "new3@example.com", "new4@example.com", "new5@example.com")
    ]
    provider.subject, provider.userinfo["groups"] = "subject-9", []
    users = User.objects.count()
    sign_in(provider, Client())
    assert User.objects.count() == users


# What the ID token says of how somebody signed in, whether the provider is believed, and whether that is enough.
WORDS: list[tuple[dict[str, Any], bool, bool]] = [
    ({"amr": ["pwd", "mfa"]}, True, True),
    ({"acr": "mfa"}, True, True),
    ({"amr": ["pwd", "mfa"]}, False, False),
    ({"amr": ["pwd"], "acr": "1"}, True, False),
    ({"amr": "mfa"}, True, False),
    ({"amr": [["mfa"], None], "acr": ["mfa"]}, True, False),
    ({}, True, False),
]


@pytest.mark.parametrize(("said", "trusted", "enough"), WORDS)
def test_the_second_factor_is_asked_for_here_unless_the_provider_says_that_it_did(
    provider: OpenIdServer,
    ada: User,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    said: dict[str, Any],
    trusted: bool,
    enough: bool,
) -> None:
    monkeypatch.setattr(second_factor, "time", SimpleNamespace(time=lambda: 2_000_000_010.0))
    settings.MFA, settings.OIDC_PROVIDES_MFA = "required", trusted
    provider.claims |= said
    # Not what is asked of the provider beside its ID token.
    provider.claims["email_verified"], provider.userinfo = None, {"amr": ["mfa"], "email_verified": True}
    provider.userinfo["email"] = ada.email
    seed = totp.new_seed()
    second_factor.make(ada, Secret.of(seed), step=0)
    client = Client()
    there = sign_in(provider, client)["Location"]
    assert (there, is_in(client)) == ((INSIDE, True) if enough else ("/admin/login/code/", False))
    if not enough:
        assert client.post(there, {"code": totp.code_at(seed, 2_000_000_010 // 30)})["Location"] == INSIDE
        assert is_in(client)
    settings.OIDC_PROVIDES_MFA = False
    assert is_in(client) is not enough


def test_an_address_counts_where_whoever_names_it_says_that_it_is_verified(provider: OpenIdServer, ada: User) -> None:
    other = {"email": "other@example.com", "email_verified": True}
    mixed: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
        ({"email": ada.email}, other, False),
        ({"email": ada.email}, {"email_verified": True}, False),
        ({"email_verified": True}, {"email": ada.email}, False),
        ({"email": ada.email, "email_verified": False}, {"email": ada.email, "email_verified": True}, False),
        ({"email": "other@example.com"}, {"email": ada.email, "email_verified": True}, True),
    ]
    told = []
    for claims, userinfo, _ in mixed:
        provider.claims, provider.userinfo = claims, userinfo
        client = Client()
        sign_in(provider, client)
        told.append(is_in(client))
    assert told == [expected for *_, expected in mixed]


@pytest.mark.parametrize("part", ["head", "body"])
def test_an_answer_that_drips_is_cut_in_time(
    provider: OpenIdServer, db: None, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(openid, "_TOTAL_SECONDS", 0.3)
    provider.drips = part
    with pytest.raises(openid.ProviderFailed, match="openid-configuration: the answer took too long"):
        openid.discover()
    # The time is that of all calls together.
    with openid.deadline(), pytest.raises(openid.ProviderFailed, match="the answer took too long"):
        monkeypatch.setattr(openid, "_TOTAL_SECONDS", 60.0)
        openid.discover()


def test_strangers_do_not_make_the_provider_be_asked_again_and_again(
    provider: OpenIdServer, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openid, "_KEPT_SECONDS", 3600.0)
    for _ in range(3):
        assert Client().get(START).status_code == 302
    client = Client()
    sign_in(provider, client)
    assert (is_in(client), [path for path in provider.paths if "openid-configuration" in path]) == (
        True,
        ["/.well-known/openid-configuration"],
    )


def test_a_provider_that_hangs_does_not_hold_all_threads(
    provider: OpenIdServer, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openid, "_at_once", threading.BoundedSemaphore(1))
    with openid.deadline():
        refused = Client().get(START)
    assert (refused["Location"], provider.paths) == (LOGIN, [])
    assert Client().get(START)["Location"].startswith(provider.issuer)


def test_of_many_sign_ins_some_wait_for_a_place_and_the_others_are_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openid, "_at_once", threading.BoundedSemaphore(1))
    monkeypatch.setattr(openid, "_in_line", threading.BoundedSemaphore(1))
    monkeypatch.setattr(openid, "_IN_LINE_SECONDS", PATIENCE)
    has_begun, may_end, served = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with openid.deadline():
            has_begun.set()
            assert may_end.wait(PATIENCE)

    def second() -> None:
        with openid.deadline():
            served.set()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert has_begun.wait(PATIENCE)
    threads[1].start()
    wait_for(lambda: openid._in_line._value == 0)
    with pytest.raises(openid.ProviderFailed, match="too many"), openid.deadline():
        pass
    may_end.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert served.is_set()
