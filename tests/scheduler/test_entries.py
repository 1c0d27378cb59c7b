"""Beat entries of jobs beside entries of the user's own."""

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from scheduler import jobs
from tests.scheduler.factories import a_job, state

pytestmark = pytest.mark.django_db


def own_entry(name: str) -> PeriodicTask:
    """An entry that somebody made in the stock admin."""
    every_hour = IntervalSchedule.objects.create(every=1, period="hours")
    return PeriodicTask.objects.create(name=name, task="somebody.elses", interval=every_hour)


def name_of_entry(job: object) -> str:
    return PeriodicTask.objects.get(pk=state(job).entry_id).name  # type: ignore[arg-type]


def test_a_job_whose_entrys_name_is_taken_gets_another_one() -> None:
    own_entry("probe 7: backup")
    job = a_job(number=7, name="backup")
    assert name_of_entry(job).startswith("probe 7: backup (")


def test_a_job_renamed_to_a_taken_entrys_name_gets_another_one() -> None:
    own_entry("probe 7: backup")
    job = jobs.update(a_job(number=7, name="something"), {"name": "backup"}, by="tester")
    assert name_of_entry(job).startswith("probe 7: backup (")
    assert PeriodicTask.objects.filter(task="somebody.elses").count() == 1


def test_the_stock_admin_s_run_selected_tasks_is_a_run_now_under_the_job_s_policy() -> None:
    job = a_job(overlap="skip")
    task = PeriodicTask.objects.get(job_state__job=job)
    for _ in range(2):
        tasks.run_job(*json.loads(task.args))
    assert list(Execution.objects.of(job).order_by("pk").values_list("status", "reason", "requested_by")) == [
        (Status.QUEUED, None, "beat entry"),
        (Status.SKIPPED, Reason.OVERLAP, "beat entry"),
    ]


def test_the_task_of_a_job_that_is_gone_does_nothing() -> None:
    tasks.run_job(10**9)
    assert not Execution.objects.exists()
