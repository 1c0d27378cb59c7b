"""What a scoring job may be scheduled by, whoever writes it: not by the API's clients alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scheduler import job_types, jobs
from scheduler.exceptions import InvalidSchedule
from scheduler.models import Job
from scheduler.schedule import Schedule
from tests.zementis.factories import a_device, a_job, a_model
from zementis.job_type import KIND


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule("* * * * * ?", "Europe/Berlin"),
        Schedule("0 0 3 * * ? 2090"),
        Schedule(run_at=datetime(2090, 1, 1, tzinfo=UTC)),
    ],
)
def test_an_instant_and_expressions_of_six_or_seven_fields_are_taken(schedule: Schedule) -> None:
    job_types.get(KIND).check_schedule(schedule)


@pytest.mark.django_db
def test_an_expression_of_five_fields_is_refused() -> None:
    a_model()
    job = a_job(a_device().pk)
    with pytest.raises(InvalidSchedule, match="has 5 fields") as refusal:
        jobs.update(job, {"schedule": Schedule("0 3 * * *")}, by="console")
    assert refusal.value.field == "expression"
    assert Job.objects.get().version == job.version
