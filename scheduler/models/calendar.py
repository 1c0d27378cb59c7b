"""A calendar: days on which jobs do not run. Only ``scheduler.calendars`` writes this table."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Calendar(models.Model):
    """Named days, shared by many jobs: of a country, of an iCal file, of the week, and typed ones, all together.

    A day is closed from midnight to midnight on the clock of the job's zone.
    """

    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True, default="", max_length=2000)
    country = models.CharField(max_length=2, blank=True, default="", help_text="ISO 3166 code; empty for none.")
    subdivision = models.CharField(max_length=32, blank=True, default="", help_text="A part of the country.")
    weekdays = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True, help_text="0 is Monday.")
    dates = models.TextField(blank=True, default="", help_text="Days as somebody typed them, one or a range a line.")
    ical = models.TextField(blank=True, default="", help_text="The uploaded iCal file.")
    ical_name = models.CharField(max_length=255, blank=True, default="")
    events = models.JSONField(default=dict, blank=True, help_text="The file's events, worked out up to a horizon.")
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Grows with every edit.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_by = models.CharField(max_length=254, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="calendar_name_not_empty")]

    def __str__(self) -> str:
        return self.name
