"""The console's words for pausing and resuming."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0023_tally")]

    operations = [
        migrations.AlterModelOptions(
            name="job",
            options={
                "ordering": ["kind", "number"],
                "permissions": [("run_job", "Can run a job now"), ("pause_job", "Can pause and resume a job")],
            },
        ),
        migrations.AlterField(
            model_name="jobchange",
            name="verb",
            field=models.CharField(
                choices=[
                    ("created", "Created"),
                    ("updated", "Updated"),
                    ("activated", "Resumed"),
                    ("deactivated", "Paused"),
                    ("deleted", "Deleted"),
                ],
                max_length=16,
            ),
        ),
    ]
