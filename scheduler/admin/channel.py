"""Channels, what was sent to them, and the ping URLs of jobs. Addresses are typed in and never come back out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminPasswordWidget

from scheduler import deeds
from scheduler.admin.base import ConsoleAdmin, ReadOnlyAdmin, actor
from scheduler.alerts import channels, deliveries, pings
from scheduler.alerts.channels import BadChannel
from scheduler.alerts.pings import PingFailed
from scheduler.console import markup, words
from scheduler.models import Channel, Delivery, Ping
from scheduler.secret import MASK, Secret, UnreadableSecret

_KEPT = "Stored encrypted and never shown. Left empty, what is stored stays."
_TONES = {Delivery.State.WAITING: "queued", Delivery.State.SENT: "succeeded", Delivery.State.FAILED: "failed"}


class SecretUrlForm(forms.ModelForm):  # type: ignore[type-arg]
    """A row with an address that is kept as a secret."""

    address = forms.CharField(required=False, max_length=channels.LONGEST_URL, widget=UnfoldAdminPasswordWidget)

    def clean_address(self) -> str:
        """Refuse an address that cannot be called, and none at all for a new row."""
        typed: str = self.cleaned_data["address"].strip()
        if not typed and self.instance._state.adding:
            raise ValidationError("This field is required.")
        if typed:
            try:
                self.check_address(typed)
            except (BadChannel, PingFailed) as refusal:
                raise ValidationError(f"It cannot be used: {refusal}.") from None
        return typed

    def check_address(self, typed: str) -> None:
        """Raise ``BadChannel`` or ``PingFailed`` unless ``typed`` can be called."""
        channels.check(typed)

    def save(self, commit: bool = True) -> Any:
        if self.cleaned_data["address"]:
            self.instance.url = Secret.of(self.cleaned_data["address"])
        return super().save(commit)


class ChannelForm(SecretUrlForm):
    class Meta:
        model = Channel
        fields = ("name", "enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["address"].help_text = (
            f"An Apprise URL, such as mailto://user:password@mail.example.com?to=ops@example.com, slack://…, or"
            f" jsons://host/path for a webhook. {_KEPT}"
        )


class PingForm(SecretUrlForm):
    class Meta:
        model = Ping
        fields = ("job", "tell_failure")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["address"].help_text = f"Called after each run that succeeded. {_KEPT}"

    def check_address(self, typed: str) -> None:
        pings.check(typed)


@admin.register(Channel)
class ChannelAdmin(ConsoleAdmin):
    """Where alerts go."""

    form = ChannelForm
    fields = ("name", "address", "shown", "enabled")
    readonly_fields = ("shown",)
    list_display = ("name", "shown", "enabled", "last")
    search_fields = ("name",)
    ordering = ("name",)
    actions = ("send_test",)
    actions_submit_line = ("save_and_test",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        newest = Delivery.objects.filter(channel=OuterRef("pk")).order_by("-id").values("state")[:1]
        return Channel.objects.annotate(last_state=Subquery(newest))

    @display(description="Stored address")
    def shown(self, channel: Channel) -> str:
        if channel.pk is None:
            return words.NOTHING
        try:
            return channels.masked(channel.url.reveal())
        except UnreadableSecret:
            return MASK

    @display(description="Last delivery")
    def last(self, channel: Channel) -> SafeString | str:
        state: int | None = getattr(channel, "last_state", None)
        return words.NOTHING if state is None else _state(state)

    def has_test_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Whether the user may send a test message."""
        return request.user.has_perm("scheduler.test_channel")

    @action(description="Send a test message", permissions=["test"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[Channel]) -> None:
        for channel in queryset[: deliveries.BATCH]:
            self._test(request, channel)

    @action(description="Save and send a test message", permissions=["test"])
    def save_and_test(self, request: HttpRequest, obj: Channel) -> None:
        self._test(request, obj)

    def _test(self, request: HttpRequest, channel: Channel) -> None:
        if channel.enabled:
            deliveries.test(channel)
            deeds.tell("channel.tested", target=str(channel), by=actor(request))
            messages.info(request, f"A message to {channel.name} is on its way; the deliveries tell what became of it.")
        else:
            messages.error(request, f"{channel.name} is switched off.")


@admin.register(Ping)
class PingAdmin(ConsoleAdmin):
    """One URL a job."""

    form = PingForm
    fields = ("job", "address", "tell_failure", "called", "last_problem")
    readonly_fields = ("called", "last_problem")
    list_display = ("job", "tell_failure", "called", "last_problem")
    list_select_related = ("job",)
    search_fields = ("job__name",)
    ordering = ("job_id",)
    autocomplete_fields = ("job",)

    def get_readonly_fields(self, request: HttpRequest, obj: Ping | None = None) -> tuple[str, ...]:
        return ("called", "last_problem") if obj is None else ("job", "called", "last_problem")

    @display(description="Called last")
    def called(self, ping: Ping) -> SafeString | str:
        return words.NOTHING if ping.last_at is None else markup.ago(ping.last_at)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """What was sent, and what could not be."""

    list_display = ("title", "purpose", "goal", "outcome", "attempts", "problem", "made")
    list_filter = (("state", ChoicesDropdownFilter), ("purpose", ChoicesDropdownFilter))
    list_select_related = ("channel", "ping__job")
    search_fields = ("title", "channel__name")
    ordering = ("-id",)
    fields = ("title", "body", "purpose", "goal", "outcome", "attempts", "problem", "made", "ended_at")
    readonly_fields = fields

    @display(description="To")
    def goal(self, delivery: Delivery) -> str:
        if delivery.channel is not None:
            return delivery.channel.name
        return f"ping of {delivery.ping.job.name}" if delivery.ping is not None else words.NOTHING

    @display(description="Outcome")
    def outcome(self, delivery: Delivery) -> SafeString:
        return _state(delivery.state)

    @display(description="Made")
    def made(self, delivery: Delivery) -> SafeString:
        return markup.ago(delivery.created_at)


def _state(value: int) -> SafeString:
    state = Delivery.State(value)
    return markup.mark(state.label, _TONES[state])
