"""``manage.py import_zementis``: copy jobs and models from a running Zementis service."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser

from zementis.importing import Service, ServiceError, copy


class Command(BaseCommand):
    """Copies jobs, and the models they name where the service gives their files. A dry run unless told --apply."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", required=True, help="address of the service, such as https://tenant.example.com")
        parser.add_argument(
            "--auth", default="", help="user:password or tenant/user:password; or set IMPORT_ZEMENTIS_AUTH"
        )
        parser.add_argument(
            "--device", action="append", default=[], metavar="THERE=HERE", help="an id there and the same here"
        )
        parser.add_argument("--apply", action="store_true", help="write; without it nothing is changed")

        parser.add_argument("--inactive", action="store_true", help="create the jobs paused")

    def handle(self, *args: Any, **options: Any) -> None:
        user, colon, password = (options["auth"] or os.environ.get("IMPORT_ZEMENTIS_AUTH", "")).partition(":")
        if not colon:
            raise CommandError("give --auth user:password, or set IMPORT_ZEMENTIS_AUTH")
        if urlsplit(options["url"]).scheme not in ("http", "https") or not urlsplit(options["url"]).hostname:
            raise CommandError("--url must be an http or https address")
        service = Service(options["url"], user=user, password=password)
        devices = dict(_pair(text) for text in options["device"])
        counts: Counter[str] = Counter()
        steps = copy(service, by=user, dry_run=not options["apply"], devices=devices, active=not options["inactive"])
        try:
            with nullcontext() if options["apply"] else _deeds_not_logged():
                for step in steps:
                    counts[f"{step.what} {step.outcome}"] += 1
                    self.stdout.write(f"{step.outcome:8} {step.what} {step.name}")
                    for reason in step.reasons:
                        self.stdout.write(f"         {reason}")
        except ServiceError as error:
            raise CommandError(str(error)) from error
        told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "nothing there"
        self.stdout.write(f"{told}{'' if options['apply'] else ' (dry run: nothing was changed; --apply writes)'}")


@contextmanager
def _deeds_not_logged() -> Iterator[None]:
    """Log warnings only: what a dry run takes back would be logged as done."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


def _pair(text: str) -> tuple[int, int]:
    there, equals, here = text.partition("=")
    if not (equals and there.isascii() and there.isdigit() and here.isascii() and here.isdigit()):
        raise CommandError(f"--device takes THERE=HERE with two ids, not '{text}'")
    return int(there), int(here)
