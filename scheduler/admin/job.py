"""Jobs in the console: the list, its actions, and the way to a job's pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display

from scheduler import clock
from scheduler.admin import job_actions, job_page, why_page
from scheduler.admin.base import ConsoleAdmin, ConsoleList, actor
from scheduler.admin.filters import KindFilter, LastOutcomeFilter, StateFilter
from scheduler.admin.job_form import PLAIN_FIELDS, SCHEDULE_FIELDS, JobForm
from scheduler.console import charts, markup, previews, runs, words
from scheduler.console.closures import next_closures
from scheduler.models import Job

FIELDSETS = (
    (None, {"fields": ("name", "description", "active", "version")}),
    (
        "Schedule",
        {
            "fields": ("expression", "zone", "run_at", "starts_at", "ends_at", "calendars"),
            "description": "Either an expression in a time zone, or one instant to run at. Instants are UTC.",
        },
    ),
    ("What it does", {"fields": ("arguments",)}),
    (
        "When something is in the way",
        {
            "fields": (
                ("misfire", "misfire_grace_seconds"),
                ("overlap", "concurrency_key"),
                ("timeout_seconds", "max_retries"),
                ("retry_delay_seconds", "retry_max_delay_seconds"),
            )
        },
    ),
    ("Delivery", {"fields": (("queue", "priority"), "expires_seconds", "headers")}),
    ("History", {"fields": (("history_strategy", "retention_days"),)}),
)
_NEW: tuple[Any, ...] = (
    (None, {"fields": (("kind", "number"), "name", "description", "active", "version")}),
    *FIELDSETS[1:],
)
_POSTGRES_BIGINT = 2**63


class JobList(ConsoleList):
    """Brings the last runs of all jobs on the page by one query."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        page: list[Any] = list(self.result_list)
        ticks = runs.strips(job.pk for job in page)
        closures = next_closures(page)
        for job in page:
            job.ticks = ticks[job.pk]
            job.closure = closures.get(job.pk)
        self.result_list = page


@admin.register(Job)
class JobAdmin(ConsoleAdmin):
    """``change`` is the job's page; the form is at ``edit``."""

    form = JobForm
    list_display = ("title", "schedule", "strip", "next_fire", "last_run", "counts")
    list_display_links = ("title",)
    list_filter = (KindFilter, StateFilter, LastOutcomeFilter)
    search_fields = ("name",)
    search_help_text = "Name or id"
    ordering = ("kind", "number")
    actions = ("run_now", "deactivate", "activate")
    add_fieldsets = _NEW
    fieldsets = FIELDSETS
    warn_unsaved_form = True

    # -- The list ----------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return Job.objects.with_state()

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """What is due soon, the next one first."""
        soonest = ("state__next_fire_at", "kind", "number")
        return soonest if request.GET.get(StateFilter.parameter_name) == "soon" else self.ordering

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        for word in search_term.split()[:8]:
            condition = Q(name__icontains=word)
            if word.isdecimal() and int(word) < _POSTGRES_BIGINT:
                condition |= Q(number=int(word))
            queryset = queryset.filter(condition)
        return queryset, False

    @display(description="Job", ordering="name")
    def title(self, job: Job) -> SafeString:
        text, tone = job_page.state_of(job)
        return format_html(
            '<span class="c-two"><strong title="{}">{}</strong><small>{} {}{}</small></span>',
            job.name,
            job.name,
            words.kind_title(job),
            job.number,
            "" if text == "active" else format_html(" {}", markup.mark(text, tone)),
        )

    @display(description="Schedule")
    def schedule(self, job: Job) -> SafeString:
        return format_html(
            '<span class="c-words" title="{}">{}</span>',
            job.frequency or words.instant(job.run_at),
            words.schedule_in_words(job),
        )

    @display(description="Last runs")
    def strip(self, job: Job) -> SafeString:
        return charts.strip(getattr(job, "ticks", ()), slots=runs.STRIP)

    @display(description="Next run", ordering="state__next_fire_at")
    def next_fire(self, job: Job) -> SafeString:
        why = getattr(job, "closure", None)
        if why is None:
            return markup.due(job.state.next_fire_at)
        closed = markup.mark("closed day", "skipped")
        return format_html('{} <span title="{}">{}</span>', markup.due(job.state.next_fire_at), why, closed)

    @display(description="Last run", ordering="state__last_ended_at")
    def last_run(self, job: Job) -> SafeString:
        if job.state.last_status is None:
            return SafeString(words.NOTHING)  # a constant of ours  # nosec B703
        lates = [tick.late for tick in getattr(job, "ticks", ()) if tick.late is not None]
        late = f", {words.duration(max(lates[-1], 0.0))} late" if lates else ""
        return format_html(
            '<span class="c-two c-last">{} <small class="c-sub">{}{}</small></span>',
            markup.pill(job.state.last_status),
            markup.ago(job.state.last_ended_at),
            late,
        )

    @display(description="Runs", ordering="state__failure_count")
    def counts(self, job: Job) -> SafeString:
        state = job.state
        return format_html(
            '<a class="c-two c-mono" href="{}?job={}" title="{} succeeded, {} with warnings, {} failed">{}{}</a>',
            reverse("admin:scheduler_execution_changelist"),
            job.pk,
            state.success_count,
            state.warning_count,
            state.failure_count,
            state.total_count,
            format_html(' <small class="c-bad">{} failed</small>', state.failure_count) if state.failure_count else "",
        )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[JobList]:
        return JobList

    # -- Permissions -------------------------------------------------------------------------------------------------

    def has_run_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("scheduler.run_job")

    def has_pause_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("scheduler.pause_job")

    # -- Actions -----------------------------------------------------------------------------------------------------

    @admin.action(description="Run now", permissions=["run"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        job_actions.perform(request, queryset, job_actions.run, done="Asked for a run")

    @admin.action(description="Resume", permissions=["pause"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        job_actions.perform(request, queryset, job_actions.activate, done="Resumed")

    @admin.action(description="Pause", permissions=["pause"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        job_actions.perform(request, queryset, job_actions.deactivate, done="Paused")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, dict[str, int], set[str], list[str]]:
        """Say what goes with a job by its counters: walking to every run would read them all."""
        chosen = list(objs[: job_actions.MOST + 1])
        perms = set() if self.has_delete_permission(request) else {"job"}
        if len(chosen) > job_actions.MOST:
            return [], {}, perms, [f"at most {job_actions.MOST} jobs at once"]
        listed = [f"{job} with {job.state.total_count} ended and {job.state.open_runs} open runs" for job in chosen]
        return listed, {"jobs": len(chosen)}, perms, []

    def delete_model(self, request: HttpRequest, obj: Job) -> None:
        why = job_actions.delete(obj, actor(request))
        if why is not None:
            self.message_user(request, f"{obj.name}: {why}", level="WARNING")

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        tally = job_actions.each(queryset, job_actions.delete, by=actor(request))
        job_actions.report(request, replace(tally, done=[]), done="Deleted")

    # -- Pages of one job --------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, view: Any, name: str) -> Any:
            return path(f"<int:pk>/{route}/", self.admin_site.admin_view(view), name=f"scheduler_job_{name}")

        return [
            path("preview/", self.admin_site.admin_view(self.preview_view), name="scheduler_job_preview"),
            page("edit", self.edit_view, "edit"),
            page("why", self.why_view, "why"),
            page("run", require_POST(self.run_view), "run"),
            page("activate", require_POST(self.activate_view), "activate"),
            page("deactivate", require_POST(self.deactivate_view), "deactivate"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The job's page; a POST is the form's."""
        if request.method == "POST":
            return super().change_view(request, object_id, form_url, extra_context)  # type: ignore[no-any-return]
        job = self.get_object(request, object_id)
        if not self.has_view_permission(request, job):
            raise PermissionDenied
        if job is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return]
        return job_page.response(self, request, job)

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The form. Not for those who may only look: read-only fields would show arguments unmasked."""
        job = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_change_permission(request, job):
            raise PermissionDenied
        return self.changeform_view(request, str(pk), "", {"title": f"Edit {job.name}"})  # type: ignore[no-any-return]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the form shows beneath an expression while it is typed."""
        if not self.has_view_permission(request) and not self.has_add_permission(request):
            raise PermissionDenied
        chosen = [int(key) for key in request.GET.getlist("calendars")[:100] if key.isdecimal() and len(key) < 19]
        found = previews.look_at(request.GET.dict(), now=clock.now(), calendars=chosen)
        return TemplateResponse(request, "scheduler/admin/preview.html", found)

    def why_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What happened at an instant, for a job that is there or was."""
        if not (self.has_view_permission(request) and request.user.has_perm("scheduler.view_execution")):
            raise PermissionDenied
        return why_page.response(self, request, pk)

    def run_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._act(request, pk, self.has_run_permission, job_actions.run, "Asked for a run")

    def activate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._act(request, pk, self.has_pause_permission, job_actions.activate, "Resumed")

    def deactivate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._act(request, pk, self.has_pause_permission, job_actions.deactivate, "Paused")

    def _act(self, request: HttpRequest, pk: int, allowed: Any, verb: job_actions.Verb, done: str) -> HttpResponse:
        if not (allowed(request) and self.has_view_permission(request)):
            raise PermissionDenied
        job = get_object_or_404(self.get_queryset(request), pk=pk)
        job_actions.report(request, job_actions.each([job], verb, by=actor(request)), done=done)
        return HttpResponseRedirect(reverse("admin:scheduler_job_change", args=[pk]))

    # -- The form ----------------------------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, fields=[*PLAIN_FIELDS, *SCHEDULE_FIELDS])
        attributes = {
            "by": actor(request),
            "may_pause": self.has_pause_permission(request),
            "source": None if change else self._cloned(request),
        }
        return type("BoundJobForm", (form,), attributes)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new job starts empty, or as a copy of the job that ``clone`` names."""
        job = self._cloned(request)
        if job is None:
            return {}
        copied = {name: getattr(job, name) for name in (*PLAIN_FIELDS, *SCHEDULE_FIELDS)}
        arguments = words.pretty(words.shown_arguments(job) or {})
        return {**copied, "kind": job.kind, "name": f"{job.name} (copy)"[:255], "active": False, "arguments": arguments}

    def _cloned(self, request: HttpRequest) -> Job | None:
        key = request.GET.get("clone", "")
        if not (key.isdecimal() and int(key) < _POSTGRES_BIGINT and self.has_view_permission(request)):
            return None
        return Job.objects.filter(pk=int(key)).first()

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        context["show_save_and_add_another"] = False
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[no-any-return]

    def save_model(self, request: HttpRequest, obj: Job, form: Any, change: bool) -> None:
        """Nothing: the form has written the job through the use case."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing is related."""

    def response_post_save_change(self, request: HttpRequest, obj: Job) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:scheduler_job_change", args=[obj.pk]))

    response_post_save_add = response_post_save_change
