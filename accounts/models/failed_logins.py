"""How often a login failed lately."""

from __future__ import annotations

from django.db import models


class FailedLogins(models.Model):
    """The attempts of one account or one address in one window. The key is a hash: no row names anybody."""

    class Scope(models.TextChoices):
        ACCOUNT = "account"
        ADDRESS = "address"
        BEARER = "bearer"
        FACTOR = "factor"

    scope = models.CharField(max_length=8, choices=Scope.choices)
    key = models.CharField(max_length=64)
    attempts = models.PositiveIntegerField()
    window_ends_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="failed_logins_unique")]

    def __str__(self) -> str:
        return f"{self.attempts} attempts of one {self.scope}"
