"""Inferences of executions. Only ``zementis.inference_pages`` writes this table."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from scheduler.models import Execution

# As in ``zementis.page_encoding``, which this module must not import: it needs NumPy.
ROWS_PER_PAGE = 2000


class InferencePage(models.Model):
    """Up to 2,000 consecutive inferences of one device, all columns compressed into one value.

    Keyed by the attempt too, so that a worker that lost its run cannot mix its pages with the next attempt's.
    """

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(Execution, models.CASCADE, related_name="+", db_index=False)
    attempt = models.PositiveSmallIntegerField()
    page = models.PositiveIntegerField(help_text="1, 2, … per device.")
    device = models.BigIntegerField(help_text="Id of the device at the data source.")
    rows = models.PositiveSmallIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["execution", "attempt", "page", "device"], name="inferencepage_unique"),
            models.CheckConstraint(condition=Q(page__gte=1), name="inferencepage_from_1"),
            models.CheckConstraint(condition=Q(rows__gte=1, rows__lte=ROWS_PER_PAGE), name="inferencepage_rows"),
        ]

    def __str__(self) -> str:
        return f"page {self.page} of device {self.device} in execution {self.execution_id}"
