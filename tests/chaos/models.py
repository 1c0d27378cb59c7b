"""What runs did, written by the work itself and outside the scheduler's tables, so that doubled work shows."""

from django.db import models
from django.db.models.functions import Now


class Effect(models.Model):
    """One time the work of an execution was begun, and when it was done."""

    job_id = models.BigIntegerField(help_text="Its executions are gone when the job was deleted.")
    execution_id = models.BigIntegerField(db_index=True)
    attempt = models.IntegerField()
    token = models.BigIntegerField()
    pid = models.IntegerField()
    began_at = models.DateTimeField(db_default=Now())
    done_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "chaos"
