"""What is edited on a job's own beat entry, in the stock admin or anywhere else, acts on the job.

A trigger, because the stock admin's actions use ``QuerySet.update``, which sends no signal. It does nothing where entry
and job agree already, which is so whenever ``scheduler.jobs`` wrote both.

Also: the index through which one beat finds the entries that belong to no job among those that do, and room in the
pages of the rows that every fire rewrites, so that PostgreSQL can do it in place (HOT updates).
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION scheduler_entry_edited() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owner bigint;
BEGIN
    SELECT job_id INTO owner FROM scheduler_jobstate WHERE entry_id = NEW.id FOR UPDATE;
    IF owner IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE scheduler_job
       SET queue = coalesce(NEW.queue, ''), priority = least(coalesce(NEW.priority, 5), 9),
           expires_seconds = NEW.expire_seconds, headers = coalesce(nullif(NEW.headers, ''), '{}')::jsonb,
           version = version + 1, updated_at = now(), updated_by = 'beat entry'
     WHERE id = owner
       AND (queue, priority, coalesce(expires_seconds, -1), headers)
           IS DISTINCT FROM (coalesce(NEW.queue, ''), least(coalesce(NEW.priority, 5), 9),
                             coalesce(NEW.expire_seconds, -1), coalesce(nullif(NEW.headers, ''), '{}')::jsonb);
    IF NEW.enabled IS DISTINCT FROM OLD.enabled THEN
        IF NEW.enabled THEN
            UPDATE scheduler_job SET active = true, version = version + 1, updated_at = now(),
                   updated_by = 'beat entry' WHERE id = owner AND NOT active;
            IF FOUND THEN
                -- Only Python can work out the next fire: the clock takes the job up at once and does.
                UPDATE scheduler_jobstate SET next_fire_at = now(), recompute = true WHERE job_id = owner;
                INSERT INTO scheduler_jobchange (job_id, kind, number, at, by, verb, changes)
                SELECT id, kind, number, now(), 'beat entry', 'activated', '{"active": [false, true]}'
                  FROM scheduler_job WHERE id = owner;
            END IF;
        ELSE
            UPDATE scheduler_job j SET active = false, version = version + 1, updated_at = now(),
                   updated_by = 'beat entry'
              FROM scheduler_jobstate s
             WHERE j.id = owner AND j.active AND s.job_id = j.id AND s.next_fire_at IS NOT NULL;
            IF FOUND THEN
                UPDATE scheduler_jobstate SET next_fire_at = NULL, recompute = false WHERE job_id = owner;
                INSERT INTO scheduler_jobchange (job_id, kind, number, at, by, verb, changes)
                SELECT id, kind, number, now(), 'beat entry', 'deactivated', '{"active": [true, false]}'
                  FROM scheduler_job WHERE id = owner;
            END IF;
        END IF;
        PERFORM pg_notify('scheduler_jobs', '');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER scheduler_entry_edited
    AFTER UPDATE OF enabled, queue, priority, expire_seconds, headers ON django_celery_beat_periodictask
    FOR EACH ROW
    WHEN ((OLD.enabled, OLD.queue, OLD.priority, OLD.expire_seconds, OLD.headers)
          IS DISTINCT FROM (NEW.enabled, NEW.queue, NEW.priority, NEW.expire_seconds, NEW.headers))
    EXECUTE FUNCTION scheduler_entry_edited();
CREATE INDEX scheduler_stock_entries ON django_celery_beat_periodictask (id) WHERE task <> 'scheduler.run_job';
ALTER TABLE django_celery_beat_periodictask SET (fillfactor = 80);
ALTER TABLE django_celery_beat_clockedschedule SET (fillfactor = 70);
ALTER TABLE scheduler_jobstate SET (fillfactor = 70);
"""

BACKWARD = """
ALTER TABLE django_celery_beat_periodictask RESET (fillfactor);
ALTER TABLE django_celery_beat_clockedschedule RESET (fillfactor);
DROP INDEX scheduler_stock_entries;
DROP TRIGGER scheduler_entry_edited ON django_celery_beat_periodictask;
DROP FUNCTION scheduler_entry_edited();
"""


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
