"""What probes did: one row per effect, written outside the core's tables so that doubled work shows."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now


class Effect(models.Model):
    """One time a probe's work was done."""

    objects: "ClassVar[models.Manager[Effect]]" = models.Manager()

    execution_id = models.BigIntegerField()
    attempt = models.IntegerField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        app_label = "probe"


class Gate(models.Model):
    """Probes that wait at a gate go on once the row is gone."""

    objects: "ClassVar[models.Manager[Gate]]" = models.Manager()

    name = models.CharField(max_length=64, primary_key=True)

    class Meta:
        app_label = "probe"
