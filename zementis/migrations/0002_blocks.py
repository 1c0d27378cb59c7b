from django.db import migrations, models
import django.db.models.deletion
from django.db.models import F, Q

# A block may stand only while it holds all rows of its range. Whoever changes rows takes a lock shared and removes the
# blocks around; who makes a block takes it alone, or goes away. So a block is made either from rows that include the
# change, or before the change removes it. 256 locks serve all devices: a lock each could be more than PostgreSQL has.
_CHANGED = """
CREATE FUNCTION zementis_measurements_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(748107, c.bucket)
       FROM (SELECT DISTINCT (device_id % 256)::int AS bucket FROM changed ORDER BY 1) c;
    DELETE FROM zementis_measurementblock b
     USING (SELECT device_id, layout_id, min(time) AS first, max(time) AS last FROM changed GROUP BY 1, 2) c
     WHERE b.device_id = c.device_id AND b.layout_id = c.layout_id AND b.last_time >= c.first AND b.first_time <= c.last
       AND (TG_OP = 'DELETE' OR EXISTS (
            SELECT FROM changed m
             WHERE m.device_id = b.device_id AND m.layout_id = b.layout_id
               AND m.time BETWEEN b.first_time AND b.last_time));
    RETURN NULL;
END $$;
CREATE TRIGGER zementis_measurements_added AFTER INSERT ON zementis_measurement
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION zementis_measurements_changed();
CREATE TRIGGER zementis_measurements_removed AFTER DELETE ON zementis_measurement
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION zementis_measurements_changed();
"""
_UNCHANGED = """
DROP TRIGGER zementis_measurements_added ON zementis_measurement;
DROP TRIGGER zementis_measurements_removed ON zementis_measurement;
DROP FUNCTION zementis_measurements_changed();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('zementis', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='MeasurementBlock',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('first_time', models.DateTimeField()),
                ('last_time', models.DateTimeField()),
                ('rows', models.PositiveIntegerField()),
                ('data', models.BinaryField()),
                ('device', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='zementis.managedobject')),
                ('layout', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='zementis.serieslayout')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('device', 'last_time', 'layout'), name='measurementblock_unique'), models.CheckConstraint(condition=Q(('first_time__lte', F('last_time'))), name='measurementblock_forward')],
            },
        ),
        # Bytes as dense as they get: another pass by PostgreSQL would cost time and gain nothing.
        migrations.RunSQL(
            "ALTER TABLE zementis_measurementblock ALTER COLUMN data SET STORAGE EXTERNAL",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(_CHANGED, _UNCHANGED),
    ]
