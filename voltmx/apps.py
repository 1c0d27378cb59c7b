"""The Volt MX surface's place in Django."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import pre_save


class VoltmxConfig(AppConfig):
    """Volt MX Foundry's Scheduling Job APIs."""

    name = "voltmx"
    verbose_name = "Volt MX Foundry"

    def ready(self) -> None:
        """See to it that no job is stored with a credential in the clear, whoever writes it."""
        from scheduler.models import Job

        pre_save.connect(_encrypt, sender=Job, dispatch_uid="voltmx.encrypt")


def _encrypt(instance: Any, **_: Any) -> None:
    from voltmx.job_type import KIND, ServiceJob

    if instance.kind == KIND:
        instance.arguments = ServiceJob().stored(instance.arguments)
