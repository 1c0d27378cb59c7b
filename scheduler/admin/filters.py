"""Filters of the console's lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.db.models import Model, Q
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from unfold.contrib.filters.admin import DropdownFilter, RangeDateTimeFilter, TextFilter

from scheduler import job_types
from scheduler.models import Status, Trigger

Lookups = list[tuple[str, str]]


class InstantRangeFilter(RangeDateTimeFilter):
    """From and to, read as UTC; what is no instant is passed over."""

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        for bound, lookup in (("from", "gte"), ("to", "lte")):
            value = instant_of(request, f"{self.parameter_name}_{bound}", midnight=_MIDNIGHT[bound])
            if value is not None:
                queryset = queryset.filter(**{f"{self.parameter_name}__{lookup}": value})
        return queryset


_MIDNIGHT = {"from": "00:00:00", "to": "23:59:59"}


def instant_of(request: HttpRequest, name: str, *, midnight: str) -> datetime | None:
    """Return the instant that the two fields called ``name`` hold, day and time; a day alone means ``midnight``."""
    day, time = request.GET.get(f"{name}_0"), request.GET.get(f"{name}_1") or midnight
    return _instant(f"{day} {time}") if day else None


def _instant(text: str) -> datetime | None:
    try:
        value = parse_datetime(text)
    except ValueError:
        return None
    return None if value is None else value.replace(tzinfo=UTC)


class KindFilter(DropdownFilter):
    """The kind of a job, or of the job of a run."""

    title = "kind"
    parameter_name = "kind"

    def __init__(self, request: HttpRequest, params: Any, model: type[Model], model_admin: ModelAdmin[Any]) -> None:
        self.lookup = "kind" if any(field.name == "kind" for field in model._meta.fields) else "job__kind"
        super().__init__(request, params, model, model_admin)

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return sorted((job_type.kind, job_type.title) for job_type in job_types.all_types())

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(**{self.lookup: self.value()}) if self.value() else queryset


class StateFilter(DropdownFilter):
    """Whether a job will fire."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return [
            ("active", "Active"),
            ("paused", "Paused"),
            ("over", "No fire ahead"),
            ("open", "Running or queued"),
        ] + [("soon", "Due within 24 hours")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        conditions = {
            "active": Q(active=True, state__next_fire_at__isnull=False),
            "paused": Q(active=False),
            "over": Q(active=True, state__next_fire_at__isnull=True),
            "open": Q(state__open_runs__gt=0),
            "soon": Q(state__next_fire_at__lt=Now() + timedelta(hours=24)),
        }
        condition = conditions.get(str(self.value()))
        return queryset if condition is None else queryset.filter(condition)


class LastOutcomeFilter(DropdownFilter):
    """How the run that ended last ended."""

    title = "last run"
    parameter_name = "last"
    ended = (Status.SUCCEEDED, Status.WARNED, Status.FAILED, Status.CANCELLED)

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return [*((str(status.value), status.label.capitalize()) for status in self.ended), ("never", "Never ran")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "never":
            return queryset.filter(state__last_status__isnull=True)
        if self.value() in {str(status.value) for status in self.ended}:
            return queryset.filter(state__last_status=int(str(self.value())))
        return queryset


class StatusFilter(DropdownFilter):
    """The status of a run, those that are open together, and those that are or will be runs."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return [
            ("open", "Open"),
            ("ran", "All but skipped"),
            *((str(status.value), status.label.capitalize()) for status in Status),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "open":
            return queryset.open()
        if self.value() == "ran":
            return queryset.exclude(status=Status.SKIPPED)
        if self.value() in {str(status.value) for status in Status}:
            return queryset.filter(status=int(str(self.value())))
        return queryset


class JobKeyFilter(TextFilter):
    """One job by its primary key, which is what links to a filtered list carry."""

    title = "key of the job"
    parameter_name = "job"
    lookup = "job_id"

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = str(self.value() or "").strip()
        if not value:
            return queryset
        return queryset.filter(job_id=int(value)) if value.isdecimal() and len(value) < 19 else queryset.none()


class RunsOfJobFilter(JobKeyFilter):
    """The runs of one job, through its index on their numbers; its skipped instants, through that on due instants."""

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if not self.value():
            return queryset
        found = super().queryset(request, queryset)
        if request.GET.get("status") == str(Status.SKIPPED.value):
            return found.filter(trigger__in=(Trigger.SCHEDULE, Trigger.MISFIRE))
        return found.runs()


class OwnerFilter(admin.SimpleListFilter):
    """Whether a beat entry is a job's own or the user's."""

    title = "belongs to"
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return [("job", "A job"), ("none", "No job")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "job":
            return queryset.filter(task="scheduler.run_job")
        if self.value() == "none":
            return queryset.exclude(task="scheduler.run_job")
        return queryset
