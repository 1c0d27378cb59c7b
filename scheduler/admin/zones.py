"""A text field that offers the names of time zones."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from unfold.widgets import UnfoldAdminTextInputWidget


class ZoneWidget(UnfoldAdminTextInputWidget):
    """A plain input with a list of IANA names to choose from; needs no script."""

    template_name = "scheduler/admin/widgets/zone.html"

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["zones"] = sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")
        return context
