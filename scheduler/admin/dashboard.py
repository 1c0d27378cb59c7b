"""The console's front page, which refreshes itself."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from scheduler.console import charts
from scheduler.console.overview import overview


def may_see(request: HttpRequest) -> bool:
    """Return whether the user may see what the dashboard tells: jobs and their runs."""
    return request.user.has_perms(("scheduler.view_job", "scheduler.view_execution"))


def context(request: HttpRequest, page: dict[str, Any]) -> dict[str, Any]:
    """Add to the context of the front page what the user may see."""
    return {**page, "title": "Dashboard", "overview": _overview() if may_see(request) else None}


def live(request: HttpRequest) -> HttpResponse:
    """Return the part of the page that refreshes itself."""
    if not may_see(request):
        raise PermissionDenied
    return TemplateResponse(request, "scheduler/admin/dashboard_live.html", {"overview": _overview()})


def _overview() -> dict[str, Any]:
    found = overview()
    chart = charts.bars(found["day"].hours, name="Runs of the last 24 hours by outcome")
    return {**found, "chart": chart}
