"""Figures that outlive the runs they were counted from."""

from __future__ import annotations

from django.db import models

from scheduler.models.job import Job


class JobDay(models.Model):
    """How those runs of a job ended on a UTC day that retention has deleted. Only ``scheduler.retention`` writes it."""

    # Without a constraint: who deletes runs holds the job's state row, and so does who deletes the job, with its days.
    job = models.ForeignKey(Job, models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    day = models.DateField(db_index=True)
    succeeded = models.PositiveIntegerField()
    warned = models.PositiveIntegerField()
    failed = models.PositiveIntegerField()
    cancelled = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["job", "day"], name="jobday_unique")]

    def __str__(self) -> str:
        return f"job {self.job_id} on {self.day}"
