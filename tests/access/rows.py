"""The table of who gets in where, read, and the addresses that there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from django.urls import get_resolver

IDENTITIES = ("anonymous", "nobody", "viewer", "operator", "editor", "administrator", "expired", "other")
ROLES = ("viewer", "operator", "editor", "administrator")
API_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
METHODS = {"console": ("GET", "POST"), "jobsite": ("GET", "POST")}
# What a stranger is told: the console shows its login page, an API says 401.
STRANGER: dict[str, int | str] = {"console": "login", "voltmx": 401, "zementis": 401, "jobsite": 401, "demo": "in"}
TABLE = Path(__file__).with_name("table.yaml")

Outcome = int | str


@dataclass(frozen=True)
class Row:
    """One address with one method, and what comes of it for each identity, in the order of ``IDENTITIES``."""

    route: str
    path: str
    surface: str
    method: str
    outcomes: tuple[Outcome, ...]


def rows() -> list[Row]:
    """Return the table, an entry for every address and method."""
    table = yaml.safe_load(TABLE.read_text())
    found = [row for entry in table["addresses"] for row in _of_address(entry)]
    return found + [row for name, verbs in table["tables"].items() for row in _of_table(name, verbs)]


def rows_when_on() -> list[Row]:
    """Return what the table says of the addresses that a setting switches on, once it is set."""
    return [row for entry in yaml.safe_load(TABLE.read_text())["when_on"] for row in _of_address(entry)]


def routes(resolver: Any = None, before: str = "") -> Iterator[str]:
    """Yield the route of every address of the URL configuration."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = before + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from routes(pattern, route)
        else:
            yield route


def _of_address(entry: dict[str, Any]) -> Iterator[Row]:
    surface = entry["surface"]
    for method in METHODS.get(surface, API_METHODS):
        told = entry.get(method, "absent")
        yield Row(entry["route"], entry["path"], surface, method, _outcomes(told, surface))


def _of_table(name: str, verbs: dict[str, str]) -> Iterator[Row]:
    base = f"admin/{name.replace('.', '/')}/"
    one, key = f"{base}<path:object_id>/", f"{base}{{{name}}}/"
    pages = (
        (base, base, verbs["view"], verbs["view"]),
        (f"{base}add/", f"{base}add/", verbs["add"], verbs["add"]),
        (f"{one}history/", f"{key}history/", verbs["view"], verbs["view"]),
        (f"{one}delete/", f"{key}delete/", verbs["delete"], verbs["delete"]),
        (f"{one}change/", f"{key}change/", verbs["view"], verbs["change"]),
        (one, key, "login", "login"),
    )
    for route, path, get, post in pages:
        yield Row(route, path, "console", "GET", _outcomes(get, "console"))
        yield Row(route, path, "console", "POST", _outcomes(post, "console"))


def _outcomes(told: Any, surface: str) -> tuple[Outcome, ...]:
    if isinstance(told, list):
        return tuple(told)
    stranger = STRANGER[surface]
    if told == "open":
        return ("in",) * len(IDENTITIES)
    if told == "absent":
        return ("absent",) * len(IDENTITIES)
    known: tuple[Outcome, ...] = ("in",) * 5
    if told != "login":
        least = ROLES.index(told) if told != "none" else len(ROLES)
        by_role: list[Outcome] = ["in" if place >= least else 403 for place in range(len(ROLES))]
        known = (403, *by_role)
    # A token of either surface is good where neither surface is.
    other: Outcome = "in" if surface == "jobsite" and told == "login" else stranger
    return (stranger, *known, stranger, other)
