"""How deleted runs ended, by job and day."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0021_alert_not_run")]

    operations = [
        migrations.CreateModel(
            name="JobDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(db_index=True)),
                ("succeeded", models.PositiveIntegerField()),
                ("warned", models.PositiveIntegerField()),
                ("failed", models.PositiveIntegerField()),
                ("cancelled", models.PositiveIntegerField()),
                (
                    "job",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="scheduler.job",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("job", "day"), name="jobday_unique")],
            },
        ),
    ]
