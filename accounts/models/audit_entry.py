"""What was done, by whom, from where: one row each, never changed."""

from __future__ import annotations

from typing import Any

from django.db import models


class AuditEntry(models.Model):
    """One deed. ``record`` is the evidence, as canonical JSON; the other columns repeat parts of it for searching.

    A row is written with what it tells, in one transaction. Right after the commit it gets its place in the chain:
    ``number``, and ``hash``, over the previous row's hash and ``record``. Triggers refuse every other change.
    """

    number = models.BigIntegerField(null=True, unique=True, help_text="Place in the chain; null until sealed.")
    at = models.DateTimeField(db_index=True)
    by = models.CharField(max_length=254, help_text="Empty: nobody who is known.")
    address = models.CharField(max_length=64)
    action = models.CharField(max_length=64)
    target = models.CharField(max_length=254)
    record = models.TextField()
    hash = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["id"], name="audit_unsealed", condition=models.Q(number__isnull=True)),
            models.Index(fields=["action", "id"], name="audit_by_action"),
        ]
        default_permissions = ("view",)
        permissions = [("prune_auditentry", "Can remove old audit entries")]

    def __str__(self) -> str:
        return f"{self.action} {self.target}".strip()

    def details(self) -> dict[str, Any]:
        """Return the record."""
        import json

        found: dict[str, Any] = json.loads(self.record)
        return found
