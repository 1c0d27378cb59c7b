"""Measurements of the local store. Only ``zementis.devices.measurements`` writes these tables.

A row holds the values of one posted measurement as an array, in the order of its layout: the measurement's type and
the (fragment, series, unit) of each value, stored once. A device that sends six series at one instant costs one narrow
row instead of six, and a window is read as whole arrays.

Rows are the truth. Beside them stand blocks, thousands of rows as arrays, from which a run reads ten times as fast;
triggers (migration 0002) remove a block in the transaction that adds or removes a measurement inside its range.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from zementis.models.managed_object import ManagedObject


class SeriesLayout(models.Model):
    """What the values of a measurement are: its type, and a list of [fragment, series, unit or null]."""

    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of type and series.")
    type = models.CharField(max_length=255)
    series = models.JSONField()

    def __str__(self) -> str:
        return f"{self.type}: {', '.join(f'{fragment}.{name}' for fragment, name, _ in self.series)}"


class DeviceLayout(models.Model):
    """That a device has sent measurements of a layout: what it supports, without looking at its measurements."""

    device = models.ForeignKey(ManagedObject, models.CASCADE, related_name="layouts", db_index=False)
    layout = models.ForeignKey(SeriesLayout, models.PROTECT, db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["device", "layout"], name="devicelayout_unique")]

    def __str__(self) -> str:
        return f"device {self.device_id} sends layout {self.layout_id}"


class Measurement(models.Model):
    """One measurement of one device at one instant."""

    id = models.BigAutoField(primary_key=True)
    device = models.ForeignKey(ManagedObject, models.CASCADE, related_name="measurements", db_index=False)
    time = models.DateTimeField()
    layout = models.ForeignKey(SeriesLayout, models.PROTECT, db_index=False)
    values = ArrayField(models.FloatField(), help_text="In the layout's order.")
    extra = models.JSONField(null=True, help_text="What was sent beside the values.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["device", "time", "id"], name="measurement_window"),
            BrinIndex(fields=["time"], name="measurement_time"),
        ]

    def __str__(self) -> str:
        return f"measurement {self.pk} of device {self.device_id}"


class MeasurementBlock(models.Model):
    """All measurements of a device and layout from ``first_time`` to ``last_time``, both included, as arrays.

    Only ``zementis.devices.blocks`` writes these, from rows that are there already.
    """

    id = models.BigAutoField(primary_key=True)
    device = models.ForeignKey(ManagedObject, models.CASCADE, related_name="+", db_index=False)
    layout = models.ForeignKey(SeriesLayout, models.PROTECT, related_name="+", db_index=False)
    first_time = models.DateTimeField()
    last_time = models.DateTimeField()
    rows = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["device", "last_time", "layout"], name="measurementblock_unique"),
            models.CheckConstraint(condition=Q(first_time__lte=F("last_time")), name="measurementblock_forward"),
        ]

    def __str__(self) -> str:
        return f"{self.rows} measurements of device {self.device_id} up to {self.last_time}"
