"""Fixtures of accounts: users with roles, tokens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from accounts import tokens
from accounts.models import ApiToken
from accounts.roles import Role

PASSWORD = "correct horse battery"


@pytest.fixture
def user_of(db: None) -> Callable[..., User]:
    """Makes users that have a role."""

    def make(role: Role | None, **more: Any) -> User:
        name = role.value if role else "nobody"
        user = User.objects.create_user(f"{name}-user", f"{name}@example.com", PASSWORD, is_staff=True, **more)
        if role:
            user.groups.add(Group.objects.get(name=role.value))
        return user

    return make


@pytest.fixture
def token_of(db: None) -> Callable[..., tuple[ApiToken, str]]:
    """Makes tokens that are good for a day."""

    def make(owner: User, role: Role = Role.ADMINISTRATOR, surface: str = "any") -> tuple[ApiToken, str]:
        ends = timezone.now() + timedelta(days=1)
        return tokens.issue("nightly import", owner=owner, role=role, surface=surface, expires_at=ends, by="tests")

    return make
