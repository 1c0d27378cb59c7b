"""Clients logged in as people with different permissions."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

Login = Callable[..., Client]


@pytest.fixture
def boss(db: None) -> Client:
    """A superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser("boss", "", "secret"))
    return client


@pytest.fixture
def login(db: None) -> Login:
    """Logs in a member of staff with the permissions named as `app.codename`."""

    def _login(*permissions: str) -> Client:
        user = User.objects.create_user("member", password="secret", is_staff=True)
        for permission in permissions:
            app, codename = permission.split(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
        client = Client()
        client.force_login(user)
        return client

    return _login


@pytest.fixture
def viewer(login: Login) -> Client:
    """Somebody who may look at everything of the scheduler and do nothing."""
    return login("scheduler.view_job", "scheduler.view_execution", "scheduler.view_jobchange", "scheduler.view_process")
