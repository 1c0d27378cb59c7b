"""Limits: how many runs with one concurrency key may be under way at once."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from scheduler import limits
from scheduler.admin.base import ConsoleAdmin
from scheduler.models import Limit


@admin.register(Limit)
class LimitAdmin(ConsoleAdmin):
    """One row a key; written through ``scheduler.limits``."""

    list_display = ("key", "runs")
    search_fields = ("key",)
    ordering = ("key",)
    fields = ("key", "runs")

    def get_readonly_fields(self, request: HttpRequest, obj: Limit | None = None) -> tuple[str, ...]:
        return ("key",) if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Limit, form: Any, change: bool) -> None:
        limits.set_limit(obj.key, obj.runs)

    def delete_model(self, request: HttpRequest, obj: Limit) -> None:
        limits.set_limit(obj.key, None)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Limit]) -> None:
        for limit in queryset:
            limits.set_limit(limit.key, None)
