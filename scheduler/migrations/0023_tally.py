"""What became of the executions of the last day, by blocks of their ids."""

import django.contrib.postgres.fields
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0018_pauses")]

    operations = [
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("block", models.BigIntegerField()),
                ("slot", models.DateTimeField(help_text="When the slot begins.")),
                (
                    "counts",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(),
                        help_text="How many there are of each status, by its number.",
                        size=None,
                    ),
                ),
                (
                    "lateness",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(),
                        help_text="First starts of scheduled runs by their lateness.",
                        size=None,
                    ),
                ),
                (
                    "failures",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        help_text="Ids of the newest failed runs, newest first.",
                        size=None,
                    ),
                ),
                (
                    "settled",
                    models.BooleanField(help_text="None of the block's runs is open, and none can be missing."),
                ),
                ("counted_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "verbose_name_plural": "tallies",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("block", "slot"), name="tally_unique")],
            },
        ),
    ]
