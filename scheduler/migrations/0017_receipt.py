"""Receipts of signed messages, so that a copy of one is refused."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0016_entry_edits")]

    operations = [
        migrations.CreateModel(
            name="Receipt",
            fields=[
                ("nonce", models.CharField(max_length=32, primary_key=True, serialize=False)),
                (
                    "until",
                    models.DateTimeField(
                        db_index=True, help_text="When the message would be too old, and this is forgotten."
                    ),
                ),
                ("closed", models.BooleanField()),
            ],
            options={"default_permissions": ()},
        ),
    ]
