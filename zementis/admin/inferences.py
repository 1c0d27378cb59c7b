"""Inferences in the console: a list of executions' pages, and a plot of each device's inferences over time."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from scheduler.admin.base import ReadOnlyAdmin
from scheduler.models import Execution
from zementis.admin import inference_plot
from zementis.job_type import KIND
from zementis.models import InferencePage

_DEVICES = 500


@admin.register(InferencePage)
class InferencePageAdmin(ReadOnlyAdmin):
    """Which inferences are stored; each leads to the plot of its execution."""

    list_display = ("plot", "execution_id", "attempt", "device", "page", "rows")
    list_display_links = None
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[InferencePage]:
        return InferencePage.objects.defer("data").select_related("execution__job")

    @display(description="Execution")
    def plot(self, page: InferencePage) -> SafeString:
        address = f"{reverse('admin:zementis_inferences', args=[page.execution_id])}?device={page.device}"
        execution = page.execution
        return format_html('<a href="{}">{}, execution {}</a>', address, execution.job.name, execution.number)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.plot_view)
        return [path("execution/<int:pk>/", view, name="zementis_inferences"), *super().get_urls()]

    def plot_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The plot of one device's inferences in one execution."""
        if not (self.has_view_permission(request) and request.user.has_perm("scheduler.view_execution")):
            raise PermissionDenied
        execution = get_object_or_404(Execution.objects.select_related("job"), pk=pk, job__kind=KIND)
        devices = _devices(execution)
        device = _chosen(request, devices)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Inferences of {execution.job.name}, execution {execution.number}",
            "media": self.media,
            "execution": execution,
            "job": execution.job,
            "devices": devices[:_DEVICES],
            "more": max(0, len(devices) - _DEVICES),
            "device": device,
            "plot": inference_plot.plot(execution, device) if device is not None else None,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "zementis/admin/inferences.html", context)


def _devices(execution: Execution) -> list[int]:
    first_pages = InferencePage.objects.filter(execution=execution, attempt=execution.attempt, page=1)
    return list(first_pages.order_by("device").values_list("device", flat=True))


def _chosen(request: HttpRequest, devices: list[int]) -> int | None:
    asked = request.GET.get("device", "")
    if not asked:
        return devices[0] if devices else None
    device = next((known for known in devices if str(known) == asked), None)
    if device is None:
        raise Http404("There are no inferences of that device.")
    return device
