"""What all admins of the console share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from scheduler.console.paginator import CappedPaginator


def actor(request: HttpRequest) -> str:
    """Return the name under which what a user does is recorded."""
    return request.user.get_username()


@dataclass(frozen=True)
class Crumb:
    """What the theme's breadcrumb shows for a row, in words for people; it looks for a model's attributes."""

    _meta: Any
    pk: int
    title: str

    def __str__(self) -> str:
        return self.title


class ConsoleList(ChangeList):
    """Knows that without a filter what it counted is all there is to tell; nothing counts the whole table."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count


class ConsoleAdmin(ModelAdmin):
    """Lists that read one page: no count of the whole table, no way to show all."""

    show_full_result_count = False
    paginator = CappedPaginator
    list_per_page = 50
    list_max_show_all = 0
    list_filter_submit = True
    list_fullwidth = True

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ConsoleList]:
        return ConsoleList


class ReadOnlyAdmin(ConsoleAdmin):
    """A table that the core alone writes: it can be looked at."""

    actions: tuple[str, ...] | None = None

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
