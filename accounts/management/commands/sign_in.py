"""`manage.py sign_in list | link | unlink | reset-second-factor | enrol`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError, transaction

from accounts import enrolment, origin
from accounts.models import Identity, SecondFactor


class Command(BaseCommand):
    """Links accounts with people at the OpenID provider, and removes second factors that are lost."""

    help = "List how accounts sign in beside their password, link them with the OpenID provider, reset second factors."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="Print links and second factors.")
        link = verbs.add_parser("link", help="Let somebody at OIDC_ISSUER sign in as a user.")
        link.add_argument("user")
        link.add_argument("subject", help="What the provider calls sub.")
        unlink = verbs.add_parser("unlink", help="Take that back.")
        unlink.add_argument("user")
        reset = verbs.add_parser("reset-second-factor", help="Remove the second factor of a user who lost it.")
        reset.add_argument("user")
        enrol = verbs.add_parser("enrol", help="Print a code with which a user may set up a second factor, once.")
        enrol.add_argument("user")
        enrol.add_argument("--hours", type=int, default=72, help="For how long it is good, 1 to 720; 72.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it. Raises ``CommandError`` for what is not there."""
        with origin.command(f"sign_in {options['verb']}"):
            if options["verb"] == "list":
                self._list()
                return
            user = User.objects.filter(username=options["user"]).first()
            if user is None:
                raise CommandError(f"there is no user {options['user']}")
            if options["verb"] == "link":
                self._link(user, options["subject"])
            elif options["verb"] == "enrol":
                self._enrol(user, options["hours"])
            else:
                self._remove(user, options["verb"])

    def _list(self) -> None:
        for identity in Identity.objects.select_related("user").order_by("pk").iterator():
            self.stdout.write(f"{identity.user.get_username()} is {identity.subject} at {identity.issuer}")
        for factor in SecondFactor.objects.select_related("user").order_by("pk").iterator():
            made = factor.created_at.isoformat(timespec="seconds")
            self.stdout.write(f"{factor.user.get_username()} has a second factor since {made}")

    def _link(self, user: User, subject: str) -> None:
        if not settings.OIDC_ISSUER:
            raise CommandError("OIDC_ISSUER is not set")
        if not 0 < len(subject) <= 255:
            raise CommandError("a subject has 1 to 255 characters")
        try:
            with transaction.atomic():
                Identity.objects.create(user=user, issuer=settings.OIDC_ISSUER, subject=subject)
        except IntegrityError:
            raise CommandError("the user or the subject is linked already") from None
        self.stdout.write(f"linked {user.get_username()}")

    def _enrol(self, user: User, hours: int) -> None:
        if not 1 <= hours <= 720:
            raise CommandError("--hours is 1 to 720")
        if SecondFactor.objects.filter(user=user).exists():
            raise CommandError("the user has a second factor; see reset-second-factor")
        self.stdout.write(enrolment.issue(user, hours=hours))

    def _remove(self, user: User, verb: str) -> None:
        rows = SecondFactor.objects if verb == "reset-second-factor" else Identity.objects
        removed, _ = rows.filter(user=user).delete()
        if not removed:
            raise CommandError("there is nothing to remove")
        self.stdout.write(f"removed that of {user.get_username()}")
