"""The probe: a kind of job for tests."""

import os

from django.apps import AppConfig


class ProbeConfig(AppConfig):
    name = "tests.probe"
    label = "probe"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let a test say how long a worker holds what it has not begun, and waits for a thread that is stuck."""
        from scheduler import heart, lanes

        lanes.HOLD_SECONDS = float(os.environ.get("PROBE_HOLD_SECONDS", lanes.HOLD_SECONDS))
        heart.GIVE_UP_AFTER_SECONDS = float(os.environ.get("PROBE_GIVE_UP_SECONDS", heart.GIVE_UP_AFTER_SECONDS))
