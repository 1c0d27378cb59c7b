"""Form fields of a schedule: a zone with its names to choose from, an expression with its builder and its fires."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django.urls import reverse
from unfold.widgets import UnfoldAdminTextInputWidget


class ZoneWidget(UnfoldAdminTextInputWidget):
    """A plain input with a list of IANA names to choose from; needs no script."""

    template_name = "scheduler/admin/widgets/zone.html"

    def __init__(self) -> None:
        super().__init__(attrs={"list": "c-zones", "spellcheck": "false"})

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["zones"] = sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")
        return context


class ExpressionWidget(UnfoldAdminTextInputWidget):
    """An input beneath which the script shows a builder, and the fires of what is typed. Plain without the script."""

    template_name = "scheduler/admin/widgets/expression.html"

    class Media:
        js = ("scheduler/schedule.js",)

    def __init__(self) -> None:
        super().__init__(attrs={"spellcheck": "false", "autocomplete": "off", "class": "c-code"})

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        days = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
        return {**context, "preview_url": reverse("admin:scheduler_job_preview"), "days": days}
