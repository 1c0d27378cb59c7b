"""Who an account is at an OpenID provider."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Identity(models.Model):
    """One person at one issuer. The subject alone names them: names and addresses there may go to somebody else."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "identities"
        default_permissions = ("view", "delete")
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="identity_of_one_account"),
            models.UniqueConstraint(fields=["user", "issuer"], name="identity_one_of_an_issuer"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"
