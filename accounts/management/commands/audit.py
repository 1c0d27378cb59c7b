"""`manage.py audit verify | export | prune`: the chain of what was done."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import audit_chain, origin


def _noted(text: str) -> tuple[int, str]:
    number, _, digest = text.partition(":")
    if not number.isdecimal() or len(digest) != 64:
        raise ArgumentTypeError("expected NUMBER:HASH, as an earlier verify printed them")
    return int(number), digest


def _days(text: str) -> int:
    if not text.isdecimal() or not 30 <= int(text) <= 36_500:
        raise ArgumentTypeError("expected 30 to 36500 days")
    return int(text)


class Command(BaseCommand):
    """Verifies the chain, writes it out, or removes its oldest part for an administrator."""

    help = "Verify, export or prune the audit."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verify = verbs.add_parser("verify", help="Look at every row; exit status 1 where one is not as written.")
        verify.add_argument("--expect", type=_noted, metavar="NUMBER:HASH", help="A head that was noted elsewhere.")
        verbs.add_parser("export", help="Write the rows as lines of JSON, oldest first.")
        prune = verbs.add_parser("prune", help="Remove the rows older than a number of days.")
        prune.add_argument("--keep-days", type=_days, required=True)
        prune.add_argument("--by", required=True, help="The administrator who removes them.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it. Raises ``CommandError`` where the chain is broken or the user is no administrator."""
        if options["verb"] == "verify":
            self._verify(options["expect"])
        elif options["verb"] == "export":
            for line in audit_chain.lines():
                self.stdout.write(line)
        else:
            self._prune(options["keep_days"], options["by"])

    def _verify(self, expected: tuple[int, str] | None) -> None:
        verdict = audit_chain.verify(expected=expected)
        if verdict.problem is not None:
            raise CommandError(f"{verdict.problem}; {verdict.rows} rows before it are whole")
        self.stdout.write(f"{verdict.rows} rows are whole; head {verdict.number}:{verdict.hash}")

    def _prune(self, days: int, name: str) -> None:
        user = User.objects.filter(username=name, is_active=True).first()
        if user is None or not user.has_perm("accounts.prune_auditentry"):
            raise CommandError(f"{name} is no administrator")
        with origin.command("audit prune"):
            removed = audit_chain.prune(before=timezone.now() - timedelta(days=days), by=name)
        self.stdout.write(f"removed {removed} rows")
