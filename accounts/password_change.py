"""The change of one's own password: the old one is asked for, so it is a door like any other."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from unfold.forms import AdminOwnPasswordChangeForm

from accounts import audit, lockout
from accounts.lockout import LockedOut
from accounts.origin import address_of


class OwnPasswordForm(AdminOwnPasswordChangeForm):  # type: ignore[misc]
    """Counts each look at the old password, as logins are counted; ``locked_for`` has the seconds to wait."""

    address = ""
    locked_for: int | None = None

    def clean_old_password(self) -> str:
        """Return the old password. Raises ``ValidationError`` for a wrong one, and unread after too many of them."""
        name = self.user.get_username()
        try:
            lockout.begin(name, self.address)
        except LockedOut as refusal:
            self.locked_for = refusal.seconds
            raise ValidationError(f"Too many wrong passwords; try again in {refusal.seconds} seconds.") from None
        try:
            old = str(super().clean_old_password())
        except ValidationError:
            audit.record("login.failed", target=name, changes={"door": "password change"})
            raise
        lockout.succeeded(name, self.address)
        return old


class _Page(PasswordChangeView):
    form_class = OwnPasswordForm

    def get_form(self, form_class: Any = None) -> Any:
        form: Any = super().get_form(form_class)
        form.address = address_of(self.request)
        return form

    def form_invalid(self, form: Any) -> HttpResponse:
        response = super().form_invalid(form)
        if form.locked_for:
            response.status_code = 429
            response["Retry-After"] = str(form.locked_for)
        return response


def change(request: HttpRequest) -> HttpResponseBase:
    """Return what the admin's own page returns; 429 where too many old passwords were wrong."""
    page = _Page.as_view(
        success_url=reverse("admin:password_change_done"), extra_context=admin.site.each_context(request)
    )
    return admin.site.admin_view(page)(request)
