"""The wiring's place in Django."""

from django.apps import AppConfig


class JobsiteConfig(AppConfig):
    """Commands, health checks and the schema."""

    name = "jobsite"

    def ready(self) -> None:
        """Register the logins with the schema generator."""
        import jobsite.openapi  # noqa: F401 - imported for its effect
