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
    due timestamptz;
    wanted jsonb := '{}';
BEGIN
    SELECT job_id, next_fire_at INTO owner, due FROM scheduler_jobstate WHERE entry_id = NEW.id FOR UPDATE;
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
    UPDATE scheduler_job
       SET queue = CASE WHEN length(NEW.queue) > 64 THEN queue ELSE coalesce(NEW.queue, '') END,
           priority = least(coalesce(NEW.priority, 5), 9), expires_seconds = NEW.expire_seconds, headers = wanted,
           version = version + 1, updated_at = now(), updated_by = 'beat entry'
     WHERE id = owner
       AND (queue, priority, coalesce(expires_seconds, -1), headers)
           IS DISTINCT FROM (coalesce(NEW.queue, ''), least(coalesce(NEW.priority, 5), 9),
                             coalesce(NEW.expire_seconds, -1), wanted);
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
                -- What was due and not claimed yet; only Python could say how many instants it is.
                INSERT INTO scheduler_execution
                       (job_id, trigger, scheduled_for, until, status, reason, frequency, queue, priority,
                        concurrency_key, ended_at, expires_at, attempt, rescues, cancel_requested, messages, visible,
                        complete)
                SELECT id, 0, due, now(), 5, 'missed', coalesce(schedule_text, expression), queue, priority, '',
                       now(), now() + make_interval(days => retention_days), 0, 0, false,
                       '["paused on its beat entry before the clock had claimed it"]', history_strategy <> 'OFF', false
                  FROM scheduler_job WHERE id = owner AND due <= now()
                ON CONFLICT (job_id, scheduled_for) WHERE trigger IN (0, 2) DO NOTHING;
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
