"""The room's place in Django."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    """Who may do what, with which token, and what was done."""

    name = "accounts"
    verbose_name = "Access"

    def ready(self) -> None:
        """Listen for what the audit records, and give the roles their permissions after every migration."""
        from accounts import audited

        audited.listen()
        post_migrate.connect(_roles, dispatch_uid="accounts.roles")


def _roles(sender: AppConfig, using: str, **_: Any) -> None:
    """Grant once all applications have made their permissions: after the last of them."""
    from accounts import roles

    if sender is [config for config in apps.get_app_configs() if config.models_module is not None][-1]:
        roles.ensure(using=using)
