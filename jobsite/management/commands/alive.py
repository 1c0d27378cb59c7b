"""`manage.py alive`: for the health check of a container that serves nothing over HTTP."""

import socket

from django.core.management.base import BaseCommand, CommandError

from scheduler.models import Process


class Command(BaseCommand):
    """Succeed if a beat or worker of this host has said within the last 15 seconds that it is alive."""

    help = "Exit with 0 if a beat or worker of this host is alive."
    requires_system_checks: list[str] = []

    def handle(self, *args: object, **options: object) -> None:
        host = socket.gethostname()
        if not Process.objects.alive().filter(hostname=host).exists():
            raise CommandError(f"No beat or worker of {host} has said that it is alive.")
