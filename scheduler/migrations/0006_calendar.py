"""Calendars of days on which jobs do not run, and the calendars of each job: none costs its row nothing."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0005_notice")]

    operations = [
        migrations.CreateModel(
            name="Calendar",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, unique=True)),
                ("description", models.TextField(blank=True, default="", max_length=2000)),
                (
                    "country",
                    models.CharField(blank=True, default="", help_text="ISO 3166 code; empty for none.", max_length=2),
                ),
                (
                    "subdivision",
                    models.CharField(blank=True, default="", help_text="A part of the country.", max_length=32),
                ),
                (
                    "weekdays",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(),
                        blank=True,
                        default=list,
                        help_text="0 is Monday.",
                        size=None,
                    ),
                ),
                (
                    "dates",
                    models.TextField(
                        blank=True, default="", help_text="Days as somebody typed them, one or a range a line."
                    ),
                ),
                ("ical", models.TextField(blank=True, default="", help_text="The uploaded iCal file.")),
                ("ical_name", models.CharField(blank=True, default="", max_length=255)),
                (
                    "events",
                    models.JSONField(
                        blank=True, default=dict, help_text="The file's events, worked out up to a horizon."
                    ),
                ),
                (
                    "version",
                    models.PositiveIntegerField(default=1, editable=False, help_text="Grows with every edit."),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("updated_by", models.CharField(editable=False, max_length=254)),
            ],
            options={"ordering": ["name"]},
        ),
        migrations.AddConstraint(
            model_name="calendar",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="calendar_name_not_empty"
            ),
        ),
        migrations.AddField(
            model_name="job",
            name="calendars",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                blank=True,
                help_text="Calendars on whose days it does not run.",
                null=True,
                size=None,
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=django.contrib.postgres.indexes.GinIndex(
                condition=models.Q(("calendars__isnull", False)), fields=["calendars"], name="job_calendars"
            ),
        ),
    ]
