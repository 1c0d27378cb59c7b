"""The probe: a kind of job for tests."""

import os

from django.apps import AppConfig


class ProbeConfig(AppConfig):
    name = "tests.probe"
    label = "probe"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let a test say how long a worker holds what it has not begun: what it is to do at once must not wait so."""
        held = os.environ.get("PROBE_HOLD_SECONDS")
        if held is not None:
            from scheduler import lanes

            lanes.HOLD_SECONDS = float(held)
