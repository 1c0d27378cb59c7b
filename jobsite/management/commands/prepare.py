"""`manage.py prepare`: what the stack needs of its database."""

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from jobsite import administrator


class Command(BaseCommand):
    """Migrate, make sure of the administrator, and load the demo unless DEMO=0. Doing it again changes nothing."""

    help = "Migrate, ensure the administrator of ADMIN_USER and ADMIN_PASSWORD, load the demo unless DEMO=0."
    requires_system_checks: list[str] = []

    def handle(self, *args: object, **options: object) -> None:
        call_command("migrate", interactive=False, verbosity=1)
        kept = settings.DATA_DIR / "admin.json"
        administrator.ensure(settings.ADMIN_USER, password=settings.ADMIN_PASSWORD, kept=kept)
        if settings.DEMO:
            call_command("load_demo")
