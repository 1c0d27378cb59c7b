"""django-celery-beat's own tables in the console's theme, with what concerns jobs put right.

Each job has an entry, kept true by the scheduler. On it only ``enabled``, ``queue``, ``priority``, ``expire_seconds``
and ``headers`` mean something, and act on the job through a trigger of the database; the rest follows the job.
Entries of the user's own behave as in the stock admin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_celery_beat import admin as stock
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.admin import TabularInline
from unfold.decorators import display

from scheduler import deeds
from scheduler.admin import job_actions
from scheduler.admin.base import ConsoleAdmin, actor
from scheduler.admin.entry_form import EDITABLE, EntryForm
from scheduler.admin.filters import OwnerFilter
from scheduler.admin.schedule_forms import CrontabForm, IntervalForm
from scheduler.console import markup, words
from scheduler.console.related import job_url
from scheduler.entries import TASK
from scheduler.models import Job

for _model in (PeriodicTask, ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule):
    admin.site.unregister(_model)

# The most entries whose changes one action tells of.
MOST = 1000
_KEPT = "is the entry of a job: the scheduler keeps it. Edit, pause or delete the job instead."


@admin.register(PeriodicTask)
class EntryAdmin(ConsoleAdmin, stock.PeriodicTaskAdmin):
    """The stock admin of beat entries; those of jobs link to their job and refuse what makes no sense."""

    form = EntryForm
    change_form_template = None
    change_form_outer_before_template = "scheduler/admin/entry_before.html"
    date_hierarchy = None
    list_display = ("name", "job_link", "enabled_label", "scheduler", "next_or_last", "one_off")
    list_filter = ("enabled", OwnerFilter)
    search_fields = ("name",)
    ordering = ("id",)
    raw_id_fields = ("clocked",)
    readonly_fields = ("last_run_at", "total_run_count", "crontab_translation")
    list_fullwidth = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[PeriodicTask]:
        entries: QuerySet[PeriodicTask] = super().get_queryset(request)
        return entries.select_related("job_state__job")

    @display(description="Job")
    def job_link(self, entry: PeriodicTask) -> str | SafeString:
        job = job_of(entry)
        if job is None:
            return words.NOTHING
        return format_html('<a href="{}">{}</a>', job_url(job.pk), job.name)

    @display(description="Enabled", ordering="enabled")
    def enabled_label(self, entry: PeriodicTask) -> SafeString:
        return markup.mark(*(("enabled", "succeeded") if entry.enabled else ("disabled", "skipped")))

    @display(description="Last run")
    def next_or_last(self, entry: PeriodicTask) -> SafeString:
        return markup.ago(entry.last_run_at)

    @display(description="Crontab in words")
    def crontab_translation(self, entry: PeriodicTask) -> str:
        return str(entry.crontab.human_readable) if entry.crontab else words.NOTHING

    # -- One entry ---------------------------------------------------------------------------------------------------

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        entry = self.get_object(request, object_id) if object_id else None
        context = {"owner": job_of(entry) if entry is not None else None, **(extra_context or {})}
        # Past the stock view, which hands every crontab to a script that this page does without.
        return super(stock.PeriodicTaskAdmin, self).changeform_view(request, object_id, form_url, context)  # type: ignore[no-any-return]

    def get_readonly_fields(self, request: HttpRequest, obj: PeriodicTask | None = None) -> list[str]:
        fixed = list(super().get_readonly_fields(request, obj))
        if obj is None or job_of(obj) is None:
            return fixed
        allowed = set(EDITABLE)
        if not request.user.has_perm("scheduler.pause_job"):
            allowed -= {"enabled"}
        if not request.user.has_perm("scheduler.change_job"):
            allowed &= {"enabled"}
        shown = [name for _, options in self.fieldsets for name in options["fields"] if name != "regtask"]
        return [*fixed, *(name for name in shown if name not in allowed and name not in fixed)]

    def get_fieldsets(self, request: HttpRequest, obj: PeriodicTask | None = None) -> Any:
        if obj is None or job_of(obj) is None:
            return self.fieldsets
        return [
            (name, {**options, "fields": [field for field in options["fields"] if field != "regtask"]})
            for name, options in self.fieldsets
        ]

    def save_model(self, request: HttpRequest, obj: PeriodicTask, form: Any, change: bool) -> None:
        if change and job_of(obj) is not None:
            # Only what was edited: the scheduler moves the entry's other columns meanwhile.
            edited = {name: getattr(obj, name) for name in form.changed_data if name in EDITABLE}
            if edited:
                with transaction.atomic():
                    changes = {name: [form.initial.get(name), value] for name, value in edited.items()}
                    deeds.tell("periodictask.changed", target=str(obj), changes=changes, by=actor(request))
                    PeriodicTask.objects.filter(pk=obj.pk).update(**edited)
            return
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: PeriodicTask | None = None) -> bool:
        if obj is not None and job_of(obj) is not None:
            return False
        return bool(super().has_delete_permission(request, obj))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        deleted, counts, perms, protected = super().get_deleted_objects(objs, request)
        own = [f"{entry.name} {_KEPT}" for entry in objs if job_of(entry) is not None]
        # Told as protected, not as forbidden: no permission would help.
        return deleted, counts, set() if own else perms, [*protected, *own]

    # -- The stock actions -------------------------------------------------------------------------------------------

    def enable_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> Any:
        return self._switch(request, queryset, super().enable_tasks)

    def disable_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> Any:
        return self._switch(request, queryset, super().disable_tasks)

    def toggle_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> Any:
        return self._switch(request, queryset, super().toggle_tasks)

    def run_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> Any:
        allowed = self._allowed(request, queryset, "scheduler.run_job")
        of_jobs = Job.objects.filter(state__entry__in=allowed.filter(task=TASK))
        if of_jobs.exists():
            # At once, and in the name of whoever asks: a message would forget who it was.
            job_actions.perform(request, of_jobs, job_actions.run, done="Run asked for")
        others = allowed.exclude(task=TASK)
        if others.exists():
            super().run_tasks(request, others)

    for _action in (enable_tasks, disable_tasks, toggle_tasks, run_tasks):
        _stock = getattr(stock.PeriodicTaskAdmin, _action.__name__)
        _action.short_description = _stock.short_description  # type: ignore[attr-defined]
        _action.allowed_permissions = ["change"]  # type: ignore[attr-defined]

    def _switch(self, request: HttpRequest, queryset: QuerySet[PeriodicTask], act: Callable[..., Any]) -> Any:
        """Do one of the stock actions that write ``enabled`` past the model, and tell what it changed."""
        allowed = self._allowed(request, queryset, "scheduler.pause_job")
        with transaction.atomic():
            before = {
                entry.pk: entry.enabled for entry in allowed.order_by("pk").select_for_update(of=("self",))[:MOST]
            }
            answer = act(request, allowed)
            for entry in PeriodicTask.objects.filter(pk__in=before):
                if entry.enabled != before[entry.pk]:
                    changes = {"enabled": [before[entry.pk], entry.enabled]}
                    deeds.tell("periodictask.changed", target=str(entry), changes=changes, by=actor(request))
        return answer

    def _allowed(self, request: HttpRequest, queryset: QuerySet[PeriodicTask], permission: str) -> Any:
        """Leave out the entries of jobs where the user may not do to jobs what the action does to entries."""
        if request.user.has_perm(permission):
            return queryset
        if queryset.filter(task=TASK).exists():
            messages.warning(request, "The entries of jobs were left out: you may not do this to jobs.")
        return queryset.exclude(task=TASK)


def job_of(entry: PeriodicTask) -> Job | None:
    """Return the job whose entry this is, if any."""
    state = getattr(entry, "job_state", None)
    return None if state is None else state.job


class EntriesInline(TabularInline, stock.PeriodicTaskInline):
    """The entries that use a schedule."""

    fields = ("name", "task")
    readonly_fields = fields
    per_page = 20
    ordering = ("id",)


class ScheduleAdmin(ConsoleAdmin, stock.ScheduleAdmin):
    """What the stock schedules have in common."""

    inlines = (EntriesInline,)


@admin.register(ClockedSchedule)
class ClockedAdmin(ScheduleAdmin, stock.ClockedScheduleAdmin):
    """Single instants. That of a job's entry is the job's next fire: only the scheduler moves it."""

    inlines = (EntriesInline,)
    list_display = ("clocked_time", "used_by")
    ordering = ("id",)
    change_form_outer_before_template = "scheduler/admin/entry_before.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ClockedSchedule]:
        schedules: QuerySet[ClockedSchedule] = super().get_queryset(request)
        return schedules.prefetch_related("periodictask_set__job_state__job")

    @display(description="Used by")
    def used_by(self, schedule: ClockedSchedule) -> str:
        return ", ".join(entry.name for entry in schedule.periodictask_set.all()) or words.NOTHING

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        schedule = self.get_object(request, object_id) if object_id else None
        context = {"owner": owner_of(schedule) if schedule is not None else None, **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, context)  # type: ignore[no-any-return]

    def has_change_permission(self, request: HttpRequest, obj: ClockedSchedule | None = None) -> bool:
        return bool(super().has_change_permission(request, obj)) and (obj is None or owner_of(obj) is None)

    def has_delete_permission(self, request: HttpRequest, obj: ClockedSchedule | None = None) -> bool:
        return bool(super().has_delete_permission(request, obj)) and (obj is None or owner_of(obj) is None)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        deleted, counts, perms, protected = super().get_deleted_objects(objs, request)
        own = [f"{schedule} {_KEPT}" for schedule in objs if owner_of(schedule) is not None]
        return deleted, counts, set() if own else perms, [*protected, *own]


def owner_of(schedule: ClockedSchedule) -> Job | None:
    """Return the job whose next fire this instant is, if any."""
    for entry in schedule.periodictask_set.all():
        job = job_of(entry)
        if job is not None:
            return job
    return None


@admin.register(CrontabSchedule)
class CrontabAdmin(ScheduleAdmin, stock.CrontabScheduleAdmin):
    """Crontabs of the user's own entries."""

    form = CrontabForm


@admin.register(IntervalSchedule)
class IntervalAdmin(ScheduleAdmin, stock.IntervalScheduleAdmin):
    """Intervals of the user's own entries."""

    form = IntervalForm


@admin.register(SolarSchedule)
class SolarAdmin(ScheduleAdmin, stock.SolarScheduleAdmin):
    """Sunrises and sunsets of the user's own entries."""
