"""`manage.py rotate_secrets`: encrypts what is stored with the newest key."""

from django.core.management.base import BaseCommand, CommandError

from accounts import audit
from scheduler import rotation
from scheduler.secret import UnreadableSecret


class Command(BaseCommand):
    """Run it after a new key was put in front of ENCRYPTION_KEYS; then the old one can go."""

    help = (
        "Encrypt every stored secret anew with the first of ENCRYPTION_KEYS, while everything runs. "
        "Where nothing is left to do, the other keys can go."
    )

    def handle(self, *args: object, **options: object) -> None:
        """Rotate. Raises ``CommandError`` where a key is missing."""
        try:
            written = rotation.rotate()
        except UnreadableSecret as error:
            raise CommandError(str(error)) from None
        if written:
            audit.record("secrets.rotated", target="stored secrets", changes=written)
        told = ", ".join(f"{rows} of {table}" for table, rows in sorted(written.items()))
        self.stdout.write(f"encrypted anew: {told}" if told else "everything is encrypted with the first key")
