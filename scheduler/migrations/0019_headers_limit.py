"""Headers on a job's own beat entry that are larger than a job may have are not taken over.

As in 0016, but for that. Replacing the function takes no lock that anybody would notice. Jobs that have larger ones
keep them: their messages go without what would make them too large.
"""

from importlib import import_module

from django.db import migrations, models

_BEFORE: str = import_module("scheduler.migrations.0016_entry_edits").FORWARD
_CHOSEN = "END\n      INTO valid_queue, valid_expiry FROM scheduler_job WHERE id = owner;"
# In UTF-8, as ``scheduler.definition.HEADERS_LIMIT_BYTES``.
FORWARD = _BEFORE.replace(
    _CHOSEN,
    _CHOSEN.replace("END\n", "END,\n           CASE WHEN octet_length(wanted::text) > 2048 THEN headers ELSE wanted END\n").replace(
        "valid_expiry", "valid_expiry, wanted"
    ),
)


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0017_receipt")]

    operations = [
        migrations.RunSQL(FORWARD, _BEFORE),
        migrations.AlterField(
            model_name="job",
            name="headers",
            field=models.JSONField(
                blank=True, default=dict, help_text="Extra headers of the Celery message, 2048 bytes at most."
            ),
        ),
    ]
