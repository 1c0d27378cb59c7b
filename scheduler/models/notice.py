"""Notices: ends of runs that somebody is to be told of."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Notice(models.Model):
    """An ended run that a beat is still to tell of. Written in the transaction that ends the run, deleted when told.

    Narrow and free of foreign keys: it is written beside the end of a run, and a run that is gone is told to nobody.
    """

    execution_id = models.BigIntegerField(primary_key=True)
    due_at = models.DateTimeField(db_default=Now(), help_text="When a beat may take it (again).")
    attempts = models.PositiveSmallIntegerField(db_default=0, help_text="How often a beat has taken it.")
    seen = models.BooleanField(db_default=False, help_text="The rules for alerts have looked at it.")

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="notice_due")]

    def __str__(self) -> str:
        return f"notice of execution {self.execution_id}"
