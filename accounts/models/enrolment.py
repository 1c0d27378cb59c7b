"""Leave to set up a second factor, given by an administrator."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Enrolment(models.Model):
    """A code that is good once, until ``expires_at``, for setting up a second factor. Only its hash is kept."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="enrolment")
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"enrolment of {self.user}"
