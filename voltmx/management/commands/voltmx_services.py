"""``manage.py voltmx_services``: the service registry from the command line."""

from __future__ import annotations

import os
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from voltmx import registry
from voltmx.models import Service

_FIELDS = {
    "server": "server_url",
    "concurrency_limit": "concurrency_limit",
    "connect_timeout": "connect_timeout_seconds",
    "read_timeout": "read_timeout_seconds",
    "login_path": "login_path",
    "app_key": "app_key",
    "identity": "identity",
    "username": "username",
    "description": "description",
}
# Secrets come from the environment: a command line can be read by everybody on the machine.
_SECRETS = {"VOLTMX_APP_SECRET": "app_secret", "VOLTMX_APP_PASSWORD": "password"}


class Command(BaseCommand):
    """Lists, sets and removes entries of the service registry."""

    help = (
        "The service registry: which server answers for a service. The secrets of an entry are read from the "
        "environment, VOLTMX_APP_SECRET and VOLTMX_APP_PASSWORD."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="show all entries")
        one = verbs.add_parser("set", help="add an entry, or change the one of this name and version")
        one.add_argument("name")
        one.add_argument("--service-version", default="", help="empty: every version without an entry of its own")
        one.add_argument("--server", help="scheme, host, port and perhaps a path; empty: VOLTMX_SERVER_URL")
        for name in ("concurrency-limit", "connect-timeout", "read-timeout"):
            one.add_argument(f"--{name}", type=int)
        for name in ("login-path", "app-key", "identity", "username", "description"):
            one.add_argument(f"--{name}")
        switch = one.add_mutually_exclusive_group()
        switch.add_argument("--on", dest="active", action="store_true", default=None)
        switch.add_argument("--off", dest="active", action="store_false", default=None)
        gone = verbs.add_parser("remove", help="delete an entry")
        gone.add_argument("name")
        gone.add_argument("--service-version", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the verb says. Raises ``CommandError`` with one sentence where it cannot be done."""
        match options["verb"]:
            case "list":
                self._list()
            case "set":
                self._set(options)
            case "remove":
                self._remove(options["name"], options["service_version"])

    def _list(self) -> None:
        for entry in Service.objects.iterator():
            limit = f", at most {entry.concurrency_limit} at once" if entry.concurrency_limit else ""
            identity = ", with an identity" if entry.app_key or entry.username else ""
            off = "" if entry.active else ", switched off"
            version = entry.version or "every other version"
            self.stdout.write(f"{entry.name} ({version}): {entry.server_url or 'default server'}{limit}{identity}{off}")

    def _set(self, options: dict[str, Any]) -> None:
        name, version = options["name"], options["service_version"]
        entry = Service.objects.filter(name=name, version=version).first()
        is_new = entry is None
        entry = entry or Service(name=name, version=version)
        for option, column in _FIELDS.items():
            if options[option] is not None:
                setattr(entry, column, options[option])
        if options["active"] is not None:
            entry.active = options["active"]
        for variable, column in _SECRETS.items():
            if os.environ.get(variable):
                setattr(entry, column, os.environ[variable])
        try:
            registry.save(entry)
        except ValidationError as refusal:
            told = "; ".join(f"{field}: {' '.join(found)}" for field, found in refusal.message_dict.items())
            raise CommandError(told) from None
        self.stdout.write(f"{entry} {'added' if is_new else 'changed'}")

    def _remove(self, name: str, version: str) -> None:
        entry = Service.objects.filter(name=name, version=version).first()
        if entry is None:
            raise CommandError(f"there is no entry {name} {version}".strip())
        registry.remove(entry)
        self.stdout.write(f"{name} {version} removed".replace("  ", " "))
