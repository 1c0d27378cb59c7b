"""Form fields: a zone with its names to choose from, an expression with its builder and its fires, arguments."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django.urls import reverse
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from scheduler import job_types
from scheduler.console import words


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


class ArgumentsWidget(UnfoldAdminTextareaWidget):
    """JSON, beneath which each kind of job shows an example of its arguments: all of them without the script, with it
    the chosen kind's. ``kind`` is that of a job that exists."""

    template_name = "scheduler/admin/widgets/arguments.html"
    kind: str | None = None

    def __init__(self) -> None:
        super().__init__(attrs={"rows": 14, "class": "c-code", "spellcheck": "false"})

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["examples"] = [
            {"kind": job_type.kind, "title": job_type.title, "text": words.pretty(job_type.example)}
            for job_type in job_types.all_types()
            if isinstance(job_type, job_types.Exemplary) and self.kind in (None, job_type.kind)
        ]
        return context
