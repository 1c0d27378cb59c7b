"""Runs in the console: the list, a run's page, cancelling and running again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.views.decorators.http import require_POST
from unfold.decorators import display

from scheduler import executions, jobs
from scheduler.admin import execution_page
from scheduler.admin.base import ReadOnlyAdmin, actor
from scheduler.admin.execution_list import ExecutionList
from scheduler.admin.filters import InstantRangeFilter, KindFilter, RunsOfJobFilter, StatusFilter
from scheduler.admin.job_actions import MOST, said
from scheduler.console import markup, words
from scheduler.console.json_text import read_object
from scheduler.console.masking import unmask
from scheduler.console.related import execution_url
from scheduler.exceptions import SchedulerError
from scheduler.models import Execution, Status

_LONGEST_ARGUMENTS = 1_000_000


@admin.register(Execution)
class ExecutionAdmin(ReadOnlyAdmin):
    """Newest first. ``change`` is the run's page; nothing of a run can be edited."""

    actions = ("cancel",)
    list_display = ("run", "status_label", "due", "late", "took", "attempt", "trigger_label", "said")
    list_display_links = ("run",)
    list_filter = (StatusFilter, KindFilter, RunsOfJobFilter, ("scheduled_for", InstantRangeFilter))
    ordering = ("-id",)
    list_before_template = "scheduler/admin/execution_list_before.html"

    # -- The list ----------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Execution]:
        return Execution.objects.select_related("job")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Newest first, through an index whatever is asked for."""
        if not request.GET.get("job"):
            return ("-id",)
        return ("-scheduled_for",) if request.GET.get("status") == str(Status.SKIPPED.value) else ("-number",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ExecutionList]:
        return ExecutionList

    @display(description="Run")
    def run(self, execution: Execution) -> SafeString:
        job = execution.job
        number = f"run {execution.number}" if execution.number is not None else "no run"
        return format_html(
            '<span class="c-two"><strong title="{}">{}</strong><small>{} {}, {}</small></span>',
            job.name,
            job.name,
            words.kind_title(job),
            job.number,
            number,
        )

    @display(description="Status")
    def status_label(self, execution: Execution) -> SafeString:
        return markup.pill(execution.status)

    @display(description="Due")
    def due(self, execution: Execution) -> SafeString:
        return markup.instant(execution.scheduled_for)

    @display(description="Late")
    def late(self, execution: Execution) -> SafeString:
        return format_html('<span class="c-mono">{}</span>', words.duration(words.lateness(execution)))

    @display(description="Took")
    def took(self, execution: Execution) -> SafeString:
        return format_html('<span class="c-mono">{}</span>', words.duration(execution.duration))

    @display(description="Asked by")
    def trigger_label(self, execution: Execution) -> str:
        return execution_page.asked_by(execution)

    @display(description="Message")
    def said(self, execution: Execution) -> str:
        return Truncator(words.headline(execution)).chars(90) or words.NOTHING

    # -- Permissions -------------------------------------------------------------------------------------------------

    def has_cancel_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("scheduler.cancel_execution")

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scheduler.run_job")

    # -- What can be done --------------------------------------------------------------------------------------------

    @admin.action(description="Cancel", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Execution]) -> None:
        few = list(queryset[: MOST + 1])
        if len(few) > MOST:
            messages.error(request, f"At most {MOST} runs at once: narrow the selection by a filter.")
            return
        cancelled = sum(executions.cancel(execution, by=actor(request)) for execution in few)
        messages.success(request, f"Cancelled {cancelled} of {len(few)}; the others had ended already.")

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, view: Any, name: str) -> Any:
            return path(f"<int:pk>/{route}/", self.admin_site.admin_view(view), name=f"scheduler_execution_{name}")

        return [
            page("cancel", require_POST(self.cancel_view), "cancel"),
            page("again", require_POST(self.again_view), "again"),
            page("live", self.live_view, "live"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The run's page."""
        if not self.has_view_permission(request) or request.method == "POST":
            raise PermissionDenied
        execution = self.get_object(request, object_id)
        if execution is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return]
        return execution_page.response(self, request, execution)

    def live_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What of the page changes while the run is open, for the page's script to fetch."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return execution_page.live(self, request, get_object_or_404(self.get_queryset(request), pk=pk))

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not (self.has_cancel_permission(request) and self.has_view_permission(request)):
            raise PermissionDenied
        execution = get_object_or_404(Execution, pk=pk)
        was_running = execution.status == Status.RUNNING
        if not executions.cancel(execution, by=actor(request)):
            messages.warning(request, "The run had ended already.")
        elif was_running:
            messages.success(request, "The run was told to stop; it ends within seconds.")
        else:
            messages.success(request, "The run was cancelled before it started.")
        return HttpResponseRedirect(execution_url(pk))

    def again_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask for a run with this one's arguments, edited or not; arguments equal to the job's stay the job's."""
        if not (self.has_run_permission(request) and self.has_view_permission(request)):
            raise PermissionDenied
        old = get_object_or_404(self.get_queryset(request), pk=pk)
        try:
            new = jobs.run_now(old.job, by=actor(request), arguments=_arguments(old, request.POST.get("arguments")))
        except ValidationError as problem:
            return self._not_run(request, old, " ".join(problem.messages))
        except SchedulerError as refusal:
            return self._not_run(request, old, said(refusal))
        if new.status == Status.SKIPPED:
            messages.warning(request, f"Skipped: {new.get_reason_display()}.")
        else:
            messages.success(request, f"Asked for run {new.number}.")
        return HttpResponseRedirect(execution_url(new.pk))

    def _not_run(self, request: HttpRequest, execution: Execution, why: str) -> HttpResponse:
        """Show the page again with what was typed, so that it can be put right."""
        messages.error(request, f"Not run: {why}")
        edited = request.POST.get("arguments", "")[:_LONGEST_ARGUMENTS]
        return execution_page.response(self, request, execution, edited=edited, status=422)


def _arguments(execution: Execution, text: str | None) -> dict[str, Any] | None:
    """Return the arguments to run with; None for the job's own."""
    stored = execution.arguments if execution.arguments is not None else execution.job.arguments
    if text is None:
        return execution.arguments
    if len(text) > _LONGEST_ARGUMENTS:
        raise ValidationError("The arguments are too long.")
    shown = words.shown_arguments(execution.job, stored)
    edited: dict[str, Any] = unmask(read_object(text), shown=shown, stored=stored)
    return None if edited == execution.job.arguments else edited
