"""`manage.py load_demo`: each surface's demo data."""

from importlib import import_module
from importlib.util import find_spec

from django.core.management.base import BaseCommand

SURFACES = ("voltmx", "zementis")


class Command(BaseCommand):
    """Load each surface's demo. Loading again changes nothing that a user has made or changed."""

    help = "Load the demo of both surfaces; it may be loaded again."

    def handle(self, *args: object, **options: object) -> None:
        for surface in SURFACES:
            if find_spec(f"{surface}.demo"):
                import_module(f"{surface}.demo").load()
                self.stdout.write(f"demo.loaded surface={surface}")
