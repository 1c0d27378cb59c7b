"""For long backlogs and long histories: the line before a full limit, every row of a job by one index.

Built without holding up runs that begin and end. The index over a job's numbers covers the rows without one too from
now on (a null equals no other), so that all rows of a job are found by it.
"""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("scheduler", "0006_calendar")]

    operations = [
        migrations.AddField(
            model_name="execution",
            name="in_line",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Queued above its concurrency limit, until a run with its key ends.",
            ),
        ),
        AddIndexConcurrently(
            model_name="execution",
            index=models.Index(
                condition=models.Q(("in_line", True), ("status", 0)),
                fields=["concurrency_key", "priority", "id"],
                name="execution_in_line",
            ),
        ),
        RemoveIndexConcurrently(model_name="execution", name="execution_waiting"),
        AddIndexConcurrently(
            model_name="execution",
            index=models.Index(
                condition=models.Q(("ready_at__isnull", True), ("status", 0)),
                fields=["job", "number"],
                name="execution_held",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "CREATE UNIQUE INDEX CONCURRENTLY execution_job_number ON scheduler_execution (job_id, number)",
                    "DROP INDEX CONCURRENTLY IF EXISTS execution_job_number",
                ),
                migrations.RunSQL(
                    "ALTER TABLE scheduler_execution"
                    " ADD CONSTRAINT execution_job_number UNIQUE USING INDEX execution_job_number",
                    "ALTER TABLE scheduler_execution DROP CONSTRAINT execution_job_number",
                ),
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY execution_number_unique",
                    "CREATE UNIQUE INDEX CONCURRENTLY execution_number_unique"
                    " ON scheduler_execution (job_id, number) WHERE number IS NOT NULL",
                ),
            ],
            state_operations=[
                migrations.RemoveConstraint(model_name="execution", name="execution_number_unique"),
                migrations.AddConstraint(
                    model_name="execution",
                    constraint=models.UniqueConstraint(fields=("job", "number"), name="execution_job_number"),
                ),
            ],
        ),
    ]
