"""A column for secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from scheduler.secret import Secret

if TYPE_CHECKING:
    _TextField = models.TextField[Any, Any]
else:
    # Django's own class takes no parameters at run time.
    _TextField = models.TextField


class SecretField(_TextField):
    """A secret that is encrypted in its column. Read as a ``Secret`` or None; written as one, or as plain text."""

    def from_db_value(self, value: str | None, _expression: Any, _connection: Any) -> Secret | None:
        return Secret(value) if value else None

    def to_python(self, value: Any) -> Secret | None:
        return value if value is None or isinstance(value, Secret) else Secret.of(str(value))

    def get_prep_value(self, value: Any) -> str | None:
        if not value:
            return None
        return value.encrypted if isinstance(value, Secret) else Secret.of(str(value)).encrypted

    def value_to_string(self, obj: models.Model) -> str:
        value = self.value_from_object(obj)
        return value.encrypted if isinstance(value, Secret) else ""
