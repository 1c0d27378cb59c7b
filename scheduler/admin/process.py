"""Beats and workers: who is alive, and on which queues."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from scheduler.admin.base import ReadOnlyAdmin
from scheduler.console import markup, words
from scheduler.models import Process
from scheduler.models.process import ALIVE_WITHIN


@admin.register(Process)
class ProcessAdmin(ReadOnlyAdmin):
    """Processes sign their row every few seconds and remove it when they stop cleanly."""

    list_display = ("name", "kind", "alive", "queue_names", "slots", "up", "signed")
    list_filter = (("kind", ChoicesDropdownFilter),)
    ordering = ("kind", "-beat_at")
    fields = ("name", "kind", "alive", "hostname", "pid", "queue_names", "slots", "up", "signed", "details")
    readonly_fields = fields

    @display(description="Alive")
    def alive(self, process: Process) -> SafeString:
        silent = datetime.now(UTC) - process.beat_at
        if silent < ALIVE_WITHIN:
            return markup.mark("alive", "succeeded")
        return markup.mark(f"silent for {words.duration(silent)}", "failed")

    @display(description="Queues")
    def queue_names(self, process: Process) -> str:
        return ", ".join(process.queues) or words.NOTHING

    @display(description="Started")
    def up(self, process: Process) -> SafeString:
        return markup.ago(process.started_at)

    @display(description="Last sign of life")
    def signed(self, process: Process) -> SafeString:
        return markup.ago(process.beat_at)

    @display(description="Details")
    def details(self, process: Process) -> SafeString:
        return markup.code(process.info)
