"""The list of runs: what no index answers is looked for in a bounded window of them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from scheduler.admin.base import ConsoleList
from scheduler.admin.filters import instant_of
from scheduler.window import WIDEST, Window, window


class ExecutionList(ConsoleList):
    """Says in ``window_note`` where the filters looked, unless that was everywhere."""

    window_note = ""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        found = super().get_queryset(request, exclude_parameters)
        looked = _window(request)
        if looked is None:
            return found
        if looked.is_cut:
            self.window_note = (
                f"Looked through {WIDEST:,} runs. To see others, name a beginning and an end, or the job."
            )
        return found.filter(pk__gte=looked.low, pk__lt=looked.high)


def _window(request: HttpRequest) -> Window | None:
    """Return where to look; None where an index answers: one job's runs, open runs, or all newest first."""
    if request.GET.get("job") or request.GET.get("status") in ("open", "0", "1"):
        return None
    since = instant_of(request, "scheduled_for_from", midnight="00:00:00")
    until = instant_of(request, "scheduled_for_to", midnight="23:59:59")
    if since is None and until is None and not (request.GET.get("status") or request.GET.get("kind")):
        return None
    return window(since=since, until=until)
