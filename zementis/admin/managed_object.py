"""Devices, groups and other managed objects in the console: what they are, and what they have sent."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Max, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from unfold.decorators import display

from scheduler.admin.base import ReadOnlyAdmin, actor
from scheduler.console import markup
from scheduler.models import Job
from zementis.devices import managed_objects, measurement_queries
from zementis.job_type import KIND
from zementis.models import ChildReference, ManagedObject, Measurement
from zementis.models.managed_object import DEVICE, GROUP

_SHOWN = 100


class WhatFilter(admin.SimpleListFilter):
    """Devices, groups, or neither."""

    title = "what it is"
    parameter_name = "what"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("device", "Devices"), ("group", "Groups"), ("other", "Others")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ManagedObject]) -> QuerySet[ManagedObject]:
        match self.value():
            case "device":
                return queryset.filter(fragments__has_key=DEVICE)
            case "group":
                return queryset.filter(fragments__has_key=GROUP)
            case "other":
                return queryset.exclude(fragments__has_any_keys=[DEVICE, GROUP])
        return queryset


@admin.register(ManagedObject)
class ManagedObjectAdmin(ReadOnlyAdmin):
    """``change`` is the object's page. They are written over REST; here they can be looked at and removed."""

    list_display = ("title", "id", "what", "type", "owner", "changed")
    list_display_links = ("title",)
    list_filter = (WhatFilter,)
    search_fields = ("name", "type", "=id")
    ordering = ("-id",)
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("zementis.delete_managedobject")

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        managed_objects.delete(obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Its measurements go along; nobody wants them listed."""
        return [f"{item} with its measurements" for item in objs], {"managed objects": len(objs)}, set(), []

    @display(description="Name")
    def title(self, item: ManagedObject) -> str:
        return str(item)

    @display(description="What")
    def what(self, item: ManagedObject) -> SafeString:
        if item.is_group:
            return markup.mark("group", "running")
        return markup.mark("device", "succeeded") if item.is_device else markup.mark("other", "skipped")

    @display(description="Changed")
    def changed(self, item: ManagedObject) -> SafeString:
        return markup.instant(item.updated_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The object's page."""
        if not self.has_view_permission(request) or request.method == "POST":
            raise PermissionDenied
        item = self.get_object(request, object_id)
        if item is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return]
        children = ChildReference.objects.filter(parent=item).select_related("child").order_by("pk")
        parents = ChildReference.objects.filter(child=item).select_related("parent").order_by("pk")
        last = Measurement.objects.filter(device=item).aggregate(last=Max("time"))["last"] if item.is_device else None
        jobs = Job.objects.of_kind(KIND).with_state().filter(arguments__target=item.pk).order_by("-number")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": item,
            "title": str(item),
            "media": self.media,
            "item": item,
            "what": self.what(item),
            "children": children[:_SHOWN],
            "parents": parents[:_SHOWN],
            "series": measurement_queries.supported(item.pk),
            "last": last,
            "members": len(managed_objects.members(item.pk)) if item.is_group else None,
            "jobs": jobs[:_SHOWN] if request.user.has_perm("scheduler.view_job") else None,
            "may_delete": self.has_delete_permission(request, item),
            "actor": actor(request),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "zementis/admin/managed_object.html", context)
