"""What must be true of the database before anything runs: migrated, with an administrator, with the demo.

Making sure of it costs a start of Django and a look at every migration, so it is left out when nothing that it depends
on has changed since it last succeeded: our files, the lock file, the settings it reads, the administrator's row.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
from django.conf import settings

from jobsite.stack.home import Home

_FILE = "prepared.json"
_ROOMS = ("accounts", "jobsite", "scheduler", "voltmx", "zementis")


def is_done(home: Home, environment: Mapping[str, str]) -> bool:
    """Whether the database is as `prepare` left it, for all that can be seen cheaply.

    `environment` is what the programs get; this process has read its settings before the servers' addresses were known.
    """
    return home.read_json(_FILE).get("fingerprint") == _fingerprint(environment)


def note_done(home: Home, environment: Mapping[str, str]) -> None:
    """Remember that `prepare` has just succeeded."""
    home.write_json(_FILE, {"fingerprint": _fingerprint(environment)})


def clock(environment: Mapping[str, str]) -> float:
    """The database's clock, in Unix seconds: processes sign their start by it, and it may run on another machine."""
    with psycopg.connect(environment["DATABASE_URL"], connect_timeout=5) as connection:
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
    return float(row[0]) if row else 0.0


def _fingerprint(environment: Mapping[str, str]) -> str:
    database_url = environment["DATABASE_URL"]
    # Keyed, because a password is among what it is made of.
    seen = hmac.new(environment["SECRET_KEY"].encode(), digestmod=hashlib.sha256)
    wanted = (database_url, settings.ADMIN_USER, settings.ADMIN_PASSWORD, str(settings.DEMO))
    for part in (*wanted, _administrator(database_url), *_files(settings.BASE_DIR)):
        seen.update(part.encode() + b"\0")
    return seen.hexdigest()


def _files(root: Path) -> Iterator[str]:
    """Each file of the project that could change what `prepare` does: name, size, time of change."""
    paths = [path for room in _ROOMS for path in (root / room).rglob("*") if path.suffix != ".pyc" and path.is_file()]
    for path in sorted([*paths, root / "requirements.txt"]):
        info = path.stat()
        yield f"{path.relative_to(root)} {info.st_size} {info.st_mtime_ns}"


def _administrator(database_url: str) -> str:
    """The administrator's row as far as a login depends on it; empty where there is none."""
    query = "SELECT password, is_active, is_superuser FROM auth_user WHERE username = %s"
    try:
        with psycopg.connect(database_url, connect_timeout=5) as connection:
            return str(connection.execute(query, [settings.ADMIN_USER]).fetchone() or "")
    except psycopg.Error:
        return ""
