"""The id of the request that asked for a run or an edit; null, and of no weight, for what the clock does."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0013_alerts")]

    operations = [
        migrations.AddField(
            model_name="execution",
            name="request_id",
            field=models.CharField(max_length=64, null=True),
        ),
        migrations.AddField(
            model_name="jobchange",
            name="request_id",
            field=models.CharField(max_length=64, null=True),
        ),
    ]
