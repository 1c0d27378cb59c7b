"""Tables of this surface: the service registry and the sessions behind claims tokens."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from scheduler.models.secret_field import SecretField
from voltmx import addresses
from voltmx.arguments import NAME, NAME_MEANING

_name = RegexValidator(rf"\A(?:{NAME.pattern})\Z", f"A name {NAME_MEANING}.")
_seconds = [MinValueValidator(1), MaxValueValidator(3600)]


class Service(models.Model):
    """One entry of the service registry: which server answers for a service, and with what identity it is called."""

    name = models.CharField(max_length=255, validators=[_name], help_text="serviceName of the jobs it serves.")
    version = models.CharField(
        max_length=64, blank=True, default="", validators=[_name], help_text="Empty: every version without an entry."
    )
    # Not a URLField: that one knows no host names without a dot, such as a container's.
    server_url = models.CharField(
        max_length=512,
        blank=True,
        default="",
        validators=[addresses.check_url],
        help_text="Scheme, host, port and perhaps a path before /services/…. Empty: the setting VOLTMX_SERVER_URL.",
    )
    active = models.BooleanField(default=True, help_text="Off: its jobs fail, saying so, and nothing is called.")
    concurrency_limit = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="How many runs may call services of this name at once; of several versions the least counts.",
    )
    connect_timeout_seconds = models.PositiveIntegerField(
        null=True, blank=True, validators=_seconds, help_text="Empty: the setting."
    )
    read_timeout_seconds = models.PositiveIntegerField(
        null=True, blank=True, validators=_seconds, help_text="Longest silence of the server. Empty: the setting."
    )
    login_path = models.CharField(
        max_length=255,
        blank=True,
        default="",
        validators=[RegexValidator(r"\A/[A-Za-z0-9_./-]*\Z", "A path that starts with '/'.")],
        help_text="Where app users log in. Empty: /authService/{appKey}/login.",
    )
    app_key = models.CharField(max_length=255, blank=True, default="", help_text="For jobs without one of their own.")
    app_secret = SecretField(null=True, blank=True)
    identity = models.CharField(max_length=255, blank=True, default="", help_text="Identity provider of the user.")
    username = models.CharField(max_length=255, blank=True, default="")
    password = SecretField(null=True, blank=True)
    description = models.TextField(blank=True, default="")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "version"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="service_name_version_unique"),
            models.CheckConstraint(condition=~Q(name=""), name="service_name_not_empty"),
            models.CheckConstraint(
                condition=Q(server_url="") | Q(server_url__startswith="http://") | Q(server_url__startswith="https://"),
                name="service_url_is_http",
            ),
            models.CheckConstraint(
                condition=Q(concurrency_limit__isnull=True) | Q(concurrency_limit__gte=1),
                name="service_concurrency_positive",
            ),
        ]
        permissions = [("test_service", "Can call a service to test it")]

    def __str__(self) -> str:
        return f"{self.name} {self.version}" if self.version else self.name

    def clean(self) -> None:
        """Refuse a server whose address may not be called now; a name that does not resolve yet is let through."""
        if not self.server_url:
            return
        try:
            addresses.check_server(self.server_url)
        except addresses.RefusedAddress as refusal:
            raise ValidationError({"server_url": str(refusal)}) from None


class AccountSession(models.Model):
    """A login that is still good. Its tokens name it; without the row they are worth nothing."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    fingerprint = models.CharField(max_length=64, help_text="Of the password at login: a new one ends the session.")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"session of user {self.user_id}"
