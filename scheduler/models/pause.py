"""Pauses on jobs' own beat entries of which a beat has still to record what they cut off."""

from __future__ import annotations

from django.db import models


class Pause(models.Model):
    """What a job had due, and no beat had claimed, when it was paused. Written by the trigger on beat entries.

    The job's schedule is still the one that was in force: whoever changes it settles this first.
    """

    job_id = models.BigIntegerField(db_index=True, help_text="Primary key of the job.")
    since = models.DateTimeField(help_text="The first instant that was due, or when the job was resumed.")
    resumed = models.BooleanField(help_text="since is when the job was resumed: what follows it was due.")
    until = models.DateTimeField(help_text="When the job was paused.")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"pause of job {self.job_id} at {self.until}"
