"""`manage.py api_token create | list | revoke`."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import origin, tokens
from accounts.models import ApiToken
from accounts.roles import Role


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 3_650:
        raise ArgumentTypeError("expected 1 to 3650 days")
    return int(text)


class Command(BaseCommand):
    """Makes tokens, whose secret is printed this once, lists and revokes them."""

    help = "Create, list or revoke API tokens."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="Make a token and print it.")
        create.add_argument("name")
        create.add_argument("--owner", required=True)
        create.add_argument("--role", choices=[role.value for role in Role], default=Role.VIEWER.value)
        create.add_argument("--surface", choices=ApiToken.Surface.values, default=ApiToken.Surface.ANY.value)
        create.add_argument("--days", type=_days, default=90, help="How long it is good for; 90 if not given.")
        verbs.add_parser("list", help="Print the tokens.")
        revoke = verbs.add_parser("revoke", help="Refuse a token from now on.")
        revoke.add_argument("prefix", help="How it begins, as list prints it.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it. Raises ``CommandError`` for a user or a token that is not there."""
        with origin.command(f"api_token {options['verb']}"):
            if options["verb"] == "create":
                self._create(options)
            elif options["verb"] == "list":
                self._list()
            else:
                self._revoke(options["prefix"])

    def _create(self, options: dict[str, Any]) -> None:
        owner = User.objects.filter(username=options["owner"]).first()
        if owner is None:
            raise CommandError(f"there is no user {options['owner']}")
        try:
            _, secret = tokens.issue(
                options["name"],
                owner=owner,
                role=Role(options["role"]),
                surface=options["surface"],
                expires_at=timezone.now() + timedelta(days=options["days"]),
                by="command api_token",
            )
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        self.stdout.write(secret)

    def _list(self) -> None:
        for token in ApiToken.objects.select_related("owner").order_by("id").iterator():
            state = "live" if token.live else "over"
            ends = token.expires_at.isoformat(timespec="seconds")
            self.stdout.write(
                f"{token.prefix} {state} {token.surface} {token.role} {token.owner.get_username()} {ends} {token.name}"
            )

    def _revoke(self, prefix: str) -> None:
        found = list(ApiToken.objects.filter(prefix=prefix)[:2])
        if len(found) != 1:
            raise CommandError(f"there is {'more than one' if found else 'no'} token that begins with {prefix}")
        if not tokens.revoke(found[0]):
            raise CommandError(f"{prefix} was revoked already")
        self.stdout.write(f"revoked {prefix}")
