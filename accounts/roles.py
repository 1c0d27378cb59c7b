"""The four roles: groups whose permissions are stated here and made so after every migration.

Each role may do all that the one before it may. A permission that no table below names, such as one of a model that is
new, is the administrator's alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from django.contrib.auth.models import Group, Permission
from django.db import transaction


class Role(StrEnum):
    """What somebody may do, from least to most."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    EDITOR = "editor"
    ADMINISTRATOR = "administrator"


_VIEWED = {
    "scheduler": (
        *("alertrule", "attempt", "calendar", "channel", "delivery", "execution", "incident", "job", "jobchange"),
        *("jobstate", "limit", "metric", "notice", "payload", "ping", "process"),
    ),
    "voltmx": ("service",),
    "zementis": (*("childreference", "inferencepage", "managedobject", "measurement", "modelversion", "scoringmodel"),),
    "django_celery_beat": (
        *("clockedschedule", "crontabschedule", "intervalschedule", "periodictask", "solarschedule"),
    ),
}
_OPERATED = ("scheduler.run_job", "scheduler.pause_job", "scheduler.cancel_execution", "scheduler.change_incident")
_EDITED = {
    "scheduler": ("alertrule", "calendar", "job", "limit", "ping"),
    "zementis": ("managedobject", "measurement", "scoringmodel"),
}
_EDITOR_TOO = ("voltmx.test_service",)


def _named(table: Mapping[str, tuple[str, ...]], verbs: Iterable[str]) -> frozenset[str]:
    return frozenset(f"{app}.{verb}_{model}" for verb in verbs for app, models in table.items() for model in models)


_VIEWER = _named(_VIEWED, ["view"])
_OPERATOR = _VIEWER | set(_OPERATED)
_EDITOR = _OPERATOR | _named(_EDITED, ["add", "change", "delete"]) | set(_EDITOR_TOO)
# The administrator's are all there are.
_PERMISSIONS: dict[Role, frozenset[str] | None] = {
    Role.VIEWER: _VIEWER,
    Role.OPERATOR: _OPERATOR,
    Role.EDITOR: _EDITOR,
    Role.ADMINISTRATOR: None,
}


def allows(role: Role, permission: str) -> bool:
    """Return whether a role holds a permission, written ``app.codename``."""
    held = _PERMISSIONS[role]
    return held is None or permission in held


@transaction.atomic
def ensure(*, using: str = "default") -> None:
    """Make the four groups hold exactly their permissions, as far as those exist; costs four queries if all is so."""
    rows = Group.objects.using(using)
    groups = {group.name: group for group in rows.filter(name__in=list(Role))}
    if len(groups) < len(Role):
        rows.bulk_create([Group(name=role.value) for role in Role], ignore_conflicts=True)
        groups = {group.name: group for group in rows.filter(name__in=list(Role))}
    codes = {
        key: f"{app}.{codename}"
        for key, app, codename in Permission.objects.using(using).values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    through = Group.permissions.through.objects.using(using)
    keys = [group.pk for group in groups.values()]
    held = set(through.filter(group_id__in=keys).values_list("group_id", "permission_id"))
    wanted = {(groups[role].pk, key) for role in Role for key, code in codes.items() if allows(role, code)}
    through.bulk_create(
        [Group.permissions.through(group_id=group, permission_id=key) for group, key in sorted(wanted - held)],
        ignore_conflicts=True,
    )
    for group in keys:
        excess = [key for owner, key in held - wanted if owner == group]
        if excess:
            through.filter(group_id=group, permission_id__in=excess).delete()
