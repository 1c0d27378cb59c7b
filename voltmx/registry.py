"""The service registry: which server a job's service lives on."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Min, Q

from scheduler import limits
from voltmx.arguments import concurrency_key
from voltmx.models import Service
from voltmx.secret import Secret


class UnregisteredService(Exception):
    """No server may be called for a service."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where a service lives and what is known about calling it. Time-outs are seconds."""

    url: str
    connect_timeout: float
    read_timeout: float
    login_path: str = ""
    app_key: str = ""
    app_secret: Secret | None = None
    identity: str = ""
    username: str = ""
    password: Secret | None = None


def resolve(name: str, version: str) -> Server:
    """Return the server of a service: its own entry, the one for every version, the setting's, else the default.

    Raises ``UnregisteredService`` where its entry is switched off or there is no default server.
    """
    # "" sorts before every version, so the exact entry comes last.
    entry = Service.objects.filter(Q(version=version) | Q(version=""), name=name).order_by("version").last()
    if entry is not None:
        return _of(entry)
    configured: dict[str, str] = settings.VOLTMX_SERVICES
    url = configured.get(f"{name}:{version}") or configured.get(name) or settings.VOLTMX_SERVER_URL
    if not url:
        raise UnregisteredService(f"the service {name} {version} is not registered, and there is no default server")
    return Server(
        url=url.rstrip("/"),
        connect_timeout=settings.VOLTMX_CONNECT_TIMEOUT_SECONDS,
        read_timeout=settings.VOLTMX_READ_TIMEOUT_SECONDS,
    )


def save(entry: Service) -> Service:
    """Store an entry, checked, and put its concurrency limit in force. Raises Django's ``ValidationError``."""
    with transaction.atomic():
        entry.full_clean()
        before = Service.objects.filter(pk=entry.pk).values_list("name", flat=True).first()
        entry.save()
        for name in {entry.name, before or entry.name}:
            _limit(name)
    return entry


def remove(entry: Service) -> None:
    """Delete an entry and its concurrency limit."""
    with transaction.atomic():
        entry.delete()
        _limit(entry.name)


def _limit(name: str) -> None:
    given = Service.objects.filter(name=name, concurrency_limit__isnull=False)
    limits.set_limit(concurrency_key(name), given.aggregate(least=Min("concurrency_limit"))["least"])


def server_of(entry: Service) -> Server:
    """Return the server of an entry, switched off or not."""
    return Server(
        url=(entry.server_url or settings.VOLTMX_SERVER_URL).rstrip("/"),
        connect_timeout=entry.connect_timeout_seconds or settings.VOLTMX_CONNECT_TIMEOUT_SECONDS,
        read_timeout=entry.read_timeout_seconds or settings.VOLTMX_READ_TIMEOUT_SECONDS,
        login_path=entry.login_path,
        app_key=entry.app_key,
        app_secret=entry.app_secret,
        identity=entry.identity,
        username=entry.username,
        password=entry.password,
    )


def _of(entry: Service) -> Server:
    if not entry.active:
        raise UnregisteredService(f"the service {entry} is switched off in the registry")
    return server_of(entry)
