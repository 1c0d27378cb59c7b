"""Fixtures of the Volt MX surface: users, a client that speaks its wire, the miniature Foundry on a port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.voltmx.wire import PASSWORD, Wire
from voltmx.demo.foundry import App, Foundry
from voltmx.demo.server import FoundryServer
from voltmx.foundry import identity

APPS = {
    "weatherapp": App("s3cret-of-the-app", {"userstore": {"ada": "pw-of-ada"}}),
    "accounts": App("", {"": {"root": "pw-of-root"}}),
}


@pytest.fixture
def user(db: None) -> User:
    """The administrator, whose e-mail differs from the user name."""
    return User.objects.create_superuser("admin", "user.id@example.com", PASSWORD, first_name="Ada", last_name="King")


@pytest.fixture
def user_with(db: None) -> Callable[..., User]:
    """Makes users that have the named permissions alone."""

    def make(*codenames: str, name: str = "limited") -> User:
        made = User.objects.create_user(name, f"{name}@example.com", PASSWORD)
        made.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        return made

    return make


@pytest.fixture
def wire(user: User) -> Wire:
    """A client that has logged in as the administrator."""
    return Wire(Client()).log_in(user.get_username())


@pytest.fixture
def stranger(db: None) -> Wire:
    """A client that has not logged in."""
    return Wire(Client())


@pytest.fixture
def foundry(settings: Any) -> Iterator[FoundryServer]:
    """The miniature Foundry with all its faults, the default server of every service."""
    identity.tokens.clear()
    with FoundryServer(Foundry(apps=APPS, faults=True)) as server:
        settings.VOLTMX_SERVER_URL = server.url
        yield server
    identity.tokens.clear()
