"""Links from the console's pages to what belongs together."""

from __future__ import annotations

from django.urls import reverse

from scheduler.models import Job


def entry_url(job: Job) -> str | None:
    """Return the address of the job's beat entry; None where it has none."""
    entry_id = job.state.entry_id
    return None if entry_id is None else reverse("admin:django_celery_beat_periodictask_change", args=[entry_id])


def job_url(job_pk: int) -> str:
    """Return the address of a job's page."""
    return reverse("admin:scheduler_job_change", args=[job_pk])


def execution_url(execution_pk: int) -> str:
    """Return the address of a run's page."""
    return reverse("admin:scheduler_execution_change", args=[execution_pk])
