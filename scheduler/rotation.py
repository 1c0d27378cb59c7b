"""Encrypting stored secrets anew, with the first of ENCRYPTION_KEYS, while everything runs.

Wherever they are kept: in ``SecretField`` columns of any table, and as ``{"encrypted": "…"}`` among the arguments of
jobs and of single runs. What the first key encrypted already is left alone, so that a second rotation tells whether the
first one is complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Model

from scheduler import claims
from scheduler.models import Execution, Job
from scheduler.models.secret_field import SecretField
from scheduler.secret import Secret, is_sealed

_CHUNK = 500
_PASSES = 10


def rotate() -> dict[str, int]:
    """Return how many rows were written, by table (``voltmx.service``, ``scheduler.job``); those without any left out.

    Goes over all of them until a pass finds nothing: somebody may store, a moment later, what they had read before.
    Raises ``UnreadableSecret`` where a key is missing; rows before it are done, and doing it again is safe.
    """
    written: Counter[str] = Counter()
    for _ in range(_PASSES):
        found = _pass()
        if not found:
            break
        written += found
    return dict(written)


def _pass() -> Counter[str]:
    found: Counter[str] = Counter()
    for model in apps.get_models():
        columns = [field.attname for field in model._meta.concrete_fields if isinstance(field, SecretField)]
        if columns and (rows := _columns(model, columns)):
            found[model._meta.label_lower] += rows
    for label, rows in (("scheduler.job", _jobs()), ("scheduler.execution", _executions())):
        if rows:
            found[label] += rows
    return found


def _columns(model: type[Model], columns: list[str]) -> int:
    """Rotate columns of a table, each only where it still holds what was read."""
    manager = model._base_manager
    written = set()
    for key, *secrets in manager.order_by("pk").values_list("pk", *columns).iterator(chunk_size=_CHUNK):
        for column, secret in zip(columns, secrets, strict=True):
            if secret is None or (fresh := secret.rotated()) == secret:
                continue
            if manager.filter(pk=key, **{column: secret}).update(**{column: fresh}):
                written.add(key)
    return len(written)


def _jobs() -> int:
    """Rotate the arguments of jobs. No edit: nobody's name goes on it, no version changes and no schedule moves."""
    written = 0
    for key, arguments in Job.objects.values_list("pk", "arguments").iterator(chunk_size=_CHUNK):
        if _rotated(arguments) == arguments:
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            # Under the lock that edits take: none of them, begun before, writes the old text back.
            if claims.lock(cursor, key) is None:
                continue
            current = Job.objects.values_list("arguments", flat=True).get(pk=key)
            written += Job.objects.filter(pk=key).update(arguments=_rotated(current))
    return written


def _executions() -> int:
    """Rotate the arguments of runs that have some of their own; nothing else ever changes those."""
    written = 0
    rows = Execution.objects.filter(arguments__isnull=False).values_list("pk", "arguments")
    for key, arguments in rows.iterator(chunk_size=_CHUNK):
        fresh = _rotated(arguments)
        if fresh != arguments:
            written += Execution.objects.filter(pk=key).update(arguments=fresh)
    return written


def _rotated(value: Any) -> Any:
    if is_sealed(value):
        return {"encrypted": Secret(value["encrypted"]).rotated().encrypted}
    if isinstance(value, Mapping):
        return {name: _rotated(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_rotated(item) for item in value]
    return value
