"""Migrations leave programs of the release before working: they run on while all others are replaced one by one."""

from django.db import migrations
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED

ROOMS = ("accounts", "scheduler", "voltmx", "zementis")
GONE = (
    migrations.DeleteModel,
    migrations.RemoveField,
    migrations.RenameField,
    migrations.RenameModel,
    migrations.AlterModelTable,
)
# From before there was a release to come from.
EARLY = {"voltmx.0002_failed_logins_moved"}


def test_old_programs_can_write_into_new_tables() -> None:
    later = [
        (f"{app}.{name}", operation)
        for (app, name), migration in MigrationLoader(None).disk_migrations.items()
        if app in ROOMS and not migration.initial and not name.startswith("0001_") and f"{app}.{name}" not in EARLY
        for operation in migration.operations
    ]
    found = []
    for name, operation in later:
        if isinstance(operation, GONE):
            found.append(f"{name}: {operation.describe()}")
        if isinstance(operation, migrations.AddField):
            field = operation.field
            # A default of Django's own is not in the database: what does not know the column would write nothing there.
            if not (field.null or field.many_to_many or field.db_default is not NOT_PROVIDED):
                found.append(f"{name}: {operation.describe()} neither takes NULL nor has a db_default")
    assert (len(later) > 20, found) == (True, [])
