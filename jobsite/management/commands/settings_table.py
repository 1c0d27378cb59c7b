"""`manage.py settings_table`: the page of settings, from the settings."""

import argparse
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from jobsite.settings import BASE_DIR, env
from jobsite.settings_table import page


class Command(BaseCommand):
    """Write the tables of settings anew between the two marks of a page; raise `CommandError` where that cannot be."""

    help = "Write the tables of docs/configuration.md from what the settings declare."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, default=BASE_DIR / "docs" / "configuration.md")

    def handle(self, *args: object, **options: object) -> None:
        file = Path(str(options["file"]))
        try:
            file.write_text(page(file.read_text(), env))
        except (OSError, ValueError) as error:
            raise CommandError(f"{file}: {error}") from error
        self.stdout.write(f"settings.written file={file} count={len(env.declared)}")
