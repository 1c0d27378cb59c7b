"""What is still to be done, batch by batch, to the executions of jobs that were deleted or whose days were changed."""

from __future__ import annotations

from django.db import models

from scheduler.models.job import Job


class Removal(models.Model):
    """A deleted job of which executions may be left."""

    job_id = models.BigIntegerField(primary_key=True, help_text="Primary key that the job had.")
    kind = models.CharField(max_length=32)

    def __str__(self) -> str:
        return f"removal of what {self.kind} job {self.job_id} left"


class RetentionChange(models.Model):
    """A job whose history still has dates by other days than the job's, and how far they have been moved."""

    job = models.OneToOneField(Job, models.CASCADE, primary_key=True, related_name="+")
    stage = models.PositiveSmallIntegerField(default=0)
    after_number = models.BigIntegerField(null=True)
    after_instant = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"retention change of job {self.job_id}"
