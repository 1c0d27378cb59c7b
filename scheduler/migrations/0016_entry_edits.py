"""A job's own beat entry: a pause right after a resume misses nothing, and what no job may have is not taken over.

As in 0002, but for these two. Replacing the function takes no lock that anybody would notice.
"""

from importlib import import_module

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION scheduler_entry_edited() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owner bigint;
    due timestamptz;
    resumed boolean;
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
           CASE WHEN NEW.expire_seconds = 0 THEN expires_seconds ELSE NEW.expire_seconds END
      INTO valid_queue, valid_expiry FROM scheduler_job WHERE id = owner;
    UPDATE scheduler_job
       SET queue = valid_queue, priority = least(coalesce(NEW.priority, 5), 9), expires_seconds = valid_expiry,
           headers = wanted, version = version + 1, updated_at = now(), updated_by = 'beat entry'
     WHERE id = owner
       AND (queue, priority, coalesce(expires_seconds, -1), headers)
           IS DISTINCT FROM (valid_queue, least(coalesce(NEW.priority, 5), 9), coalesce(valid_expiry, -1), wanted);
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
                -- What was due and not claimed yet; only Python could say how many instants it is. A job that was just
                -- resumed has the moment of that for a next fire until a beat looks, and beats look at once.
                INSERT INTO scheduler_execution
                       (job_id, trigger, scheduled_for, until, status, reason, frequency, queue, priority,
                        concurrency_key, ended_at, expires_at, attempt, rescues, cancel_requested, messages, visible,
                        complete)
                SELECT id, 0, due, now(), 5, 'missed', coalesce(schedule_text, expression), queue, priority, '',
                       now(), now() + make_interval(days => retention_days), 0, 0, false,
                       '["paused on its beat entry before the clock had claimed it"]', history_strategy <> 'OFF', false
                  FROM scheduler_job WHERE id = owner AND due <= CASE WHEN resumed THEN now() - interval '5 seconds' ELSE now() END
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
"""

_BEFORE = import_module("scheduler.migrations.0002_beat_entry_edits").FORWARD
BACKWARD = _BEFORE[: _BEFORE.index("CREATE TRIGGER")].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0015_deleted_numbers")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
