"""The console's login form: the same lock-out as at every other door."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from accounts import doors, second_factor
from accounts.lockout import LockedOut


class LoginForm(AuthenticationForm):  # type: ignore[misc]
    """Says when to try again where too many logins failed; ``locked_for`` has the seconds."""

    locked_for: int | None = None

    def clean(self) -> dict[str, Any]:
        """Let in an active member of the staff. Raises ``second_factor.Needed`` where more than a password is asked."""
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if name is None or not password:
            return dict(self.cleaned_data)
        try:
            self.user_cache = doors.enter(self.request, name=name, password=password, door="console")
        except LockedOut as refusal:
            self.locked_for = refusal.seconds
            raise ValidationError(
                f"Too many failed logins; try again in {refusal.seconds} seconds.", code="locked_out"
            ) from None
        if self.user_cache is None:
            raise self.get_invalid_login_error()
        self.confirm_login_allowed(self.user_cache)
        if second_factor.is_needed(self.user_cache):
            # No error of the form: whoever uses it must not be able to go on with a password alone.
            raise second_factor.Needed(self.user_cache)
        return dict(self.cleaned_data)
