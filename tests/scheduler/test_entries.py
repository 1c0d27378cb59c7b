"""Beat entries of jobs beside entries of the user's own."""

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from scheduler import jobs
from scheduler.models import Job
from tests.scheduler.factories import a_job, state

pytestmark = pytest.mark.django_db


def own_entry(name: str) -> PeriodicTask:
    """An entry that somebody made in the stock admin."""
    every_hour = IntervalSchedule.objects.create(every=1, period="hours")
    return PeriodicTask.objects.create(name=name, task="somebody.elses", interval=every_hour)


def name_of_entry(job: Job) -> str:
    return str(PeriodicTask.objects.get(pk=state(job).entry_id).name)


def test_a_job_whose_entrys_name_is_taken_gets_another_one() -> None:
    own_entry("probe 7: backup")
    job = a_job(number=7, name="backup")
    assert name_of_entry(job).startswith("probe 7: backup (")


def test_a_job_renamed_to_a_taken_entrys_name_gets_another_one() -> None:
    own_entry("probe 7: backup")
    job = jobs.update(a_job(number=7, name="something"), {"name": "backup"}, by="tester")
    assert name_of_entry(job).startswith("probe 7: backup (")
    assert PeriodicTask.objects.filter(task="somebody.elses").count() == 1
