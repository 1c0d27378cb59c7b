"""Calendars in the console: their list, their form, and a look at the days that they close."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST
from unfold.decorators import display

from scheduler import clock
from scheduler.admin.base import ConsoleAdmin, actor
from scheduler.admin.calendar_form import CalendarForm, PreviewForm
from scheduler.calendars import countries, dates, ical, store
from scheduler.calendars.days import WEEKDAYS, CalendarDays, Closed, Closure
from scheduler.console import words
from scheduler.exceptions import CalendarInUse, InvalidCalendar, InvalidSchedule
from scheduler.models import Calendar
from scheduler.schedule import zone_of

SHOWN = 30
AHEAD_DAYS = 800
JOBS = 20
_PLAIN = ("name", "description")
_DAYS = ("country", "subdivision", "weekdays", "dates")


@admin.register(Calendar)
class CalendarAdmin(ConsoleAdmin):
    """Written through ``scheduler.calendars.store``."""

    form = CalendarForm
    list_display = ("name", "closes", "used_by", "edited")
    search_fields = ("name",)
    ordering = ("name",)
    change_form_outer_after_template = "scheduler/admin/calendar_after.html"
    warn_unsaved_form = True

    class Media:
        js = ("scheduler/calendar.js",)

    # -- The list ----------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Calendar]:
        found = Calendar.objects.all()
        # The page of one needs its file; the list does not.
        return found if request.resolver_match and "object_id" in request.resolver_match.kwargs else found.defer("ical")

    @display(description="Closes")
    def closes(self, calendar: Calendar) -> str:
        parts = [
            f"holidays of {_country(calendar)}" if calendar.country else "",
            ", ".join(WEEKDAYS[day] for day in calendar.weekdays if day < len(WEEKDAYS)),
            "typed days" if calendar.dates.strip() else "",
            f"events of {calendar.ical_name}" if calendar.events else "",
        ]
        return "; ".join(part for part in parts if part) or words.NOTHING

    @display(description="Jobs")
    def used_by(self, calendar: Calendar) -> str:
        found = len(store.users(calendar).values_list("pk", flat=True)[: JOBS + 1])
        return f"{JOBS}+" if found > JOBS else str(found)

    @display(description="Edited")
    def edited(self, calendar: Calendar) -> str:
        return f"{words.instant(calendar.updated_at)} by {calendar.updated_by}"

    # -- The form ----------------------------------------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: Calendar | None = None) -> Any:
        may_write = self.has_change_permission(request, obj) if obj is not None else self.has_add_permission(request)
        file: tuple[str, ...] = ("ical_name",)
        if may_write:
            file = ("upload", "without_file") if obj is not None and obj.ical else ("upload",)
        hidden = ("version",) if may_write else ()
        return (
            (None, {"fields": (*_PLAIN, *hidden)}),
            (
                "Closed days",
                {
                    "fields": (("country", "subdivision"), "weekdays", "dates", *file),
                    "description": "All of these together. A day is closed from midnight to midnight in a job's zone.",
                },
            ),
        )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        may_write = self.has_change_permission(request, obj) if obj is not None else self.has_add_permission(request)
        form = super().get_form(request, obj, change, fields=[*_PLAIN, *_DAYS] if may_write else [])
        return type("BoundCalendarForm", (form,), {"by": actor(request)})

    def save_model(self, request: HttpRequest, obj: Calendar, form: Any, change: bool) -> None:
        """Nothing: the form has written the calendar through the use case."""

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        calendar = self.get_object(request, object_id) if object_id is not None else None
        more = {**(extra_context or {}), "calendar": calendar, "today": clock.now().date()}
        if calendar is not None and self.has_view_permission(request, calendar):
            more["look"] = _look_at(calendar)
            more["jobs"] = list(store.users(calendar)[:JOBS]) if request.user.has_perm("scheduler.view_job") else []
        return super().changeform_view(request, object_id, form_url, more)  # type: ignore[no-any-return]

    # -- Deleting ----------------------------------------------------------------------------------------------------

    def delete_model(self, request: HttpRequest, obj: Calendar) -> None:
        self._delete(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Calendar]) -> None:
        for calendar in queryset:
            self._delete(request, calendar)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, dict[str, int], set[str], list[str]]:
        """Name what keeps a calendar from being deleted before anybody confirms it."""
        chosen = list(objs)
        kept = [f"{calendar}: jobs go by it" for calendar in chosen if store.users(calendar).exists()]
        perms = set() if self.has_delete_permission(request) else {"calendar"}
        return [str(calendar) for calendar in chosen], {"calendars": len(chosen)}, perms, kept

    def _delete(self, request: HttpRequest, calendar: Calendar) -> None:
        try:
            store.delete(calendar, by=actor(request))
        except CalendarInUse as refusal:
            self.message_user(request, f"{calendar}: {refusal}", level="WARNING")

    # -- The look at what is typed -------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.preview_view))
        return [path("preview/", view, name="scheduler_calendar_preview"), *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the form shows beneath itself while it is filled in: the coming closed days."""
        if not (self.has_change_permission(request) or self.has_add_permission(request)):
            raise PermissionDenied
        key = request.POST.get("calendar", "")
        stored = Calendar.objects.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 19 else None
        form = PreviewForm(request.POST, request.FILES, instance=stored or Calendar())
        if not form.is_valid():
            problems = [text for found in form.errors.values() for text in found]
            return TemplateResponse(request, "scheduler/admin/calendar_days.html", {"look": {"problems": problems}})
        zone = request.POST.get("zone", "")
        return TemplateResponse(
            request, "scheduler/admin/calendar_days.html", {"look": _look_at_rules(form.looked_at, zone=zone)}
        )


def _country(calendar: Calendar) -> str:
    name = countries.countries().get(calendar.country, calendar.country)
    return f"{name} {calendar.subdivision}".strip()


def _look_at(calendar: Calendar) -> dict[str, Any]:
    try:
        return _coming(store.days_of(calendar, "UTC"), "UTC")
    except (InvalidCalendar, InvalidSchedule) as refusal:
        return {"problems": [refusal.problem]}


def _look_at_rules(rules: store.Rules, *, zone: str) -> dict[str, Any]:
    today = clock.now().date()
    try:
        days = CalendarDays(
            rules.name,
            zone_of(zone or "UTC"),
            country=rules.country,
            subdivision=rules.subdivision,
            weekdays=frozenset(rules.weekdays),
            dates=dates.read(rules.dates),
            events=ical.read(rules.ical, today=today) if rules.ical else ical.Events(date.min),
        )
        return _coming(days, zone or "UTC")
    except (InvalidCalendar, InvalidSchedule) as refusal:
        return {"problems": [refusal.problem]}


def _coming(days: CalendarDays, zone: str) -> dict[str, Any]:
    closed = Closed(zone, lambda: [days])
    today = closed.day_of(clock.now())
    found: list[tuple[date, Closure]] = closed.coming(today, days=AHEAD_DAYS, limit=SHOWN)
    return {"days": found, "zone": zone, "ahead": AHEAD_DAYS}
