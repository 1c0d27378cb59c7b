"""The Zementis surface's place in Django."""

from django.apps import AppConfig


class ZementisConfig(AppConfig):
    """Cumulocity Zementis jobs, models and the local device store."""

    name = "zementis"
    verbose_name = "Zementis"
