"""Pages of long tables, without counting what nobody will page through."""

from __future__ import annotations

from functools import cached_property
from typing import Any, cast

from django.core.paginator import Paginator
from django.db.models import QuerySet


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts up to ``cap`` rows and offers pages up to there; beyond, a filter finds what is looked for.

    Without it every list would count its whole table, and the last page would read it.
    """

    cap = 10_000
    template_name = "scheduler/admin/pagination.html"

    @cached_property
    def count(self) -> int:
        """Rows that can be paged through: at most ``cap``."""
        return min(self._counted, self.cap)

    @property
    def is_capped(self) -> bool:
        """True where more rows exist than can be paged through."""
        return self._counted > self.cap

    @cached_property
    def _counted(self) -> int:
        found = cast("QuerySet[Any]", self.object_list)
        return found.order_by()[: self.cap + 1].count()
