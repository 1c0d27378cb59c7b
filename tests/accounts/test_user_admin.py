"""Users in the console: an administrator makes no superuser and touches none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts.roles import Role


@pytest.fixture
def administrator(user_of: Callable[..., User], client: Client) -> Client:
    client.force_login(user_of(Role.ADMINISTRATOR))
    return client


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root")


def fields(**more: Any) -> dict[str, Any]:
    return {"username": "somebody", "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00", **more}


def test_nobody_is_made_a_superuser_by_an_administrator(administrator: Client) -> None:
    user = User.objects.create_user("somebody")
    answer = administrator.post(f"/admin/auth/user/{user.pk}/change/", fields(is_superuser="on", is_active="on"))
    user.refresh_from_db()
    assert (answer.status_code, user.is_active, user.is_superuser) == (302, True, False)


@pytest.mark.parametrize("page", ["change", "delete", "password"])
def test_a_superuser_is_out_of_an_administrators_reach(administrator: Client, root: User, page: str) -> None:
    assert administrator.post(f"/admin/auth/user/{root.pk}/{page}/", fields()).status_code == 403


def test_a_superuser_among_the_selected_keeps_all_of_them(administrator: Client, root: User) -> None:
    other = User.objects.create_user("somebody")
    chosen = {"action": "delete_selected", "_selected_action": [root.pk, other.pk], "post": "yes"}
    administrator.post("/admin/auth/user/", chosen)
    assert set(User.objects.values_list("username", flat=True)) == {"root", "somebody", "administrator-user"}


def test_a_superuser_makes_superusers(root: User, client: Client) -> None:
    client.force_login(root)
    user = User.objects.create_user("somebody")
    client.post(f"/admin/auth/user/{user.pk}/change/", fields(is_superuser="on", is_active="on"))
    user.refresh_from_db()
    assert user.is_superuser is True
