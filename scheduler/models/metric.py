"""What all processes have counted together. Only ``scheduler.metrics`` writes this table."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Metric(models.Model):
    """One time series: a counter's value, or a histogram's sum with its counts by bucket."""

    name = models.CharField(max_length=48)
    kind = models.CharField(max_length=32, help_text="Kind of job; empty where the metric is of no kind.")
    label = models.CharField(max_length=16, help_text="Outcome or reason; empty where the metric has none.")
    value = models.FloatField()
    buckets = ArrayField(models.BigIntegerField(), null=True, help_text="Counts by bucket, the last above all bounds.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "kind", "label"], name="metric_series_unique")]

    def __str__(self) -> str:
        return f"{self.name} {self.kind} {self.label}".rstrip()
