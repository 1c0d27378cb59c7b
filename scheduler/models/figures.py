"""Figures that outlive the runs they were counted from, or spare counting them again."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

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


class Tally(models.Model):
    """What became of the executions of one block of ids that were claimed within one slot of time.

    A block is as many ids as ``scheduler.tallies`` says, which alone writes this table.
    """

    block = models.BigIntegerField()
    slot = models.DateTimeField(help_text="When the slot begins.")
    counts = ArrayField(models.IntegerField(), help_text="How many there are of each status, by its number.")
    lateness = ArrayField(models.IntegerField(), help_text="First starts of scheduled runs by their lateness.")
    failures = ArrayField(models.BigIntegerField(), help_text="Ids of the newest failed runs, newest first.")
    settled = models.BooleanField(help_text="None of the block's runs is open, and none can be missing.")
    counted_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ()
        verbose_name_plural = "tallies"
        constraints = [models.UniqueConstraint(fields=["block", "slot"], name="tally_unique")]

    def __str__(self) -> str:
        return f"block {self.block} from {self.slot}"
