"""An index over the few rows that stand for several instants, made without holding up runs that begin and end."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("scheduler", "0003_limit")]

    operations = [
        AddIndexConcurrently(
            model_name="execution",
            index=models.Index(
                condition=models.Q(("until__isnull", False)), fields=["job", "until"], name="execution_spans"
            ),
        ),
    ]
