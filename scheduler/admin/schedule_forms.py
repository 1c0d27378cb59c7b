"""The forms of the stock schedules: what the beat could not read is refused where it is typed."""

from __future__ import annotations

from typing import Any

from celery import schedules
from django import forms
from django.core.exceptions import ValidationError
from django_celery_beat.models import CrontabSchedule, IntervalSchedule

CRON_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


class CrontabForm(forms.ModelForm):  # type: ignore[type-arg]
    """Reads each field as celery will: the model's own validators know another dialect."""

    class Meta:
        model = CrontabSchedule
        fields = (*CRON_FIELDS, "timezone")

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        for name in CRON_FIELDS:
            if name not in data:
                continue
            try:
                schedules.crontab(**{name: data[name]})
            except (schedules.ParseException, ValueError) as error:
                self.add_error(name, ValidationError(f"Celery cannot read this: {error}"))
        return data


class IntervalForm(forms.ModelForm):  # type: ignore[type-arg]
    """Takes what fits into a duration."""

    class Meta:
        model = IntervalSchedule
        fields = ("every", "period")

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if "every" in data and "period" in data:
            try:
                IntervalSchedule(every=data["every"], period=data["period"]).schedule  # noqa: B018 - whether it is one
            except OverflowError:
                self.add_error("every", ValidationError("That is longer than a duration can be."))
        return data
