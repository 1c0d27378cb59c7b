"""Every action of the console, for every role, against the table; and every button of a page, against its address."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import wraps
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib import admin
from django.template.response import TemplateResponse
from django.test import Client, RequestFactory
from django.urls import Resolver404, resolve

from tests.access.conftest import ADDRESS, member, rendered
from tests.access.rows import ROLES, rows

TABLE: dict[str, dict[str, dict[str, str]]] = yaml.safe_load(Path(__file__).with_name("actions.yaml").read_text())
BUTTONS = ("actions_list", "actions_row", "actions_detail", "actions_submit_line")
# What the forms and links of a page lead to, by the method of each.
_FORM = re.compile(r"<form\b[^>]*>", re.IGNORECASE)
_LINK = re.compile(r"<(?:a|button)\b[^>]*?\b(href|formaction)=\"([^\"]+)\"", re.IGNORECASE)
_ACTION = re.compile(r"\baction=\"([^\"]+)\"", re.IGNORECASE)


def consoles() -> dict[str, Any]:
    return {model._meta.label_lower: console for model, console in admin.site._registry.items()}


def may(least: str, identity: str) -> bool:
    return least in ROLES and identity in ROLES[ROLES.index(least) :]


def caller(role: str) -> Client:
    client = Client(REMOTE_ADDR=ADDRESS)
    client.force_login(member(role))
    return client


def test_every_action_is_in_the_table() -> None:
    rows_, buttons = {}, {}
    for name, console in consoles().items():
        rows_[name] = sorted(action for _call, action, _told in console._get_base_actions())
        found = sorted(action for kind in BUTTONS for action in console._extract_action_names(getattr(console, kind)))
        if found:
            buttons[name] = found
    told = {part: {name: sorted(actions) for name, actions in table.items()} for part, table in TABLE.items()}
    assert told == {"rows": rows_, "buttons": buttons}


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The actions that were let in, none of which does anything."""
    found: list[str] = []

    def stand_in(action: Callable[..., Any], name: str) -> Callable[..., Any]:
        @wraps(action)
        def noted(*_: Any, **__: Any) -> None:
            found.append(name)

        return noted

    for console in {type(console) for console in consoles().values()}:
        for name in console.actions or ():
            monkeypatch.setattr(console, name, stand_in(getattr(console, name), name))
    everywhere = {name: stand_in(action, name) for name, action in admin.site.actions}
    monkeypatch.setattr(admin.site, "_actions", everywhere)
    monkeypatch.setattr(TemplateResponse, "render", rendered)
    yield found


def test_actions_on_rows_are_let_in_for_the_roles_of_the_table_alone(
    things: dict[str, Any],
    called: list[str],
) -> None:
    wrong = {}
    # Strangers and who has no role do not get to the lists: table.yaml.
    for identity in ROLES:
        client = caller(identity)
        for name, actions in TABLE["rows"].items():
            app, model = name.split(".")
            for action, least in actions.items():
                called.clear()
                sent = {"action": action, "_selected_action": [things[name]], "post": "yes", "index": "0"}
                status = client.post(f"/admin/{app}/{model}/", sent).status_code
                if (called == [action], status < 500) != (may(least, identity), True):
                    wrong[f"{identity}: {name} {action}"] = (called[:], status)
    assert wrong == {}


def test_buttons_of_the_theme_are_there_for_the_roles_of_the_table_alone(things: dict[str, Any]) -> None:
    wrong = {}
    found = consoles()
    for identity in ("nobody", *ROLES):
        request = RequestFactory().get("/")
        request.user = member(identity)
        for name, actions in TABLE["buttons"].items():
            console, key = found[name], things[name]
            offered = [
                *console.get_actions_list(request),
                *console.get_actions_row(request),
                *console.get_actions_detail(request, key),
                *console.get_actions_submit_line(request, key),
            ]
            names = {action.action_name.removeprefix(f"{name.replace('.', '_')}_") for action in offered}
            expected = {action for action, least in actions.items() if may(least, identity)}
            if names != expected:
                wrong[f"{identity}: {name}"] = (names, expected)
    assert wrong == {}


# The pages with buttons of their own.
PAGES = ("scheduler.job", "scheduler.execution", "zementis.scoringmodel", "voltmx.service", "scheduler.calendar")


def test_no_page_offers_what_its_reader_may_not_do(things: dict[str, Any]) -> None:
    outcomes = {(row.route.replace("/^", "/"), row.method): row.outcomes for row in rows()}
    refused, offered = set(), set()
    for place, role in enumerate(ROLES[:3], start=2):
        client = caller(role)
        for name in PAGES:
            app, model = name.split(".")
            page = client.get(f"/admin/{app}/{model}/{things[name]}/change/")
            assert page.status_code == 200
            for method, path in offers(page.content.decode()):
                route = _route(path)
                outcome = outcomes.get((route, method), ("in",) * 8)[place]
                offered.add((route, role))
                if outcome != "in":
                    refused.add((role, name, method, path, outcome))
    assert refused == set()
    # So that a page whose buttons are found no longer does not pass for one without any.
    cancel, run = "admin/scheduler/execution/<int:pk>/cancel/", "admin/scheduler/job/<int:pk>/run/"
    assert {(cancel, "operator"), (run, "operator"), (run, "editor")} <= offered
    assert not {(cancel, "viewer"), (run, "viewer")} & offered


def offers(page: str) -> Iterator[tuple[str, str]]:
    """Yield the method and the path of each form and link of a page."""
    for form in _FORM.findall(page):
        action = _ACTION.search(form)
        if action is not None:
            yield ("POST" if 'method="post"' in form.lower() else "GET"), unescape(action[1])
    for kind, path in _LINK.findall(page):
        yield ("POST" if kind.lower() == "formaction" else "GET"), unescape(path)


def _route(path: str) -> str:
    if not path.startswith("/"):
        return ""
    try:
        return resolve(re.split(r"[?#]", path)[0]).route
    except Resolver404:
        return ""
