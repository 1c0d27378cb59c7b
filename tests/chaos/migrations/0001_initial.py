from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Effect",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("job_id", models.BigIntegerField(help_text="Its executions are gone when the job was deleted.")),
                ("execution_id", models.BigIntegerField(db_index=True)),
                ("attempt", models.IntegerField()),
                ("token", models.BigIntegerField()),
                ("pid", models.IntegerField()),
                ("began_at", models.DateTimeField(db_default=Now())),
                ("done_at", models.DateTimeField(null=True)),
            ],
        ),
    ]
