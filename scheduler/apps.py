"""The core's place in Django."""

from django.apps import AppConfig


class SchedulerConfig(AppConfig):
    """Jobs, executions, and what fires and ends them."""

    name = "scheduler"
    verbose_name = "Scheduler"

    def ready(self) -> None:
        """Bound this process' idle transactions; fill the registry with the job types of the installed surfaces."""
        from scheduler import connections, job_types

        connections.limit_all()
        job_types.autodiscover()
