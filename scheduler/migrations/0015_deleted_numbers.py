"""Numbers of deleted jobs, found by index: none is given to another job. Built without holding anybody up."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("scheduler", "0014_request_id")]

    operations = [
        AddIndexConcurrently(
            model_name="jobchange",
            index=models.Index(
                condition=models.Q(("verb", "deleted")), fields=["kind", "number"], name="jobchange_deleted"
            ),
        ),
    ]
