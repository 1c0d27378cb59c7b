"""Jobs in the order of their names by an index, built while jobs are created and edited."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("scheduler", "0024_console_words")]

    operations = [
        AddIndexConcurrently(model_name="job", index=models.Index(fields=["name"], name="job_name")),
    ]
