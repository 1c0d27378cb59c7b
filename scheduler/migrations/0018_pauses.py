"""A pause on a job's own beat entry leaves what was due to a beat, which works out the instants.

As in 0019, but for that, and for the moment that a pause or a resume counts from. Replacing the function takes no lock
that anybody would notice.
"""

from importlib import import_module

from django.db import migrations, models

FORWARD = """
CREATE OR REPLACE FUNCTION scheduler_entry_edited() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owner bigint;
    due timestamptz;
    resumed boolean;
    moment timestamptz;
    wanted jsonb := '{}';
    valid_queue text;
    valid_expiry integer;
BEGIN
    SELECT job_id, next_fire_at, recompute INTO owner, due, resumed
      FROM scheduler_jobstate WHERE entry_id = NEW.id FOR UPDATE;
    IF owner IS NULL THEN
        RETURN NULL;
    END IF;
    BEGIN
        wanted := coalesce(nullif(NEW.headers, ''), '{}')::jsonb;
    EXCEPTION WHEN data_exception THEN
        -- No JSON: the edit is django-celery-beat's to judge, and not ours to refuse.
        wanted := '{}';
    END;
    IF jsonb_typeof(wanted) <> 'object' THEN
        wanted := '{}';
    END IF;
    -- What no job may have is left as the job has it: the clock could publish it to no queue, and nobody could save it.
    SELECT CASE WHEN coalesce(NEW.queue, '') ~ '^[A-Za-z0-9_.:-]{0,64}$' THEN coalesce(NEW.queue, '') ELSE queue END,
           CASE WHEN NEW.expire_seconds = 0 THEN expires_seconds ELSE NEW.expire_seconds END,
           CASE WHEN octet_length(wanted::text) > 2048 THEN headers ELSE wanted END
      INTO valid_queue, valid_expiry, wanted FROM scheduler_job WHERE id = owner;
    UPDATE scheduler_job
       SET queue = valid_queue, priority = least(coalesce(NEW.priority, 5), 9), expires_seconds = valid_expiry,
           headers = wanted, version = version + 1, updated_at = now(), updated_by = 'beat entry'
     WHERE id = owner
       AND (queue, priority, coalesce(expires_seconds, -1), headers)
           IS DISTINCT FROM (valid_queue, least(coalesce(NEW.priority, 5), 9), coalesce(valid_expiry, -1), wanted);
    IF NEW.enabled IS DISTINCT FROM OLD.enabled THEN
        -- Not when the transaction began: others may have held the lock since, and paused or resumed the job.
        moment := clock_timestamp();
        IF NEW.enabled THEN
            UPDATE scheduler_job SET active = true, version = version + 1, updated_at = moment,
                   updated_by = 'beat entry' WHERE id = owner AND NOT active;
            IF FOUND THEN
                -- Only Python can work out the next fire: the clock takes the job up at once and does.
                UPDATE scheduler_jobstate SET next_fire_at = moment, recompute = true WHERE job_id = owner;
                INSERT INTO scheduler_jobchange (job_id, kind, number, at, by, verb, changes)
                SELECT id, kind, number, moment, 'beat entry', 'activated', '{"active": [false, true]}'
                  FROM scheduler_job WHERE id = owner;
            END IF;
        ELSE
            UPDATE scheduler_job j SET active = false, version = version + 1, updated_at = moment,
                   updated_by = 'beat entry'
              FROM scheduler_jobstate s
             WHERE j.id = owner AND j.active AND s.job_id = j.id AND s.next_fire_at IS NOT NULL;
            IF FOUND THEN
                UPDATE scheduler_jobstate SET next_fire_at = NULL, recompute = false WHERE job_id = owner;
                -- What was due and not claimed yet, or became so since the job was resumed: a beat works it out.
                IF due <= moment THEN
                    INSERT INTO scheduler_pause (job_id, since, resumed, until) VALUES (owner, due, resumed, moment);
                END IF;
                INSERT INTO scheduler_jobchange (job_id, kind, number, at, by, verb, changes)
                SELECT id, kind, number, moment, 'beat entry', 'deactivated', '{"active": [true, false]}'
                  FROM scheduler_job WHERE id = owner;
            END IF;
        END IF;
        PERFORM pg_notify('scheduler_jobs', '');
    END IF;
    RETURN NULL;
END $$;
"""

BACKWARD = import_module("scheduler.migrations.0019_headers_limit").FORWARD


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0022_job_days")]

    operations = [
        migrations.CreateModel(
            name="Pause",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("job_id", models.BigIntegerField(db_index=True, help_text="Primary key of the job.")),
                (
                    "since",
                    models.DateTimeField(help_text="The first instant that was due, or when the job was resumed."),
                ),
                (
                    "resumed",
                    models.BooleanField(help_text="since is when the job was resumed: what follows it was due."),
                ),
                ("until", models.DateTimeField(help_text="When the job was paused.")),
            ],
            options={"default_permissions": ()},
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
