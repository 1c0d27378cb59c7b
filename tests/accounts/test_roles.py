"""The four groups and what they hold."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from accounts import roles
from accounts.roles import Role

pytestmark = pytest.mark.django_db


def held(role: Role) -> set[str]:
    group = Group.objects.get(name=role.value)
    rows = group.permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


def test_migrations_make_the_four_groups() -> None:
    assert set(Group.objects.values_list("name", flat=True)) == {"viewer", "operator", "editor", "administrator"}


def test_each_role_may_do_more_than_the_one_before() -> None:
    sets = [held(role) for role in Role]
    assert all(less < more for less, more in zip(sets, sets[1:], strict=False))


def test_a_viewer_may_only_look() -> None:
    assert {permission.partition(".")[2].partition("_")[0] for permission in held(Role.VIEWER)} == {"view"}


def test_an_operator_may_run_pause_and_cancel_and_tend_incidents_too() -> None:
    more = held(Role.OPERATOR) - held(Role.VIEWER)
    assert more == {f"scheduler.{verb}" for verb in ("run_job", "pause_job", "cancel_execution", "change_incident")}


def test_an_editor_touches_neither_accounts_nor_the_registry() -> None:
    touched = {permission for permission in held(Role.EDITOR) if not permission.partition(".")[2].startswith("view_")}
    assert {permission for permission in touched if permission.startswith(("auth.", "accounts.", "voltmx."))} == {
        "voltmx.test_service"
    }


def test_nobody_but_the_administrator_sees_accounts_and_the_audit() -> None:
    assert {p for p in held(Role.EDITOR) if p.startswith(("auth.", "accounts.", "sessions."))} == set()


def test_the_administrator_has_every_permission_there_is() -> None:
    assert len(held(Role.ADMINISTRATOR)) == Permission.objects.count()


def test_every_permission_that_a_role_names_exists() -> None:
    named = {permission for held in roles._PERMISSIONS.values() if held for permission in held}
    rows = Permission.objects.values_list("content_type__app_label", "codename")
    assert named - {f"{app}.{codename}" for app, codename in rows} == set()


def test_what_was_added_and_taken_away_is_put_right_by_the_next_migration() -> None:
    viewer = Group.objects.get(name="viewer")
    before = held(Role.VIEWER)
    viewer.permissions.remove(*viewer.permissions.all()[:3])
    viewer.permissions.add(Permission.objects.get(codename="delete_user"))
    call_command("migrate", verbosity=0)
    assert held(Role.VIEWER) == before


def test_making_them_again_writes_nothing(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(5):  # type: ignore[operator]
        roles.ensure()


def test_every_app_of_the_table_is_installed() -> None:
    assert {app for app in (*roles._VIEWED, *roles._EDITED) if not apps.is_installed(app)} == set()
