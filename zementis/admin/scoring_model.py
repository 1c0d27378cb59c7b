"""Models in the console: uploaded, looked at, tried, switched on and off, replaced, removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from scheduler.admin.base import ConsoleAdmin, actor
from scheduler.console import markup
from zementis import model_store
from zementis.admin import model_page
from zementis.inference import InvalidModel
from zementis.inference.limits import Limits
from zementis.model_store import ModelExists, ModelNotFound, StoreBusy
from zementis.models import ModelVersion, ScoringModel


class UploadForm(forms.ModelForm):  # type: ignore[type-arg]
    """A model file and its format. Cleaning it checks and stores the file: only then is its name known."""

    format = forms.ChoiceField(choices=ModelVersion.Format.choices, widget=UnfoldAdminSelectWidget)
    file = forms.FileField(widget=UnfoldAdminFileFieldWidget, help_text="PMML or ONNX, also in a zip or gzip file.")
    by = ""

    class Meta:
        model = ScoringModel
        fields: Sequence[str] = ()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        sent = cleaned.get("file")
        if sent is None or self.errors:
            return cleaned
        if sent.size > Limits().upload_bytes:
            raise forms.ValidationError("The file is too large.")
        try:
            stored = model_store.upload(sent.read(), file_name=sent.name, format=cleaned["format"], by=self.by)
        except InvalidModel as error:
            raise forms.ValidationError(list(error.errors)) from error
        except (ModelExists, StoreBusy) as error:
            raise forms.ValidationError(str(error)) from error
        self.instance = ScoringModel.objects.get(name=stored.name)
        return cleaned

    def _post_clean(self) -> None:
        """Leave the instance alone: the store has made it."""

    def save(self, commit: bool = True) -> ScoringModel:
        """Return what the store has made."""
        self.save_m2m = _nothing  # type: ignore[method-assign]
        model: ScoringModel = self.instance
        return model


@admin.register(ScoringModel)
class ScoringModelAdmin(ConsoleAdmin):
    """``change`` is the model's page."""

    form = UploadForm
    actions = ("activate", "deactivate")
    list_display = ("name", "state", "format", "kind", "engine", "version", "uploaded")
    search_fields = ("name",)
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScoringModel]:
        return ScoringModel.objects.prefetch_related("versions")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[UploadForm]:
        return type("UploadFormOfUser", (UploadForm,), {"by": actor(request)})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The form has stored it."""

    # -- The list ----------------------------------------------------------------------------------------------------

    @display(description="State")
    def state(self, model: ScoringModel) -> SafeString:
        return markup.mark("active", "succeeded") if model.active else markup.mark("off", "skipped")

    @display(description="Format")
    def format(self, model: ScoringModel) -> str:
        return _current(model).format

    @display(description="Class")
    def kind(self, model: ScoringModel) -> str:
        return _current(model).described.model_class

    @display(description="Engine")
    def engine(self, model: ScoringModel) -> str:
        return _current(model).described.engine

    @display(description="Version")
    def version(self, model: ScoringModel) -> int:
        return _current(model).number

    @display(description="Uploaded")
    def uploaded(self, model: ScoringModel) -> SafeString:
        return markup.instant(_current(model).uploaded_at)

    # -- What can be done --------------------------------------------------------------------------------------------

    @admin.action(description="Activate", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[ScoringModel]) -> None:
        self._switch(request, queryset, active=True)

    @admin.action(description="Deactivate", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[ScoringModel]) -> None:
        self._switch(request, queryset, active=False)

    def _switch(self, request: HttpRequest, queryset: QuerySet[ScoringModel], *, active: bool) -> None:
        for model in queryset:
            model_store.set_active(model.name, active, by=actor(request))
        messages.success(request, f"{'Activated' if active else 'Deactivated'}: {', '.join(m.name for m in queryset)}")

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        model_store.delete(obj.name, by=actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ScoringModel]) -> None:
        for model in queryset:
            model_store.delete(model.name, by=actor(request))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Versions and files go along without asking for permissions of their own."""
        names = [str(model) for model in objs]
        return names, {"models": len(names)}, set(), []

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, view: Any) -> URLPattern:
            name = f"zementis_scoringmodel_{route}"
            guarded = self.admin_site.admin_view(require_POST(view))
            pattern: URLPattern = path(f"<int:pk>/{route}/", guarded, name=name)
            return pattern

        return [
            page("activate", self.activate_view),
            page("deactivate", self.deactivate_view),
            page("replace", self.replace_view),
            page("try", self.try_view),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The model's page."""
        if not self.has_view_permission(request) or request.method == "POST":
            raise PermissionDenied
        model = self.get_object(request, object_id)
        if model is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return]
        return model_page.response(self, request, model)

    def activate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._switched(request, pk, active=True)

    def deactivate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._switched(request, pk, active=False)

    def replace_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make a sent file the model's current version."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        model = get_object_or_404(ScoringModel, pk=pk)
        sent = request.FILES.get("file")
        if sent is None or (sent.size or 0) > Limits().upload_bytes:
            messages.error(request, "Choose a file of a size that is allowed.")
            return _back(pk)
        try:
            stored = model_store.replace(model.name, sent.read(), file_name=sent.name or "", by=actor(request))
        except InvalidModel as error:
            messages.error(request, " ".join(error.errors))
        except (ModelNotFound, StoreBusy) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"Version {stored.version} is current.")
        return _back(pk)

    def try_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Score a record that was typed, and show the outputs."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        model = get_object_or_404(ScoringModel, pk=pk)
        return model_page.response(self, request, model, record=request.POST.get("record", ""))

    def _switched(self, request: HttpRequest, pk: int, *, active: bool) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        model = get_object_or_404(ScoringModel, pk=pk)
        model_store.set_active(model.name, active, by=actor(request))
        messages.success(request, f"{model.name} is {'active' if active else 'off'}.")
        return _back(pk)


def _nothing() -> None:
    """There is nothing to be saved after the model."""


def _back(pk: int) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:zementis_scoringmodel_change", args=[pk]))


def _current(model: ScoringModel) -> ModelVersion:
    return next(version for version in model.versions.all() if version.current)
