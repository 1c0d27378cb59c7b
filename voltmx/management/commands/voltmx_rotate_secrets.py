"""``manage.py voltmx_rotate_secrets``: encrypts stored credentials with the newest key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from voltmx import rotation
from voltmx.secret import UnreadableSecret


class Command(BaseCommand):
    """Run it after a new key was put in front of ENCRYPTION_KEYS; then the old one can go."""

    help = "Encrypt the credentials of services and jobs anew with the first of ENCRYPTION_KEYS. Safe while all runs."

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate. Raises ``CommandError`` where a key is missing."""
        try:
            written = rotation.rotate()
        except UnreadableSecret as error:
            raise CommandError(str(error)) from None
        self.stdout.write(", ".join(f"{rows} {name}" for name, rows in written.items()) + " encrypted anew")
