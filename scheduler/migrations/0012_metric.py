"""Sums of what all processes count for monitoring: few rows, updated in place every few seconds."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0011_upkeep")]

    operations = [
        migrations.CreateModel(
            name="Metric",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=48)),
                (
                    "kind",
                    models.CharField(help_text="Kind of job; empty where the metric is of no kind.", max_length=32),
                ),
                (
                    "label",
                    models.CharField(help_text="Outcome or reason; empty where the metric has none.", max_length=16),
                ),
                ("value", models.FloatField()),
                (
                    "buckets",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        help_text="Counts by bucket, the last above all bounds.",
                        null=True,
                        size=None,
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("name", "kind", "label"), name="metric_series_unique")],
            },
        ),
        # Room for each row's next version beside it, so that no index entry moves.
        migrations.RunSQL(
            "ALTER TABLE scheduler_metric SET (fillfactor = 50)", "ALTER TABLE scheduler_metric RESET (fillfactor)"
        ),
    ]
