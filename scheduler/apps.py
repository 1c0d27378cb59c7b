"""The core's place in Django."""

from django.apps import AppConfig


class SchedulerConfig(AppConfig):
    """Jobs, executions, and what fires and ends them."""

    name = "scheduler"
    verbose_name = "Scheduler"

    def ready(self) -> None:
        """Fill the registry with the job types of the installed surfaces."""
        from scheduler import job_types

        job_types.autodiscover()
