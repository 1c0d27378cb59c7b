"""`manage.py stack`: the whole system on this machine."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from jobsite.embedded.service import EmbeddedError
from jobsite.stack.home import StackError
from jobsite.stack.stack import run


class Command(BaseCommand):
    """Start everything, keep it running, and stop everything on SIGINT or SIGTERM."""

    help = "Run PostgreSQL, Redis, web, beats and workers under one process until Ctrl-C."
    # The supervisor itself never opens the database; the programs it starts check themselves.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--everything", action="store_true", help="Show all output of all children.")

    def handle(self, *args: object, **options: object) -> None:
        try:
            run(everything=bool(options["everything"]))
        except (StackError, EmbeddedError) as error:
            raise CommandError(str(error)) from error
