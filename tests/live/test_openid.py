"""Sign-in against a real OpenID provider in a process of its own, over HTTP, from the login page to the console."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests
from django.contrib.auth.models import User
from django.test import Client

from accounts.models import AuditEntry, Identity
from accounts.oidc import provider as openid
from tests.processes import LiveProcess, free_port

pytestmark = pytest.mark.live

START, CALLBACK, LOGIN = "/admin/login/oidc/", "/admin/login/oidc/callback/", "/admin/login/"


class Person:
    """Somebody at the provider, with a browser of their own for it and one for the console."""

    def __init__(self, issuer: str, name: str) -> None:
        self.console, self._browser, self._issuer, self._name = Client(), requests.Session(), issuer, name

    def asks(self) -> dict[str, str]:
        """Go from the console's login page to the provider, log in there; return what it sends back."""
        button = re.search(r'href="(/admin/login/oidc/\?[^"]*)"', self.console.get(LOGIN).content.decode())
        assert button is not None
        address = self.console.get(button[1])["Location"]
        while not address.startswith("http://testserver/"):
            answer = self._browser.get(address, timeout=60, allow_redirects=False)
            if answer.status_code == 200:
                form = {
                    "login": self._name,
                    "password": "provider's password",
                    "csrfmiddlewaretoken": self._browser.cookies["provider_csrf"],
                    "next": dict(parse_qsl(urlsplit(address).query))["next"],
                }
                answer = self._browser.post(address, form, timeout=60, allow_redirects=False)
            address = urljoin(self._issuer, answer.headers["Location"])
        return dict(parse_qsl(urlsplit(address).query))

    def signs_in(self) -> bool:
        """Go there and back; return whether the console lets them in."""
        self.console.get(CALLBACK, self.asks())
        return self.is_in()

    def is_in(self) -> bool:
        return bool(self.console.get("/admin/scheduler/job/").status_code == 200)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The provider's address, and the file of its users' groups."""
    folder, port = tmp_path_factory.mktemp("openid"), free_port()
    groups = folder / "groups.json"
    groups.write_text("{}")
    process = LiveProcess(
        *(sys.executable, "-m", "tests.live.openid", str(port), f"http://testserver{CALLBACK}"),
        environment={"OPENID_FOLDER": str(folder), "PATH": os.environ["PATH"]},
    )
    try:
        process.wait_for_line("^serving$", deadline=60)
        yield f"http://127.0.0.1:{port}", groups
    finally:
        process.close()


@pytest.fixture
def provider(issuer: tuple[str, Path], db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """The same, named in the settings; accounts for ada and bob, who is not active."""
    for name in ("_CONNECT_SECONDS", "_READ_SECONDS", "_TOTAL_SECONDS"):
        # A busy machine is no fault of the provider's.
        monkeypatch.setattr(openid, name, 60.0)
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = (
        issuer[0],
        "console",
        "console's secret",
    )
    settings.OIDC_ROLES = {"operators": "operator", "everybody": "viewer"}
    User.objects.create_user("ada.l", "ada@example.com", is_staff=True)
    User.objects.create_user("bob.l", "bob@example.com", is_staff=True, is_active=False)
    issuer[1].write_text(json.dumps(dict.fromkeys(("ada", "bob", "eve"), ["everybody", "operators"])))
    return issuer


def test_a_person_of_the_provider_signs_in_with_the_role_that_it_gives_now(provider: tuple[str, Path]) -> None:
    ada, told = Person(provider[0], "ada"), []
    for groups in (["everybody", "operators"], ["everybody"], [], ["operators"]):
        provider[1].write_text(json.dumps({"ada": groups}))
        ada.console = Client()
        held = ada.signs_in(), [*User.objects.get(username="ada.l").groups.values_list("name", flat=True)]
        told.append(held)
    assert told == [(True, ["operator"]), (True, ["viewer"]), (False, []), (True, ["operator"])]
    assert [identity.user.username for identity in Identity.objects.all()] == ["ada.l"]
    entry = AuditEntry.objects.filter(action="login.failed").get()
    assert (entry.target, entry.details()["changes"]["reason"]) == ("ada.l", "the provider gives no role")


def test_nobody_else_gets_in(provider: tuple[str, Path], settings: Any) -> None:
    told: dict[str, bool] = {}
    told["not active here"] = Person(provider[0], "bob").signs_in()
    told["no account here"] = Person(provider[0], "eve").signs_in()
    ada, thief = Person(provider[0], "ada"), Person(provider[0], "eve")
    answer = ada.asks()
    thief.asks()
    thief.console.get(CALLBACK, answer)
    told["with another's answer"] = thief.is_in()
    answer = ada.asks()
    # The provider holds to PKCE: a code is worth nothing without what only this session knows.
    session = ada.console.session
    session["accounts.oidc"] = {**session["accounts.oidc"], "verifier": "v" * 43}
    session.save()
    ada.console.get(CALLBACK, answer)
    told["without the verifier"] = ada.is_in()
    answer = ada.asks()
    session = ada.console.session
    session["accounts.oidc"] = {**session["accounts.oidc"], "nonce": "another"}
    session.save()
    ada.console.get(CALLBACK, answer)
    told["with another nonce"] = ada.is_in()
    settings.OIDC_CLIENT_SECRET = "another"
    told["with a wrong secret"] = ada.signs_in()
    settings.OIDC_CLIENT_SECRET, settings.OIDC_ISSUER = "console's secret", f"{provider[0]}/"
    assert ada.console.get(START)["Location"] == LOGIN
    settings.OIDC_ISSUER = provider[0]
    assert told == dict.fromkeys(told, False)
    answer = ada.asks()
    assert ada.console.get(CALLBACK, answer).status_code == 302 and ada.is_in()
    again = Person(provider[0], "ada")
    again.console.get(CALLBACK, answer)
    assert not again.is_in()
