"""The form of a calendar. The core decides whether it is valid; its refusals become errors of the fields."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from scheduler.calendars import countries, ical, store
from scheduler.calendars.days import WEEKDAYS
from scheduler.exceptions import InvalidCalendar
from scheduler.history import storable_text
from scheduler.models import Calendar

_DATES_HELP = (
    "One a line, with a name behind it where you like: 2027-05-14 Outing, 12-24 for every year, and ranges as"
    " 2027-12-24..2027-12-31 or 12-24..01-01."
)


class CalendarForm(forms.ModelForm):  # type: ignore[type-arg]
    """Writes a calendar as the last step of its validation. ``by`` is set on a subclass for each request."""

    by: str

    country = forms.ChoiceField(required=False, choices=(), widget=UnfoldAdminSelectWidget)
    subdivision = forms.CharField(
        required=False,
        max_length=32,
        widget=UnfoldAdminTextInputWidget,
        help_text="The code of a state, canton or region, such as BY of Germany. Empty: the whole country's holidays.",
    )
    weekdays = forms.TypedMultipleChoiceField(
        required=False, coerce=int, choices=list(enumerate(WEEKDAYS)), widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    dates = forms.CharField(
        label="Days",
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "class": "c-code", "spellcheck": "false"}),
        help_text=_DATES_HELP,
    )
    upload = forms.FileField(
        label="iCal file",
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".ics,text/calendar"}),
        help_text=f"Events of up to {ical.LONGEST_FILE >> 10} KiB, repeated ones too. Replaces the file of before.",
    )
    without_file = forms.BooleanField(label="Remove the iCal file", required=False, widget=UnfoldBooleanWidget)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Calendar
        fields = ("name", "description", "country", "subdivision", "weekdays", "dates")
        widgets = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.exists = self.instance.pk is not None
        if "country" in self.fields:
            named = [(code, f"{name} ({code})") for code, name in countries.countries().items()]
            self.fields["country"].choices = [("", "none"), *named]  # type: ignore[attr-defined]
        self.initial["version"] = self.instance.version if self.exists else None
        if self.instance.ical and "upload" in self.fields:
            until = self.instance.events.get("until")
            self.fields["upload"].help_text += f" Now: {self.instance.ical_name}, worked out up to {until}."
        elif "without_file" in self.fields:
            del self.fields["without_file"]

    def clean_subdivision(self) -> str:
        return str(self.cleaned_data["subdivision"]).strip()

    def clean_upload(self) -> str | None:
        """Return the text of the file, None where none was uploaded."""
        upload = self.cleaned_data["upload"]
        if upload is None:
            return None
        if upload.size > ical.LONGEST_FILE:
            raise ValidationError(f"The file has more than {ical.LONGEST_FILE >> 10} KiB.")
        self.upload_name = storable_text(str(upload.name))[:255]
        try:
            return str(upload.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise ValidationError("The file is not text in UTF-8.") from None

    def clean_version(self) -> int | None:
        version: int | None = self.cleaned_data["version"]
        if self.exists and version is not None:
            stored = Calendar.objects.filter(pk=self.instance.pk).values("version", "updated_by").first()
            if stored is not None and stored["version"] != version:
                raise ValidationError(
                    f"The calendar was changed by {stored['updated_by']} meanwhile. Load the page anew."
                )
        return version

    def rules(self) -> store.Rules:
        """Return what the fields, which are in order, make of the calendar."""
        data = self.cleaned_data
        text, name = self.instance.ical, self.instance.ical_name
        if data.get("without_file"):
            text, name = "", ""
        if data["upload"] is not None:
            text, name = data["upload"], self.upload_name
        plain = {field: data[field] for field in ("name", "description", "country", "subdivision", "weekdays", "dates")}
        return store.Rules(**plain, ical=text, ical_name=name)

    def _post_clean(self) -> None:
        """Write the calendar where the fields are in order. Not the model's own validation: the core's says why."""
        if self.errors:
            return
        try:
            self.instance = store.save(self.instance if self.exists else None, self.rules(), by=self.by)
        except InvalidCalendar as refusal:
            field = {"ical": "upload", "ical_name": "upload"}.get(refusal.field, refusal.field)
            text = refusal.problem[:1].upper() + refusal.problem[1:]
            self.add_error(field if field in self.fields else None, text)

    def save(self, commit: bool = True) -> Calendar:
        """Return the calendar: it is written already."""
        return self.instance  # type: ignore[no-any-return]

    def save_m2m(self) -> None:
        """Nothing: a calendar has no many-to-many relation."""


class PreviewForm(CalendarForm):
    """Looks at what is typed and writes nothing."""

    name = forms.CharField(required=False)

    def _post_clean(self) -> None:
        """Check what can be checked without the database."""
        if self.errors:
            return
        try:
            self.looked_at = self.rules()
            countries.check(self.looked_at.country, self.looked_at.subdivision)
        except InvalidCalendar as refusal:
            self.add_error(None, refusal.problem)
