"""``manage.py import_voltmx``: copies the jobs of a running console through its own API."""

from __future__ import annotations

import getpass
import os
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from voltmx import importing
from voltmx.console import Console, ConsoleError


class Command(BaseCommand):
    """Tells what it would copy; does it with ``--apply``."""

    help = (
        "Copy all jobs of a running Foundry console into this one. Without --apply nothing is written. "
        "The password is read from VOLTMX_IMPORT_PASSWORD, else asked for."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", required=True, help="the console, say https://foundry.example.com")
        parser.add_argument("--user", required=True)
        parser.add_argument("--apply", action="store_true", help="write; else only tell")
        parser.add_argument("--inactive", action="store_true", help="create the jobs paused")

    def handle(self, *args: Any, **options: Any) -> None:
        """Copy, or tell. Raises ``CommandError`` where the console fails, and where a job was refused."""
        password = os.environ.get("VOLTMX_IMPORT_PASSWORD") or getpass.getpass("Password: ")
        counts: Counter[str] = Counter()
        console = Console(options["url"])
        try:
            console.log_in(options["user"], password)
            for step in importing.plan(console, active=not options["inactive"]):
                done = step.apply(by=f"import from {options['url']}"[:254]) if options["apply"] else step
                counts[done.verb] += 1
                self.stdout.write(f"{done.verb:9} {done.name}{''.join(f'; {remark}' for remark in done.told)}")
        except ConsoleError as error:
            raise CommandError(str(error)) from None
        verbs = (importing.CREATE, importing.UPDATE, importing.SAME, importing.REFUSE)
        summary = ", ".join(f"{counts[verb]} {verb}" for verb in verbs)
        self.stdout.write(f"{summary}{'' if options['apply'] else ' (nothing was written: --apply does it)'}")
        if counts[importing.REFUSE]:
            raise CommandError(f"{counts[importing.REFUSE]} jobs were refused")
