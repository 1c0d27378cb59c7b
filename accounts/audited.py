"""What is audited without being asked: edits of jobs, runs asked for and cancelled, and rows of the tables below."""

from __future__ import annotations

import json
import re
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import models
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save

from accounts import audit
from scheduler import deeds
from scheduler.models import JobChange
from scheduler.models.secret_field import SecretField
from scheduler.secret import MASK, Secret, UnreadableSecret

# Every edit of a row of these is recorded, whoever makes it; a table that is not installed is passed over.
TABLES = (
    "accounts.ApiToken",
    "accounts.Identity",
    "accounts.SecondFactor",
    "auth.Group",
    "auth.User",
    "django_celery_beat.CrontabSchedule",
    "django_celery_beat.IntervalSchedule",
    "django_celery_beat.PeriodicTask",
    "django_celery_beat.SolarSchedule",
    "scheduler.AlertRule",
    "scheduler.Calendar",
    "scheduler.Channel",
    "scheduler.Limit",
    "scheduler.Ping",
    "voltmx.Service",
    "zementis.ManagedObject",
    "zementis.ModelVersion",
    "zementis.ScoringModel",
)
_RELATIONS = (
    "auth.User_groups",
    "auth.User_user_permissions",
    "auth.Group_permissions",
    "scheduler.AlertRule_channels",
)
_SECRET = frozenset({"password", "digest"})
# What is written by the clock or by use, and is nobody's deed.
_UNTOLD = frozenset(
    {"last_login", "last_used_at", "updated_at", "last_at", "last_problem", "last_step", "failures"}
    | {"last_run_at", "total_run_count", "date_changed"}
)
# Members of JSON that are named like these are told as changed, not what they say.
_SECRET_NAME = re.compile(r"pass(word|wd|phrase)|secret|token|credential|authori[sz]ation|api[-_]?key", re.IGNORECASE)
_JSON_TEXT = frozenset({"args", "kwargs", "headers"})
_LONGEST = 1_000
_BEFORE = "_audited_before"


def listen() -> None:
    """Connect to the signals; once, when the applications are ready."""
    for table in TABLES:
        pre_save.connect(_remember, sender=table, dispatch_uid=f"audit.pre_save.{table}")
        post_save.connect(_saved, sender=table, dispatch_uid=f"audit.post_save.{table}")
        pre_delete.connect(_remember, sender=table, dispatch_uid=f"audit.pre_delete.{table}")
        post_delete.connect(_deleted, sender=table, dispatch_uid=f"audit.post_delete.{table}")
    for relation in _RELATIONS:
        m2m_changed.connect(_related, sender=relation, dispatch_uid=f"audit.m2m.{relation}")
    post_save.connect(_job_changed, sender=JobChange, dispatch_uid="audit.job")
    deeds.run_requested.connect(_run_requested, dispatch_uid="audit.run_requested")
    deeds.run_cancelled.connect(_run_cancelled, dispatch_uid="audit.run_cancelled")
    deeds.done.connect(_done, dispatch_uid="audit.done")
    user_logged_in.connect(_logged_in, dispatch_uid="audit.logged_in")
    user_logged_out.connect(_logged_out, dispatch_uid="audit.logged_out")


def _job_changed(instance: JobChange, created: bool, **_: Any) -> None:
    if created:
        target = f"{instance.kind} job {instance.number}"
        audit.record(f"job.{instance.verb}", target=target, changes=instance.changes, by=instance.by)


def _run_requested(job: Any, execution: Any, by: str, **_: Any) -> None:
    changes = {"number": execution.number, "status": execution.get_status_display()}
    audit.record("run.requested", target=f"{job.kind} job {job.number}", changes=changes, by=by)


def _run_cancelled(execution: Any, by: str, **_: Any) -> None:
    changes = {"execution": execution.pk, "number": execution.number}
    audit.record("run.cancelled", target=f"job key {execution.job_id}", changes=changes, by=by)


def _done(action: str, target: str, changes: dict[str, Any], by: str | None, **_: Any) -> None:
    audit.record(action, target=target, changes=changes, by=by)


def _logged_in(sender: Any, request: Any, user: Any, **_: Any) -> None:
    told = getattr(request, "sign_in", {"door": "console"})
    audit.record("login.succeeded", target=user.get_username(), changes=told, by=user.get_username())


def _logged_out(sender: Any, request: Any, user: Any, **_: Any) -> None:
    if user is not None:
        audit.record("login.ended", target=user.get_username(), changes={"door": "console"}, by=user.get_username())


def _remember(sender: type[models.Model], instance: models.Model, raw: bool = False, **_: Any) -> None:
    """Keep the stored row beside the one that is about to be written."""
    stored = sender._base_manager.filter(pk=instance.pk).first() if instance.pk and not raw else None
    setattr(instance, _BEFORE, stored)


def _saved(sender: type[models.Model], instance: models.Model, created: bool, raw: bool = False, **_: Any) -> None:
    before = instance.__dict__.pop(_BEFORE, None)
    changes = _differences(before, instance)
    if changes or created:
        verb = "created" if created else "changed"
        audit.record(f"{instance._meta.model_name}.{verb}", target=str(instance), changes=changes)


def _deleted(sender: type[models.Model], instance: models.Model, **_: Any) -> None:
    before = instance.__dict__.pop(_BEFORE, None)
    audit.record(
        f"{instance._meta.model_name}.deleted", target=str(before or instance), changes=_differences(before, None)
    )


def _related(sender: Any, instance: Any, action: str, model: Any, pk_set: Any, reverse: bool, **_: Any) -> None:
    if action not in ("post_add", "post_remove", "pre_clear"):
        return
    name = sender._meta.model_name
    changes = {action.partition("_")[2]: _names(model, pk_set, instance, sender, cleared=action == "pre_clear")}
    if any(changes.values()):
        audit.record(f"{name}.changed", target=str(instance), changes=changes)


def _names(model: Any, keys: Any, instance: Any, sender: Any, *, cleared: bool) -> list[str]:
    if not cleared:
        return sorted(map(str, model._base_manager.filter(pk__in=keys)))[:200]
    names = [field.name for field in instance._meta.many_to_many if getattr(instance, field.name).through is sender]
    return sorted(str(other) for name in names for other in getattr(instance, name).all()[:200])


def _differences(before: models.Model | None, after: models.Model | None) -> dict[str, list[Any]]:
    """Return field -> [before, after] of two states of a row, secrets masked; that one changed is told."""
    row = before or after
    fields = row._meta.concrete_fields if row is not None else ()
    found: dict[str, list[Any]] = {}
    for field in fields:
        if field.primary_key or field.name in _UNTOLD:
            continue
        pair = [None if state is None else getattr(state, field.attname) for state in (before, after)]
        compared = [_plain(value) for value in pair] if isinstance(field, SecretField) else pair
        if compared[0] == compared[1]:
            continue
        if all(state is None or isinstance(state, dict) for state in pair):
            found |= _members(field.name, *(state or {} for state in pair))
        else:
            secret = isinstance(field, SecretField) or field.name in _SECRET
            # JSON kept as text, such as a beat entry's arguments.
            secret = secret or (field.name in _JSON_TEXT and any(_SECRET_NAME.search(str(value)) for value in pair))
            found[field.name] = [_shown(value, secret=secret) for value in pair]
    return found


def _members(name: str, before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    """Return ``name.member`` -> [before, after] of what differs between two JSON objects."""
    found = {}
    for member in sorted({*before, *after}):
        pair = [state.get(member) for state in (before, after)]
        if pair[0] != pair[1]:
            shown = [None if value is None else json.dumps(value, sort_keys=True) for value in pair]
            # Deeper in, too: what is named like a secret anywhere in it is not told at all.
            secret = any(_SECRET_NAME.search(text) for text in (member, *(text or "" for text in shown)))
            found[f"{name}.{member}"[:100]] = [_shown(value, secret=secret) for value in shown]
    return found


def _plain(value: Any) -> Any:
    """Return what is compared: the same secret encrypted anew is no change."""
    if not isinstance(value, Secret):
        return value or None
    try:
        return value.reveal()
    except UnreadableSecret:
        return value.encrypted


def _shown(value: Any, *, secret: bool) -> Any:
    if value is None or value == "" or isinstance(value, bool | int):
        return value
    if secret:
        return MASK
    if isinstance(value, bytes | memoryview):
        return f"{len(value)} bytes"
    return str(value)[:_LONGEST]
