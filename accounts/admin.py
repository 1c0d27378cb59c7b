"""Tokens, other ways to sign in and the audit in the console."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display

from accounts import second_factor, tokens
from accounts.models import ApiToken, AuditEntry, Identity, SecondFactor
from scheduler.admin.base import ReadOnlyAdmin
from scheduler.admin.filters import InstantRangeFilter

admin.site.login_template = "accounts/login.html"


def account_links(request: HttpRequest) -> list[dict[str, str]]:
    """Return what the menu under the user's name has beside the logout; none: the theme's own."""
    if not second_factor.is_on() or not request.user.is_authenticated:
        return []
    links = [{"title": "Second factor", "link": reverse("second_factor")}]
    if request.user.has_usable_password():
        links.append({"title": "Change password", "link": reverse("admin:password_change")})
    return links


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin):
    """Tokens: made and revoked, never edited. The secret is on the page that answers the creation, and nowhere else."""

    list_display = ("name", "shown_prefix", "owner", "surface", "role", "state", "expires_at", "last_used_at")
    list_filter = ("surface", "role")
    list_select_related = ("owner",)
    list_fullwidth = True
    search_fields = ("name", "prefix", "owner__username")
    autocomplete_fields = ("owner",)
    actions = ("revoke",)
    fields = ("name", "owner", "surface", "role", "expires_at")
    _facts = (*fields, "shown_prefix", "state", "created_at", "created_by", "last_used_at", "revoked_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj is None else self._facts

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else self._facts

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Let only superusers make what speaks for a superuser."""
        if db_field.name == "owner" and not request.user.is_superuser:
            kwargs["queryset"] = User.objects.filter(is_superuser=False)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @display(description="Begins with")
    def shown_prefix(self, token: ApiToken) -> str:
        return f"{token.prefix}…"

    @display(description="State")
    def state(self, token: ApiToken) -> str:
        if token.revoked_at is not None:
            return "revoked"
        return "live" if token.live else "expired" if token.owner.is_active else "owner inactive"

    def save_model(self, request: HttpRequest, obj: ApiToken, form: forms.ModelForm[Any], change: bool) -> None:
        if change:
            return
        obj.created_by = request.user.get_username()
        request.new_token = tokens.new(obj)  # type: ignore[attr-defined]
        obj.save()

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: Any = None) -> HttpResponse:
        """Show the secret, this once: no redirect, no message in a cookie."""
        context = {
            **self.admin_site.each_context(request),
            "title": f"Token {obj.name}",
            "opts": self.opts,
            "token": obj,
            "secret": request.new_token,  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "accounts/token.html", context)

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        done = sum(tokens.revoke(token) for token in queryset[:1000])
        messages.success(request, f"Revoked {done}.")


class OfUserAdmin(ReadOnlyAdmin):
    """Rows of a user that the user makes: looked at, and taken away, those of superusers by superusers alone."""

    list_select_related = ("user",)
    search_fields: tuple[str, ...] = ("user__username",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        held = request.user.has_perm(f"accounts.delete_{self.opts.model_name}")
        return held and (obj is None or request.user.is_superuser or not obj.user.is_superuser)


@admin.register(SecondFactor)
class SecondFactorAdmin(OfUserAdmin):
    """Second factors. Without theirs, somebody whose phone and codes are lost can set up another."""

    list_display = ("user", "created_at", "last_used_at", "failures")
    fields = ("user", "created_at", "last_used_at", "failures", "codes_left")
    readonly_fields = fields

    @display(description="Recovery codes left")
    def codes_left(self, factor: SecondFactor) -> int:
        return factor.recovery_codes.count()


@admin.register(Identity)
class IdentityAdmin(OfUserAdmin):
    """Who an account is at the OpenID provider. Made by a sign-in or `manage.py sign_in link`."""

    list_display = ("user", "issuer", "subject", "created_at", "last_used_at")
    search_fields = ("user__username", "=subject")
    fields = ("user", "issuer", "subject", "created_at", "last_used_at")
    readonly_fields = fields


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """What was done, newest first; read-only for everybody."""

    ordering = ("-id",)
    list_display = ("at", "by", "action", "target", "address", "number")
    list_display_links = ("at",)
    list_filter = (("at", InstantRangeFilter),)
    search_fields = ("=by", "=action", "=target", "=address")
    search_help_text = "Exactly a user, an action, a target or an address"
    fields = ("number", "at", "by", "action", "target", "address", "told", "hash")
    readonly_fields = fields

    @display(description="Record")
    def told(self, entry: AuditEntry) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(entry.details(), indent=2, sort_keys=True))
