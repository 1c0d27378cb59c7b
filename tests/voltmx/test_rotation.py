"""Encryption keys that change."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from scheduler.models import Execution, Job
from tests.voltmx.meeting import at_once
from tests.voltmx.wire import Wire, sample
from voltmx import registry
from voltmx.arguments import Arguments, Authentication
from voltmx.models import Service
from voltmx.secret import Secret

LOGIN = {"appKey": "k", "appSecret": "the secret", "username": "ada", "password": "the password"}


def rotate() -> str:
    """What the command prints."""
    out = StringIO()
    call_command("rotate_secrets", stdout=out)
    return out.getvalue()


def test_after_a_rotation_the_old_key_can_go(wire: Wire, settings: Any) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    settings.ENCRYPTION_KEYS = [old]
    wire.create(sample(info={"authentication": LOGIN, "requestheaderMap": {"Authorization": "the header"}}))
    wire.create(sample(jobId=3, jobName="without secrets"))
    wire.send("POST", "/admin/api/jobs/job/run/2")
    Execution.objects.update(arguments=Job.objects.get(number=2).arguments)
    registry.save(Service(name="x", app_key="k", app_secret="the registry's"))
    registry.save(Service(name="y"))
    untouched = Job.objects.values("updated_at", "version", "name").order_by("number")
    before = list(untouched)

    settings.ENCRYPTION_KEYS = [new, old]
    assert rotate() == "encrypted anew: 1 of scheduler.execution, 1 of scheduler.job, 1 of voltmx.service\n"
    assert rotate() == "everything is encrypted with the first key\n"

    settings.ENCRYPTION_KEYS = [new]
    stored = [Job.objects.get(number=2).arguments, Execution.objects.get().arguments]
    for arguments in stored:
        secrets = [secret.reveal() for secret in Arguments.of(arguments).secrets()]
        assert secrets == ["the header", "the secret", "the password"]
    assert Service.objects.get(name="x").app_secret.reveal() == "the registry's"
    assert list(untouched) == before


def test_a_missing_key_is_told(wire: Wire, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    registry.save(Service(name="x", app_key="k", app_secret="s"))
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="encrypted with a key that is gone"):
        rotate()


def test_a_header_that_is_named_like_a_secret_is_none(wire: Wire, settings: Any) -> None:
    wire.create(sample(info={"requestheaderMap": {"encrypted": "no"}}))
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert rotate() == "everything is encrypted with the first key\n"
    assert wire.get("/admin/api/jobs/job2")["jobServiceInfo"]["requestheaderMap"] == {"encrypted": "no"}


@pytest.mark.django_db(transaction=True)
def test_an_edit_that_meets_a_rotation_is_kept_and_encrypted_too(wire: Wire, settings: Any) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    settings.ENCRYPTION_KEYS = [old]
    wire.create(sample(info={"authentication": LOGIN}))
    edited = Arguments.of(Job.objects.get().arguments)
    login = replace(edited.authentication or Authentication(), password=Secret.of("another"))
    written = replace(edited, authentication=login).stored()

    settings.ENCRYPTION_KEYS = [new, old]
    told = at_once(rotate, held=lambda: Job.objects.update(arguments=written))
    assert told == ["encrypted anew: 1 of scheduler.job\n"]
    settings.ENCRYPTION_KEYS = [new]
    assert [secret.reveal() for secret in Arguments.of(Job.objects.get().arguments).secrets()] == [
        "the secret",
        "another",
    ]
