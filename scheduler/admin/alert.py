"""Rules for alerts and the incidents they found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget

from scheduler import clock, job_types
from scheduler.admin.base import ConsoleAdmin, ReadOnlyAdmin, actor
from scheduler.alerts import incidents
from scheduler.console import markup, words
from scheduler.models import AlertRule, Incident

# An action takes incidents in batches, and so many batches at most: it works inside one request.
BATCH = 1000
BATCHES = 20


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A rule; the kinds are those that are installed."""

    kind = forms.ChoiceField(required=False, choices=(), widget=UnfoldAdminSelectWidget)

    class Meta:
        model = AlertRule
        fields = (
            *("job", "kind", "condition", "runs", "percent", "seconds"),
            *("channels", "tell_recovery", "enabled", "snoozed_until"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = {item.kind: item.title for item in job_types.all_types()}
        # A rule of a kind that was uninstalled stays what it is.
        if self.instance.kind:
            kinds.setdefault(self.instance.kind, self.instance.kind)
        if "kind" in self.fields:
            self.fields["kind"].choices = [("", "any kind"), *kinds.items()]  # type: ignore[attr-defined]
            self.fields["kind"].help_text = "For a default: of the jobs of this kind alone."


@admin.register(AlertRule)
class AlertRuleAdmin(ConsoleAdmin):
    """Of each condition, a job's own rules hold, else those of its kind, else those of all jobs."""

    form = RuleForm
    list_display = ("words", "scope_shown", "goes_to", "tell_recovery", "enabled", "snoozed_until")
    list_filter = (("condition", ChoicesDropdownFilter), "enabled")
    list_select_related = ("job",)
    search_fields = ("job__name",)
    ordering = ("-id",)
    autocomplete_fields = ("job", "channels")
    fieldsets = (
        ("Whose runs", {"fields": ("job", "kind")}),
        ("What to tell", {"fields": ("condition", "runs", "percent", "seconds")}),
        ("Whom", {"fields": ("channels", "tell_recovery", "enabled", "snoozed_until")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AlertRule]:
        return AlertRule.objects.prefetch_related("channels")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        job = request.GET.get("job", "")
        return {"job": job} if job.isdecimal() and len(job) < 19 else {}

    def save_model(self, request: HttpRequest, obj: AlertRule, form: Any, change: bool) -> None:
        before = AlertRule.objects.filter(pk=obj.pk).values_list("snoozed_until", flat=True).first() if change else None
        super().save_model(request, obj, form, change)
        incidents.snooze_changed(obj, before=before)

    @display(description="When")
    def words(self, rule: AlertRule) -> str:
        return rule.words

    @display(description="Whose")
    def scope_shown(self, rule: AlertRule) -> str:
        return rule.scope

    @display(description="Channels")
    def goes_to(self, rule: AlertRule) -> str:
        return ", ".join(channel.name for channel in rule.channels.all()) or words.NOTHING


@admin.register(Incident)
class IncidentAdmin(ReadOnlyAdmin):
    """What is wrong now, and what was."""

    list_display = ("headline", "job", "state", "times", "began", "lasted", "told_at", "tell_at")
    list_filter = (("closed_at", admin.EmptyFieldListFilter), ("rule__condition", ChoicesDropdownFilter))
    list_select_related = ("rule", "job")
    search_fields = ("job__name",)
    ordering = ("-id",)
    actions = ("snooze_for_an_hour", "snooze_for_a_day", "close")
    fields = ("headline", "job", "rule", "state", "summary", "times", "opened_at", "last_seen_at", "closed_at") + (
        ("told_at", "tell_at", "deliveries")
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Incident]:
        return Incident.objects.select_related("rule", "job")

    @display(description="What")
    def headline(self, incident: Incident) -> str:
        return incident.summary.partition("\n")[0]

    @display(description="State")
    def state(self, incident: Incident) -> SafeString:
        return markup.mark("closed", "succeeded") if incident.closed_at else markup.mark("open", "failed")

    @display(description="Began")
    def began(self, incident: Incident) -> SafeString:
        return markup.ago(incident.opened_at)

    @display(description="Lasted")
    def lasted(self, incident: Incident) -> str:
        return words.duration((incident.closed_at or datetime.now(UTC)) - incident.opened_at)

    @display(description="Deliveries")
    def deliveries(self, incident: Incident) -> str:
        found = incident.deliveries.select_related("channel").order_by("id")[:50]
        told = [
            f"{item.purpose} to {item.channel.name if item.channel else words.NOTHING}: {item.get_state_display()}"
            for item in found
        ]
        return "; ".join(told) or words.NOTHING

    def has_tend_permission(self, request: HttpRequest) -> bool:
        """Whether the user may snooze and close incidents."""
        return request.user.has_perm("scheduler.change_incident")

    @action(description="Snooze for an hour", permissions=["tend"])
    def snooze_for_an_hour(self, request: HttpRequest, queryset: QuerySet[Incident]) -> None:
        self._snooze(request, queryset, timedelta(hours=1))

    @action(description="Snooze for a day", permissions=["tend"])
    def snooze_for_a_day(self, request: HttpRequest, queryset: QuerySet[Incident]) -> None:
        self._snooze(request, queryset, timedelta(days=1))

    @action(description="Close without a message", permissions=["tend"])
    def close(self, request: HttpRequest, queryset: QuerySet[Incident]) -> None:
        by = actor(request)
        closed = _in_batches(
            request, queryset, lambda some: incidents.close(some, why=f"closed by {by}", tell=False, by=by)
        )
        messages.success(request, f"{closed:,} closed.")

    def _snooze(self, request: HttpRequest, queryset: QuerySet[Incident], span: timedelta) -> None:
        until = clock.now() + span
        by = actor(request)
        snoozed = _in_batches(request, queryset, lambda some: incidents.snooze(some, until=until, by=by))
        messages.success(request, f"{snoozed:,} snoozed until {words.instant(until)}.")


def _in_batches(request: HttpRequest, queryset: QuerySet[Incident], act: Callable[[Sequence[Incident]], int]) -> int:
    """Do ``act`` to the chosen incidents, oldest first; return to how many. Says so where some are left."""
    done, last = 0, 0
    chosen = queryset.order_by("pk")
    for _ in range(BATCHES):
        some = list(chosen.filter(pk__gt=last)[:BATCH])
        done += act(some)
        if len(some) < BATCH:
            return done
        last = some[-1].pk
    if chosen.filter(pk__gt=last).exists():
        messages.warning(request, f"At most {BATCH * BATCHES:,} incidents at once: newer ones are left as they were.")
    return done
