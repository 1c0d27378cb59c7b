"""The log of edits: who did what to a job, and when."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from scheduler.admin.base import ReadOnlyAdmin
from scheduler.admin.filters import InstantRangeFilter, JobKeyFilter
from scheduler.console import markup, words
from scheduler.models import JobChange


@admin.register(JobChange)
class JobChangeAdmin(ReadOnlyAdmin):
    """Append-only, newest first; outlives the jobs."""

    ordering = ("-id",)
    list_display = ("when", "who", "what", "job_link", "fields_changed")
    list_filter = (JobKeyFilter, ("verb", ChoicesDropdownFilter), ("at", InstantRangeFilter))
    list_display_links = ("when",)
    fields = ("when", "who", "what", "job_link", "in_the_logs", "before_and_after")
    readonly_fields = fields

    @display(description="When")
    def when(self, change: JobChange) -> SafeString:
        return markup.instant(change.at)

    @display(description="By")
    def who(self, change: JobChange) -> str:
        return change.by

    @display(description="What")
    def what(self, change: JobChange) -> str:
        return change.get_verb_display()

    @display(description="Job")
    def job_link(self, change: JobChange) -> str | SafeString:
        name = f"{change.kind} {change.number}"
        if change.verb == JobChange.Verb.DELETED:
            return format_html(
                '{} <a href="{}">look up</a>', name, reverse("admin:scheduler_job_why", args=[change.job_id])
            )
        return format_html('<a href="{}">{}</a>', reverse("admin:scheduler_job_change", args=[change.job_id]), name)

    @display(description="Changed")
    def fields_changed(self, change: JobChange) -> str:
        return ", ".join(change.changes)

    @display(description="In the logs")
    def in_the_logs(self, change: JobChange) -> str:
        return change.request_id or words.NOTHING

    @display(description="Before and after")
    def before_and_after(self, change: JobChange) -> SafeString:
        return markup.change_table(change.changes)
