"""How many runs with one concurrency key may be under way at once."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Limit(models.Model):
    """The limit of one key: a surface writes it where somebody limits, say, the calls of one service."""

    key = models.CharField(max_length=255, primary_key=True)
    runs = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(runs__gte=1) & ~Q(key=""), name="limit_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.runs}"
