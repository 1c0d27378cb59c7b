"""The audit's triggers, and the groups of the roles; their permissions come after every migration, when they exist."""

from django.db import migrations

GUARD = """
CREATE FUNCTION accounts_audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.number IS NULL AND NEW.hash = '' THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' THEN
        -- Sealing, and nothing else.
        IF OLD.number IS NULL AND NEW.number IS NOT NULL AND NEW.hash <> ''
           AND to_jsonb(OLD) - 'number' - 'hash' = to_jsonb(NEW) - 'number' - 'hash' THEN
            RETURN NEW;
        END IF;
    ELSIF current_setting('jobsite.audit_pruning', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER accounts_audit_rows BEFORE INSERT OR UPDATE OR DELETE ON accounts_auditentry
    FOR EACH ROW EXECUTE FUNCTION accounts_audit_guard();
CREATE TRIGGER accounts_audit_table BEFORE TRUNCATE ON accounts_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_audit_guard();
"""
UNGUARD = """
DROP TRIGGER accounts_audit_table ON accounts_auditentry;
DROP TRIGGER accounts_audit_rows ON accounts_auditentry;
DROP FUNCTION accounts_audit_guard();
"""


def make_groups(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    for name in ("viewer", "operator", "editor", "administrator"):
        Group.objects.using(schema_editor.connection.alias).get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.RunSQL(GUARD, UNGUARD),
        migrations.RunPython(make_groups, migrations.RunPython.noop),
    ]
