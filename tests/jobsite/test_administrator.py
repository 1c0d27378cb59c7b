"""The administrator that the stack makes."""

import stat
from pathlib import Path

import pytest
from django.contrib.auth import authenticate, get_user_model

from jobsite.administrator import ensure
from jobsite.stack.login import Login, recall

pytestmark = pytest.mark.django_db


def test_a_new_one_gets_a_random_password_that_is_kept_for_us_alone(tmp_path: Path) -> None:
    kept = tmp_path / "admin.json"
    login = ensure("admin", password="", kept=kept)
    account = authenticate(username="admin", password=login.password)
    assert account is not None
    assert (account.is_superuser, recall(kept), stat.S_IMODE(kept.stat().st_mode)) == (True, login, 0o600)


def test_a_second_start_keeps_the_password(tmp_path: Path) -> None:
    kept = tmp_path / "admin.json"
    first = ensure("admin", password="", kept=kept)
    assert ensure("admin", password="", kept=kept) == first


def test_a_given_password_is_set_and_not_kept(tmp_path: Path) -> None:
    kept = tmp_path / "admin.json"
    ensure("root", password="", kept=kept)
    login = ensure("root", password="given-by-hand", kept=kept)
    assert (login, recall(kept)) == (Login("root", None), None)
    assert authenticate(username="root", password="given-by-hand") is not None


def test_a_password_changed_since_is_left_alone_and_no_longer_shown(tmp_path: Path) -> None:
    kept = tmp_path / "admin.json"
    ensure("admin", password="", kept=kept)
    account = get_user_model().objects.get(username="admin")
    account.set_password("chosen-by-its-owner")
    account.save()
    assert (ensure("admin", password="", kept=kept), recall(kept)) == (Login("admin", None), None)
    assert authenticate(username="admin", password="chosen-by-its-owner") is not None


def test_one_who_was_locked_out_may_log_in_again(tmp_path: Path) -> None:
    get_user_model().objects.create_user("admin", is_active=False)
    ensure("admin", password="given-by-hand", kept=tmp_path / "admin.json")
    assert authenticate(username="admin", password="given-by-hand") is not None
