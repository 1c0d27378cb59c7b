"""The console as a whole: its files, its navigation, its front page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import URLPattern, path, reverse

from scheduler.admin import dashboard

_ICONS = {
    "job": "schedule",
    "execution": "play_circle",
    "process": "dns",
    "limit": "speed",
    "calendar": "event_busy",
    "jobchange": "history",
    "incident": "warning",
    "alertrule": "notifications",
    "channel": "forward_to_inbox",
    "ping": "monitor_heart",
    "delivery": "outbox",
    "user": "person",
    "group": "group",
}
_FIRST = ("job", "execution", "incident", "process", "calendar", "limit", "jobchange")
_LAST = ("django_celery_beat", "auth")


def _urls() -> list[URLPattern]:
    return [path("live/", admin.site.admin_view(dashboard.live), name="scheduler_dashboard_live")]


admin.site.index_template = "scheduler/admin/dashboard.html"
# The theme's site asks for these.
admin.site.extra_urls = _urls  # type: ignore[attr-defined]


def stylesheet(request: HttpRequest) -> str:
    """Return the address of the console's style sheet."""
    return static("scheduler/console.css")


def theme(request: HttpRequest) -> str:
    """Return the address of the theme's colours."""
    return static("scheduler/theme.css")


def expressions(request: HttpRequest) -> str:
    """Return the address of what reads the theme's expressions without eval."""
    return static("scheduler/expressions.js")


def script(request: HttpRequest) -> str:
    """Return the address of the console's script."""
    return static("scheduler/console.js")


def context(request: HttpRequest) -> dict[str, Any]:
    """Return what each page is told beyond the theme's settings: its colours are in a file, not in the page."""
    return {"colors": None}


def favicon(request: HttpRequest) -> str:
    """Return the address of the icon in the browser's tab."""
    return static("scheduler/favicon.svg")


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the side bar: the core's tables first, then each application's that the user may see."""
    apps = {app["app_label"]: app for app in admin.site.get_app_list(request)}
    core = apps.pop("scheduler", {"models": []})
    models = {model["object_name"].lower(): model for model in core["models"]}
    first = [_item(models.pop(name), name) for name in _FIRST if name in models]
    groups: list[dict[str, Any]] = [
        {
            "title": None,
            "items": [
                {"title": "Dashboard", "icon": "dashboard", "link": reverse("admin:index")},
                *first,
                *(_item(model, name) for name, model in models.items()),
            ],
        }
    ]
    labels = [label for label in apps if label not in _LAST] + [label for label in _LAST if label in apps]
    for label in labels:
        items = [_item(model, model["object_name"].lower()) for model in apps[label]["models"]]
        groups.append({"title": apps[label]["name"], "separator": True, "collapsible": label in _LAST, "items": items})
    groups[0]["items"].append({"title": "APIs", "icon": "api", "link": reverse("api_docs")})
    return groups


def _item(model: dict[str, Any], name: str) -> dict[str, Any]:
    title = str(model["name"])
    return {"title": title[:1].upper() + title[1:], "icon": _ICONS.get(name, "table_rows"), "link": model["admin_url"]}
