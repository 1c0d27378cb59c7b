"""Beats and workers that have said they are alive."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

ALIVE_WITHIN = timedelta(seconds=15)


class ProcessQuerySet(models.QuerySet["Process"]):
    """Processes, asked for the way callers speak of them."""

    def alive(self) -> ProcessQuerySet:
        return self.filter(beat_at__gt=Now() - ALIVE_WITHIN)

    def of_kind(self, kind: str) -> ProcessQuerySet:
        return self.filter(kind=kind)


class Process(models.Model):
    """One beat or worker process; its row is renewed while it lives and removed when it stops cleanly."""

    class Kind(models.TextChoices):
        BEAT = "beat"
        WORKER = "worker"

    name = models.CharField(max_length=255, primary_key=True, help_text="kind@host:pid:start, unique for ever.")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    hostname = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    queues = ArrayField(models.CharField(max_length=64), default=list)
    slots = models.PositiveIntegerField(default=0, help_text="How many runs it can hold at once.")
    started_at = models.DateTimeField(db_default=Now())
    beat_at = models.DateTimeField(db_default=Now(), db_index=True)
    info = models.JSONField(default=dict)

    objects = ProcessQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "processes"

    def __str__(self) -> str:
        return self.name


class Leader(models.Model):
    """Which process does what only one at a time may do; the lease passes on when its holder stops renewing it."""

    duty = models.CharField(max_length=32, primary_key=True)
    holder = models.CharField(max_length=255)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.duty}: {self.holder}"
