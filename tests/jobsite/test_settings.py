"""The settings as a process of its own reads them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.conf import settings

from jobsite.settings import DEVELOPMENT_SECRET
from jobsite.settings import env as environment

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "JOBSITE_ENV": "production",
    "SECRET_KEY": "a-secret-of-fifty-random-characters-or-more-0123456789-abcdefghij",
    "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "ALLOWED_HOSTS": "jobs.example.org",
    "DATABASE_URL": "postgresql://jobs:pw@db/jobs",
    "CELERY_BROKER_URL": "redis://:pw@redis:6379/0",
}


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py with these variables and no others of ours."""
    kept = {name: os.environ[name] for name in ("PATH", "DATA_DIR") if name in os.environ}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env={**kept, **variables}, capture_output=True, text=True, check=False)


def test_production_settings_pass_the_deployment_checks() -> None:
    result = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert (result.returncode, result.stdout) == (0, "System check identified no issues (0 silenced).\n"), result.stderr


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY: production needs a secret of its own, 50 random characters or more."),
        (
            {"SECRET_KEY": DEVELOPMENT_SECRET},
            "SECRET_KEY: production needs a secret of its own, 50 random characters or more.",
        ),
        ({"SECRET_KEY": "short"}, "SECRET_KEY: production needs a secret of its own, 50 random characters or more."),
        ({"DEBUG": "1"}, "DEBUG: must be off in production."),
        (
            {"ALLOWED_HOSTS": ""},
            "ALLOWED_HOSTS: production needs the host names it answers to, without wildcards.",
        ),
        (
            {"ALLOWED_HOSTS": "a.example.org,*"},
            "ALLOWED_HOSTS: production needs the host names it answers to, without wildcards.",
        ),
        ({"DATABASE_URL": ""}, "DATABASE_URL: production has no default for it."),
        ({"CELERY_BROKER_URL": ""}, "CELERY_BROKER_URL: production has no default for it."),
        ({"ENCRYPTION_KEYS": ""}, "ENCRYPTION_KEYS: production has no default for it."),
        (
            {"OIDC_ISSUER": "http://127.0.0.1/", "OIDC_CLIENT_ID": "c"},
            "OIDC_ISSUER: expected https://; http:// is for this machine in development.",
        ),
        (
            {"CELERY_BROKER_URL": "rediss://:pw@redis/0?ssl_cert_reqs=none"},
            "CELERY_BROKER_URL: production checks the certificate of Redis and the name in it.",
        ),
        (
            {"CELERY_BROKER_URL": "rediss://:pw@redis/0?ssl_check_hostname=False"},
            "CELERY_BROKER_URL: production checks the certificate of Redis and the name in it.",
        ),
        (
            {"CELERY_BROKER_CA_FILE": "ca.pem"},
            "CELERY_BROKER_CA_FILE: goes with a CELERY_BROKER_URL that starts with rediss://.",
        ),
    ],
)
def test_production_refuses_what_only_development_may_do(change: dict[str, str], complaint: str) -> None:
    result = manage("check", **{**PRODUCTION, **change})
    assert (result.returncode, result.stderr) == (1, f"Error: {complaint}\n")


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


def test_every_variable_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    documented = set(re.findall(r"^\| `([A-Z0-9_]+)`", text, re.MULTILINE))
    assert documented == environment.known
