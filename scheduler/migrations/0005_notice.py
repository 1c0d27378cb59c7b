"""The outbox of ended runs."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0004_spans")]

    operations = [
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("execution_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("due_at", models.DateTimeField(db_default=Now(), help_text="When a beat may take it (again).")),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, help_text="How often a beat has taken it.")),
                ("seen", models.BooleanField(db_default=False, help_text="The rules for alerts have looked at it.")),
            ],
            options={"indexes": [models.Index(fields=["due_at"], name="notice_due")]},
        ),
    ]
