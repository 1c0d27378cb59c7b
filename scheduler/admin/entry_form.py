"""The form of a beat entry: the stock one in the console's theme, refusing what the database could not take."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django_celery_beat.admin import PeriodicTaskForm, TaskSelectWidget
from kombu.utils.json import loads
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from scheduler.console.json_text import read_object
from scheduler.definition import Definition, check
from scheduler.entries import TASK
from scheduler.exceptions import InvalidJob
from scheduler.history import storable_text

# What of a job's own entry acts on the job: the entry's name for it and the job's.
ON_JOB = {"queue": "queue", "priority": "priority", "expire_seconds": "expires_seconds", "headers": "headers"}
EDITABLE = ("enabled", *ON_JOB)
_LONGEST_TASK = 200


class ThemedTaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):
    """The stock list of registered tasks."""


class EntryForm(PeriodicTaskForm):
    """Fields that are read-only for an entry are not in the form at all."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "task" in self.fields:
            self.fields["task"].widget = UnfoldAdminTextInputWidget()
        if "regtask" in self.fields:
            self.fields["regtask"].widget = ThemedTaskSelect()
        self.is_of_job = self.instance.pk is not None and getattr(self.instance, "job_state", None) is not None
        if self.is_of_job:
            del self.fields["regtask"]

    def clean(self) -> dict[str, Any]:
        if self.is_of_job:
            # The stock check asks for fields that are read-only here; the core's knows what the job can take.
            data: dict[str, Any] = forms.ModelForm.clean(self) or {}
            self._check_job(data)
            return data
        if not self.cleaned_data.get("regtask") and not self.cleaned_data.get("task"):
            # The stock check trips over a task that was refused already.
            if "task" not in self.errors:
                self.add_error("task", "Need name of task")
            return forms.ModelForm.clean(self) or {}
        data = super().clean()
        if data.get("task") == TASK:
            self.add_error("task", "This task belongs to the entries of jobs, which are made with their job.")
        clocked = data.get("clocked")
        if clocked is not None and clocked.periodictask_set.filter(job_state__isnull=False).exists():
            self.add_error("clocked", "This instant is a job's next fire and moves with it. Add one of your own.")
        return data

    def _check_job(self, data: dict[str, Any]) -> None:
        """Ask the core whether the job of this entry can take what was edited."""
        if self.errors:
            return
        job = self.instance.job_state.job
        edited = {field: data[name] for name, field in ON_JOB.items() if name in data}
        if "queue" in edited:
            edited["queue"] = edited["queue"] or ""
        if "headers" in edited:
            edited["headers"] = json.loads(edited["headers"])
        if edited.get("priority", 0) is None:
            edited["priority"] = Definition.priority
        try:
            before = Definition.of(job)
            check(job.kind, replace(before, **edited), before=before)
        except InvalidJob as refusal:
            field = next((name for name, on_job in ON_JOB.items() if on_job == refusal.field), None)
            self.add_error(field if field in self.fields else None, refusal.problem)

    def clean_regtask(self) -> str:
        task: str = self.cleaned_data["regtask"]
        if len(task) > _LONGEST_TASK or storable_text(task) != task:
            raise ValidationError("No task can have this name.")
        return task

    def _clean_json(self, field: str) -> str:
        """Return the text of a field that the beat can decode. Raises ``ValidationError``."""
        text: str = self.cleaned_data[field]
        try:
            loads(text)  # type: ignore[no-untyped-call]
        except Exception as error:
            # A value may name a type of celery's own to be decoded to, and a decoder may raise anything.
            raise ValidationError(f"This is no JSON that Celery can decode: {str(error)[:200]}") from None
        return text

    def clean_headers(self) -> str:
        self.cleaned_data["headers"] = self.cleaned_data["headers"] or "{}"
        text = self._clean_json("headers")
        read_object(text)
        return text

    def clean_expire_seconds(self) -> int | None:
        seconds: int | None = self.cleaned_data["expire_seconds"]
        if seconds is not None and seconds > 2**31 - 1:
            raise ValidationError("At most 2147483647 seconds.")
        return seconds
