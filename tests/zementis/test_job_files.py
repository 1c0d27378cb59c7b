"""Scoring jobs in files: lossless, the order of their mappings and all."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from scheduler import jobs
from scheduler.definition import Definition
from scheduler.models import Job
from tests.scheduler.cli.helpers import Ended, jobs_command, written
from tests.zementis import factories
from tests.zementis.conftest import Api, answer

pytestmark = pytest.mark.django_db


def test_export_delete_apply_brings_back_the_same_jobs(api: Api, tmp_path: Path) -> None:
    factories.a_model()
    device = factories.a_device().pk
    factories.a_job(device)
    factories.a_job(device, jobSchedule=factories.once(factories.NOON, factories.NOON + timedelta(hours=1)))
    factories.a_job(device, jobName="Zwölf: 'ja' #1", jobDescription=None)
    before = {job.number: Definition.of(job) for job in Job.objects.all()}
    listed = answer(api.get("/service/zementis/jobs"))[1]
    text = jobs_command("export", "--kind", "zementis").out
    for job in Job.objects.all():
        jobs.delete(job, by="tester")
    file = written(tmp_path, text)
    assert jobs_command("apply", file, "--yes").code == 0
    assert {job.number: Definition.of(job) for job in Job.objects.all()} == before
    again = answer(api.get("/service/zementis/jobs"))[1]
    assert [without_date(job) for job in again] == [without_date(job) for job in listed]
    assert jobs_command("plan", file) == Ended(0, "nothing to do: 3 unchanged\n")


def without_date(job: dict[str, object]) -> list[tuple[str, object]]:
    return [(name, value) for name, value in job.items() if name != "jobCreationDate"]
