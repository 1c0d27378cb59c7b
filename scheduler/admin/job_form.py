"""The form of a job. The core decides whether it is valid, by writing it; its refusals become errors of the fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from unfold.widgets import (
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from scheduler import job_types, jobs
from scheduler.admin.widgets import ArgumentsWidget, ExpressionWidget, ZoneWidget
from scheduler.console import words
from scheduler.console.json_text import read_object
from scheduler.console.masking import unmask
from scheduler.definition import Definition
from scheduler.exceptions import InvalidJob, JobNotFound, NameTaken, NumberTaken, SchedulerError, UnknownJobType
from scheduler.models import Calendar, Job
from scheduler.schedule import Schedule

SCHEDULE_FIELDS = ("expression", "zone", "run_at", "starts_at", "ends_at")
PLAIN_FIELDS = (
    "name", "description", "active", "misfire", "misfire_grace_seconds", "overlap", "timeout_seconds", "max_retries",
    "retry_delay_seconds", "retry_max_delay_seconds", "priority", "queue", "expires_seconds", "headers",
    "concurrency_key", "history_strategy", "retention_days", "calendars",
)  # fmt: skip


class HeadersField(forms.JSONField):
    """An object, shown again as it was typed: written anew it could hold what no page can be encoded with."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value not in self.empty_values:
            return read_object(value)
        return super().to_python(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        return initial if self.disabled or data is None else InvalidJSONInput(data)


class JobForm(forms.ModelForm):  # type: ignore[type-arg]
    """Creates or updates a job as the last step of its validation, inside the transaction of the admin's view.

    ``by``, ``may_pause`` and ``source`` (the job that a new one is a copy of) are set on a subclass for each request.
    """

    by: str
    may_pause: bool
    source: Job | None

    kind = forms.ChoiceField(choices=(), widget=UnfoldAdminSelectWidget)
    number = forms.IntegerField(
        label="Id",
        required=False,
        min_value=1,
        max_value=2**63 - 1,
        widget=UnfoldAdminTextInputWidget,
        help_text="The id that clients see. Empty: the next free one.",
    )
    arguments = forms.CharField(
        label="Arguments",
        widget=ArgumentsWidget(),
        max_length=1_000_000,
        help_text="JSON. Secrets are shown masked; what stays masked keeps its value.",
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    calendars = forms.ModelMultipleChoiceField(
        # Without the files, which may be large.
        Calendar.objects.only("name"),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget,
        help_text="On the days of these calendars it does not run; what is due then is recorded as skipped.",
    )

    class Meta:
        model = Job
        fields = (*PLAIN_FIELDS, *SCHEDULE_FIELDS)
        field_classes = {"headers": HeadersField}
        widgets = {
            "expression": ExpressionWidget(),
            "zone": ZoneWidget(),
            "description": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.exists = self.instance.pk is not None
        if self.exists:
            del self.fields["kind"], self.fields["number"]
            self._show_stored()
        else:
            self.fields["kind"].choices = [  # type: ignore[attr-defined]
                (job_type.kind, job_type.title) for job_type in job_types.all_types()
            ]
            self.initial.setdefault("arguments", "{}")
        if not self.may_pause and "active" in self.fields:
            self.fields["active"].disabled = True
            self.fields["active"].help_text = "You may not pause or resume jobs."

    def _show_stored(self) -> None:
        self.shown = words.shown_arguments(self.instance)
        self.initial["version"] = self.instance.version
        self.fields["arguments"].widget.kind = self.instance.kind
        if self.shown is None:
            self.fields["arguments"].disabled = True
            self.fields["arguments"].help_text = "No installed application knows this kind of job."
            self.initial["arguments"] = "{}"
        else:
            self.initial["arguments"] = words.pretty(self.shown)
        if self.instance.schedule_text:
            self.fields["expression"].help_text += f" Its author wrote {self.instance.schedule_text!r}."

    def clean_arguments(self) -> dict[str, Any]:
        return read_object(self.cleaned_data["arguments"])

    def clean_headers(self) -> dict[str, Any]:
        return self.cleaned_data["headers"] or {}

    def clean_queue(self) -> str:
        return self.cleaned_data["queue"] or ""

    def clean_concurrency_key(self) -> str:
        return self.cleaned_data["concurrency_key"] or ""

    def clean_calendars(self) -> tuple[int, ...]:
        return tuple(sorted(calendar.pk for calendar in self.cleaned_data["calendars"]))

    def clean_version(self) -> int | None:
        version: int | None = self.cleaned_data["version"]
        if self.exists and version is not None:
            stored = Job.objects.filter(pk=self.instance.pk).values("version", "updated_by").first()
            if stored is not None and stored["version"] != version:
                raise ValidationError(f"The job was changed by {stored['updated_by']} meanwhile. Load the page anew.")
        return version

    def _post_clean(self) -> None:
        """Write the job where the fields are in order. Not the model's own validation: the core's says why."""
        if self.errors:
            return
        try:
            self.instance = self._update() if self.exists else self._create()
        except (InvalidJob, NameTaken, NumberTaken, UnknownJobType, JobNotFound) as refusal:
            self._refuse(refusal)

    def _refuse(self, refusal: SchedulerError) -> None:
        named = {NameTaken: "name", NumberTaken: "number", UnknownJobType: "kind"}.get(type(refusal))
        field = refusal.field if isinstance(refusal, InvalidJob) else named
        text = refusal.problem if isinstance(refusal, InvalidJob) else str(refusal)
        if field not in self.fields:
            # A job type names its own fields inside the arguments.
            text, field = (f"{field}: {text}", "arguments") if isinstance(refusal, InvalidJob) else (text, None)
        self.add_error(field, text[:1].upper() + text[1:])

    def _create(self) -> Job:
        data = self.cleaned_data
        arguments = data["arguments"]
        if self.source is not None and self.source.kind == data["kind"]:
            shown = words.shown_arguments(self.source)
            arguments = unmask(arguments, shown=shown, stored=self.source.arguments)
        schedule = {name: data[name] or None for name in SCHEDULE_FIELDS}
        definition = Definition(
            schedule=Schedule(**{**schedule, "zone": data["zone"]}),
            arguments=arguments,
            **{name: data[name] for name in PLAIN_FIELDS if name in data},
        )
        return jobs.create(data["kind"], definition, by=self.by, number=data["number"])

    def _update(self) -> Job:
        stored = Job.objects.get(pk=self.instance.pk)
        before = Definition.of(stored)
        changes = {name: self.cleaned_data[name] for name in PLAIN_FIELDS if name in self.changed_data}
        edited: dict[str, Any] = {
            name: self.cleaned_data[name] or None for name in SCHEDULE_FIELDS if name in self.changed_data
        }
        if edited:
            # An expression written here is meant as it stands; the author's own wording goes with the old one.
            if "expression" in edited:
                edited["text"] = None
            changes["schedule"] = replace(before.schedule, **edited)
        if "arguments" in self.changed_data:
            changes["arguments"] = unmask(self.cleaned_data["arguments"], shown=self.shown, stored=stored.arguments)
        changes = {name: value for name, value in changes.items() if value != getattr(before, name)}
        return jobs.update(stored, changes, by=self.by) if changes else stored

    def save(self, commit: bool = True) -> Job:
        """Return the job: it is written already."""
        return self.instance  # type: ignore[no-any-return]

    def save_m2m(self) -> None:
        """Nothing: a job has no many-to-many relation."""
