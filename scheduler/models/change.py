"""What was done to a job, by whom and when: the evidence for "why did it not run"."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class JobChange(models.Model):
    """One edit, pause, resume or deletion of a job. Append-only; outlives its job."""

    class Verb(models.TextChoices):
        CREATED = "created"
        UPDATED = "updated"
        ACTIVATED = "activated", "Resumed"
        DEACTIVATED = "deactivated", "Paused"
        DELETED = "deleted"

    job_id = models.BigIntegerField(help_text="Primary key of the job, which may be gone.")
    kind = models.CharField(max_length=32)
    number = models.BigIntegerField()
    at = models.DateTimeField(db_default=Now())
    by = models.CharField(max_length=254)
    request_id = models.CharField(max_length=64, null=True)
    verb = models.CharField(max_length=16, choices=Verb.choices)
    changes = models.JSONField(default=dict, help_text="Field -> [before, after]; secrets masked.")

    class Meta:
        indexes = [
            models.Index(fields=["job_id", "at"], name="jobchange_by_job"),
            models.Index(fields=["kind", "number"], name="jobchange_deleted", condition=models.Q(verb="deleted")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} job {self.number} {self.verb}"
