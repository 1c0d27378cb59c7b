"""API tokens, and their owners as they are when a token speaks for them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.roles import Role, allows


class ApiToken(models.Model):
    """A secret that stands for its owner on a surface, with at most the rights of a role. Only its hash is kept."""

    class Surface(models.TextChoices):
        VOLTMX = "voltmx", "Volt MX Foundry"
        ZEMENTIS = "zementis", "Zementis"
        ANY = "any", "any"

    name = models.CharField(max_length=100, help_text="What it is for.")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="api_tokens",
        help_text="Whose rights it has, as far as the role goes.",
    )
    surface = models.CharField(max_length=8, choices=Surface.choices, default=Surface.ANY)
    role = models.CharField(
        max_length=16, choices=[(role.value, role.value) for role in Role], default=Role.VIEWER.value
    )
    prefix = models.CharField(max_length=12, editable=False, help_text="How it begins, to know it by.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.CharField(max_length=150, editable=False)
    expires_at = models.DateTimeField(help_text="From then on it is refused (UTC).")
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="Written at most once a minute.")
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="apitoken_name_not_empty"),
            models.CheckConstraint(condition=Q(role__in=[role.value for role in Role]), name="apitoken_role_known"),
            models.CheckConstraint(
                condition=Q(surface__in=["voltmx", "zementis", "any"]), name="apitoken_surface_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def live(self) -> bool:
        """Whether it is accepted: neither expired nor revoked, and its owner is active."""
        return self.revoked_at is None and self.expires_at > timezone.now() and self.owner.is_active

    def clean(self) -> None:
        """Refuse an end that has passed."""
        if self.pk is None and self.expires_at is not None and self.expires_at <= timezone.now():
            raise ValidationError({"expires_at": "must lie ahead"})


class TokenUser(User):
    """The owner of a token, holding only those of their permissions that the token's role holds too."""

    class Meta:
        proxy = True
        default_permissions = ()

    token: ApiToken

    @classmethod
    def of(cls, token: ApiToken) -> TokenUser:
        """Return the owner of ``token``, which must be loaded with it, under its role."""
        owner = token.owner
        user = cls.from_db(
            owner._state.db, [field.attname for field in owner._meta.concrete_fields], list(_values(owner))
        )
        user.token = token
        return user

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Whether both the role and the owner hold the permission."""
        return allows(Role(self.token.role), perm) and super().has_perm(perm, obj)

    def has_module_perms(self, app_label: str) -> bool:
        """Whether any permission of an application is left."""
        return any(permission.startswith(f"{app_label}.") for permission in self.get_all_permissions())

    def get_all_permissions(self, obj: Any = None) -> set[str]:
        """Return the permissions that both hold."""
        role = Role(self.token.role)
        return {permission for permission in super().get_all_permissions(obj) if allows(role, permission)}


def _values(owner: Any) -> list[Any]:
    return [getattr(owner, field.attname) for field in owner._meta.concrete_fields]
