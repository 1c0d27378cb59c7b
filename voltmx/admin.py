"""The service registry and the open logins in the console."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from scheduler import deeds
from scheduler.strict_json import UnreadableJson, read_storable
from voltmx import registry
from voltmx.arguments import Arguments, ServiceType, read
from voltmx.models import AccountSession, Service
from voltmx.reading import Problems

_KEPT = "Stored encrypted and never shown. Left empty, what is stored stays; without its user name or key it goes."


class ServiceForm(forms.ModelForm):  # type: ignore[type-arg]
    """An entry. Its secrets are typed in and never come back out."""

    app_secret = forms.CharField(required=False, widget=UnfoldAdminPasswordWidget, help_text=_KEPT)
    password = forms.CharField(required=False, widget=UnfoldAdminPasswordWidget, help_text=_KEPT)

    class Meta:
        model = Service
        fields = (
            *("name", "version", "server_url", "active", "description", "concurrency_limit"),
            *("connect_timeout_seconds", "read_timeout_seconds", "login_path", "app_key", "app_secret"),
            *("identity", "username", "password"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("app_secret", "password"):
            self.initial.pop(name, None)

    def clean(self) -> dict[str, Any]:
        """Keep the secrets that were left empty, as long as what they belong to is there."""
        cleaned = super().clean() or self.cleaned_data
        for secret, owner in (("app_secret", "app_key"), ("password", "username")):
            if not cleaned.get(owner):
                cleaned[secret] = None
            elif not cleaned.get(secret):
                stored = Service.objects.filter(pk=self.instance.pk).first() if self.instance.pk else None
                cleaned[secret] = getattr(stored, secret, None)
        return cleaned


class TrialForm(forms.Form):
    """What to call a service with."""

    serviceType = forms.ChoiceField(  # noqa: N815 - the wire's name
        label="Type", choices=[(item.value, item.name.title()) for item in ServiceType], widget=UnfoldAdminSelectWidget
    )
    objectName = forms.CharField(  # noqa: N815
        label="Object", required=False, max_length=255, widget=UnfoldAdminTextInputWidget
    )
    operationName = forms.CharField(  # noqa: N815
        label="Operation", max_length=255, widget=UnfoldAdminTextInputWidget
    )
    version = forms.CharField(max_length=64, initial="1.0", widget=UnfoldAdminTextInputWidget)
    operationSecurityLevel = forms.ChoiceField(  # noqa: N815
        label="Security level",
        choices=[(name, name) for name in ("public", "anonymous", "authenticated")],
        widget=UnfoldAdminSelectWidget,
    )
    requestheaderMap = forms.CharField(  # noqa: N815
        label="Headers", required=False, initial="{}", max_length=20_000, widget=UnfoldAdminTextareaWidget
    )
    postData = forms.CharField(  # noqa: N815
        label="Parameters", required=False, initial="{}", max_length=100_000, widget=UnfoldAdminTextareaWidget
    )

    def arguments(self, service: Service) -> Arguments | None:
        """Return the arguments of the call; None, with the form's errors told, where they are no good."""
        fields = dict(self.cleaned_data)
        try:
            fields["requestheaderMap"] = read_storable(fields["requestheaderMap"] or "{}")
            return read(
                {"jobServiceInfo": {**fields, "serviceName": service.name, "serviceExecutionType": "SERVER_URL"}}
            )
        except UnreadableJson as error:
            self.add_error("requestheaderMap", error.problem)
        except Problems as problems:
            for path, sentences in problems.by_field.items():
                name = path.removeprefix("jobServiceInfo.")
                self.add_error(name if name in self.fields else None, sentences)
        return None


@admin.register(Service)
class ServiceAdmin(ModelAdmin):
    """The registry: which server answers for a service."""

    form = ServiceForm
    list_display = ("name", "shown_version", "shown_server", "active", "concurrency_limit", "updated_at")
    list_filter = ("active",)
    search_fields = ("name", "version", "server_url", "description")
    list_fullwidth = True
    actions_detail = ("test_call",)
    fieldsets = (
        (None, {"fields": ("name", "version", "server_url", "active", "description")}),
        ("Limits", {"fields": ("concurrency_limit", "connect_timeout_seconds", "read_timeout_seconds")}),
        (
            "Identity of jobs without one of their own",
            {"fields": ("app_key", "app_secret", "identity", "username", "password", "login_path")},
        ),
    )

    @admin.display(description="Version", ordering="version")
    def shown_version(self, service: Service) -> str:
        return service.version or "every other"

    @admin.display(description="Server", ordering="server_url")
    def shown_server(self, service: Service) -> str:
        return service.server_url or "the default server"

    def save_model(self, request: HttpRequest, obj: Service, form: Any, change: bool) -> None:
        registry.save(obj)

    def delete_model(self, request: HttpRequest, obj: Service) -> None:
        registry.remove(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Service]) -> None:
        for entry in queryset:
            registry.remove(entry)

    def has_test_call_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        # Named by a method: Unfold looks permissions that are named outright up in a database that may not be there.
        return request.user.has_perm("voltmx.test_service")

    @action(description="Test call", url_path="test-call", permissions=["test_call"], icon="network_ping")
    def test_call(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page that calls the service and shows its answer."""
        if not self.has_test_call_permission(request):
            raise PermissionDenied
        service = self.get_object(request, unquote(object_id))
        if service is None:
            raise Http404
        form = TrialForm(request.POST or None)
        trial = None
        if request.method == "POST" and form.is_valid():
            arguments = form.arguments(service)
            if arguments is not None:
                # Only here does the web process need what calls services.
                from voltmx.foundry import trial as trials

                trial = trials.call(service, arguments)
                deeds.tell("service.tested", target=str(service), by=request.user.get_username())
        context = {
            **self.admin_site.each_context(request),
            "title": f"Test call of {service}",
            "opts": self.opts,
            "service": service,
            "form": form,
            "trial": trial,
            "request_text": _pretty(trial.request) if trial else "",
            "response_headers": trial.response["headers"] if trial and trial.response else {},
            "response_text": _pretty(trial.response["body"]) if trial and trial.response else "",
        }
        return TemplateResponse(request, "voltmx/test_call.html", context)


@admin.register(AccountSession)
class AccountSessionAdmin(ModelAdmin):
    """Open logins of the jobs API: deleting one revokes its tokens."""

    list_display = ("user", "created_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    ordering = ("-created_at",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: AccountSession) -> None:
        with transaction.atomic():
            deeds.tell("accountsession.revoked", target=obj.user.get_username(), by=request.user.get_username())
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AccountSession]) -> None:
        for session in queryset.select_related("user"):
            self.delete_model(request, session)


def _pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
