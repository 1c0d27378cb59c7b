"""The Volt MX surface's place in Django."""

from django.apps import AppConfig


class VoltmxConfig(AppConfig):
    """Volt MX Foundry's Scheduling Job APIs."""

    name = "voltmx"
    verbose_name = "Volt MX Foundry"
