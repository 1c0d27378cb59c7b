"""What deleted jobs left, and dates after a change of retention: done in batches, so noted in tables."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0010_backlog")]

    operations = [
        migrations.CreateModel(
            name="Removal",
            fields=[
                (
                    "job_id",
                    models.BigIntegerField(
                        help_text="Primary key that the job had.", primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name="RetentionChange",
            fields=[
                (
                    "job",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="scheduler.job",
                    ),
                ),
                ("stage", models.PositiveSmallIntegerField(default=0)),
                ("after_number", models.BigIntegerField(null=True)),
                ("after_instant", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AlterField(
            model_name="execution",
            name="job",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="executions",
                to="scheduler.job",
            ),
        ),
    ]
