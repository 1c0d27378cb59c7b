"""Encrypting stored credentials anew, with the first of ENCRYPTION_KEYS, while everything runs.

A row that somebody changes at the same moment is left to them: what they write is encrypted with the first key anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Model, QuerySet

from scheduler.models import Execution, Job
from voltmx.models import Service
from voltmx.secret import Secret

_SECRETS = ("app_secret", "password")


def rotate() -> dict[str, int]:
    """Encrypt every credential anew and return how many rows were written: ``services``, ``jobs``, ``runs``.

    Raises ``UnreadableSecret`` where a key is missing; rows before it are done, and doing it again is safe.
    """
    jobs = Job.objects.of_kind("voltmx")
    runs = Execution.objects.filter(job__kind="voltmx", arguments__isnull=False)
    return {"services": _services(), "jobs": _arguments(jobs), "runs": _arguments(runs)}


def _services() -> int:
    written = 0
    for service in Service.objects.iterator():
        kept = {name: getattr(service, name) for name in _SECRETS if getattr(service, name) is not None}
        if kept:
            rows = Service.objects.filter(pk=service.pk, updated_at=service.updated_at)
            written += rows.update(**{name: secret.rotated() for name, secret in kept.items()})
    return written


def _arguments(rows: QuerySet[Any, Any]) -> int:
    """Rotate the column ``arguments``. Not an edit of a job: nobody's name goes on it and no schedule moves."""
    written = 0
    manager = _manager(rows)
    for key, arguments in rows.values_list("pk", "arguments").iterator(chunk_size=500):
        fresh = _rotated(arguments)
        if fresh != arguments:
            written += manager.filter(pk=key, arguments=arguments).update(arguments=fresh)
    return written


def _manager(rows: QuerySet[Any, Any]) -> Any:
    model: type[Model] = rows.model
    return model._default_manager


def _rotated(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.keys() == {"encrypted"} and isinstance(value["encrypted"], str):
            return {"encrypted": Secret(value["encrypted"]).rotated().encrypted}
        return {name: _rotated(item) for name, item in value.items()}
    return value
