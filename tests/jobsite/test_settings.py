"""The settings as a process of its own reads them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from jobsite import production
from jobsite.environment import Environment
from jobsite.production import DEVELOPMENT_SECRET

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "JOBSITE_ENV": "production",
    "SECRET_KEY": "a-secret-of-fifty-random-characters-or-more-0123456789-abcdefghij",
    "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "ALLOWED_HOSTS": "jobs.example.org",
    "DATABASE_URL": "postgresql://jobs:pw@db/jobs",
    "CELERY_BROKER_URL": "redis://:pw@redis:6379/0",
}


# Prints what a process uses of the settings, as JSON.
_READS = """
import json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "jobsite.settings"
from django.conf import settings as s
from jobsite import celery_app as c
connections = [c.connection_for_read(), c.connection_for_write()]
used = [s.SECRET_KEY, len(s.ENCRYPTION_KEYS), s.DATABASES["default"]["PASSWORD"], s.CELERY_BROKER_URL]
print(json.dumps([*used, *[connection.password for connection in connections]]))
"""


def python(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these variables and no others of ours."""
    kept = {name: os.environ[name] for name in ("PATH", "DATA_DIR") if name in os.environ}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env={**kept, **variables}, capture_output=True, text=True, check=False)


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py so."""
    return python("manage.py", *arguments, **variables)


def test_production_settings_pass_the_deployment_checks() -> None:
    result = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert (result.returncode, result.stdout) == (0, "System check identified no issues (0 silenced).\n"), result.stderr


SECRET = "SECRET_KEY: production needs a secret of its own, 50 random characters or more."
FALLBACKS = "SECRET_KEY_FALLBACKS: production needs secrets of its own, 50 random characters or more."
HOSTS = "ALLOWED_HOSTS: production needs the host names it answers to, without wildcards such as * or .example.org."
TLS = "CELERY_BROKER_URL: production checks the certificate of Redis and the name in it."
# What goes over the variables of production, and what the one line about it says.
REFUSED = [
    ({"SECRET_KEY": ""}, SECRET),
    ({"DEBUG": "1"}, "DEBUG: must be off in production."),
    ({"DATABASE_URL": ""}, "DATABASE_URL: production has no default for it."),
    ({"ENCRYPTION_KEYS": ""}, "ENCRYPTION_KEYS: production has no default for it."),
    (
        {"OIDC_ISSUER": "http://127.0.0.1/", "OIDC_CLIENT_ID": "c"},
        "OIDC_ISSUER: expected https://; http:// is for this machine in development.",
    ),
    ({"CELERY_BROKER_URL": "rediss://:pw@redis/0?ssl_cert_reqs=none"}, TLS),
    (
        {"CELERY_BROKER_CA_FILE": "ca.pem"},
        "CELERY_BROKER_CA_FILE: goes with a CELERY_BROKER_URL that starts with rediss://.",
    ),
    ({"SECRET_KEY_FALLBACKS": f"{PRODUCTION['SECRET_KEY']},short"}, FALLBACKS),
    ({"ALLOWED_HOSTS": "jobs.example.org,.com"}, HOSTS),
    ({"SECRET_KEY_FILE": "nowhere"}, "SECRET_KEY_FILE: expected a file that can be read."),
]


@pytest.mark.parametrize(("change", "complaint"), REFUSED)
def test_production_refuses_what_only_development_may_do(change: dict[str, str], complaint: str) -> None:
    result = manage("check", **{**PRODUCTION, **change})
    assert (result.returncode, result.stderr) == (1, f"Error: {complaint}\n")


ORIGINS = "CSRF_TRUSTED_ORIGINS: production takes no wildcards."
KEYS = "ENCRYPTION_KEYS: production needs random keys."
GOOD = PRODUCTION["SECRET_KEY"]
CHECKED: list[tuple[dict[str, list[str]], str]] = [
    *[({"secret": [weak]}, SECRET) for weak in ("short", "ab" * 40, DEVELOPMENT_SECRET, f"django-insecure-{GOOD}")],
    *[({"former": [GOOD, weak]}, FALLBACKS) for weak in ("short", "ab" * 40, DEVELOPMENT_SECRET)],
    *[
        ({"hosts": hosts}, HOSTS)
        for hosts in (
            *([], ["a.example.org", "*"], ["*.example.org"], [".example.org"], [".com"], ["."], ["..com"]),
            *(["https://a.example.org"], ["a.example.org:8000"], ["a example.org"], ["[::1"], ["::1"], ["a/b"]),
        )
    ],
    ({"origins": ["https://*.example.org"]}, ORIGINS),
    ({"keys": [Fernet.generate_key().decode(), "A" * 43 + "="]}, KEYS),
    ({"hosts": ["a.example.org", "a.example.org.", "jobsite_web", "10.0.0.1", "[2001:db8::1]", "localhost"]}, ""),
    ({"former": [GOOD[::-1]], "origins": ["https://b.example.org"]}, ""),
]


@pytest.mark.parametrize(("change", "complaint"), CHECKED)
def test_weak_secrets_and_names_that_stand_for_many_are_refused(change: dict[str, list[str]], complaint: str) -> None:
    found = {"secret": [GOOD], "former": [], "hosts": ["a.example.org"], "origins": [], "keys": [], **change}
    told = ""
    try:
        production.check(
            Environment(PRODUCTION),
            debug=False,
            secrets={"SECRET_KEY": found["secret"], "SECRET_KEY_FALLBACKS": found["former"]},
            keys=found["keys"],
            hosts=found["hosts"],
            origins=found["origins"],
        )
    except ImproperlyConfigured as error:
        told = str(error)
    assert told == complaint


def test_all_secrets_may_come_from_files_of_which_nothing_is_in_the_environment(tmp_path: Path) -> None:
    contents = {
        "SECRET_KEY": PRODUCTION["SECRET_KEY"],
        "ENCRYPTION_KEYS": f"{Fernet.generate_key().decode()}\n{Fernet.generate_key().decode()}\n",
        "DATABASE_PASSWORD": "p@ss/word:1",
        "CELERY_BROKER_PASSWORD": "r?dis#2",
    }
    for name, text in contents.items():
        (tmp_path / name).write_text(text + "\n")
    files = {f"{name}_FILE": str(tmp_path / name) for name in contents}
    rest = {name: PRODUCTION[name] for name in PRODUCTION if name not in contents} | {
        "DATABASE_URL": "postgresql://jobsite@db/jobs",
        "CELERY_BROKER_URL": "redis://redis:6379/0",
    }
    result = python("-c", _READS, **rest, **files)
    read = json.loads(result.stdout)
    assert read == [
        contents["SECRET_KEY"],
        2,
        "p@ss/word:1",
        "redis://:r%3Fdis%232@redis:6379/0",
        "r?dis#2",
        "r?dis#2",
    ], result.stderr


def test_a_bad_value_is_one_line_that_names_the_variable() -> None:
    result = manage("check", SCHEDULER_LEASE_SECONDS="soon")
    expected = "Error: SCHEDULER_LEASE_SECONDS: expected a whole number from 3 to 3600.\n"
    assert (result.returncode, result.stderr) == (1, expected)


def test_messages_are_json_and_no_result_is_kept() -> None:
    from jobsite import celery_app

    conf = celery_app.conf
    assert (conf.task_serializer, conf.accept_content, conf.task_ignore_result, conf.result_backend) == (
        "json",
        ["json"],
        True,
        None,
    )


def test_instants_are_utc_everywhere() -> None:
    assert (settings.USE_TZ, settings.TIME_ZONE, settings.CELERY_TIMEZONE) == (True, "UTC", "UTC")
