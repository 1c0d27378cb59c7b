"""What somebody signs in with beside the password: an authenticator app, and codes on paper for when it is lost."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from scheduler.models.secret_field import SecretField


class SecondFactor(models.Model):
    """An authenticator app. ``last_step`` is the time step of the last code that was accepted: none is good twice."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="second_factor")
    seed = SecretField(editable=False)
    last_step = models.BigIntegerField(default=0, editable=False)
    failures = models.PositiveIntegerField(default=0, help_text="Wrong codes since the last right one.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view", "delete")

    def __str__(self) -> str:
        return f"second factor of {self.user}"


class RecoveryCode(models.Model):
    """A code that stands once for the app. Only its hash is kept; the row goes with its use."""

    factor = models.ForeignKey(SecondFactor, models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["factor", "digest"], name="recoverycode_unique")]

    def __str__(self) -> str:
        return f"recovery code of factor {self.factor_id}"
