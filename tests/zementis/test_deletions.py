"""What is taken away while a run goes on: the run ends with what it has, or says what is gone, and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from scheduler import job_types
from scheduler.job_types import Outcome
from scheduler.models import Execution, Job, Status
from tests.zementis.factories import NOON, Context, a_device, a_group, a_job, a_model, a_running_execution, many_motions
from zementis import model_store, scoring
from zementis.devices import managed_objects, measurement_queries
from zementis.devices.measurement_queries import Filter
from zementis.models import InferencePage

pytestmark = pytest.mark.django_db

AT = NOON + timedelta(hours=1)


@dataclass
class Meanwhile(Context):
    """A context in whose run something happens at the fourth look whether to go on."""

    happens: Callable[[], object] = lambda: None
    looks: int = 0

    def check(self) -> None:
        self.looks += 1
        if self.looks == 4:
            self.happens()
        super().check()


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "CHUNK_ROWS", 100)


def run(job: Job, happens: Callable[[], object]) -> tuple[Outcome, Meanwhile]:
    execution = a_running_execution(job, at=AT)
    context = Meanwhile(execution.pk, job.pk, scheduled_for=AT, happens=happens)
    return job_types.get("zementis").run(job.arguments, context), context


def test_a_model_that_is_removed_meanwhile_scores_to_the_end() -> None:
    a_model()
    device = a_device().pk
    many_motions(device, 1000)
    outcome, context = run(a_job(device), lambda: model_store.delete("IsolationForest", by="tester"))
    assert (outcome.status, context.looks > 4) == (Status.SUCCEEDED, True)
    assert sum(InferencePage.objects.values_list("rows", flat=True)) == 1000


def test_a_device_that_is_removed_meanwhile_ends_early_and_harms_no_other() -> None:
    a_model()
    first, second = a_device(), a_device()
    for device in (first, second):
        many_motions(device.pk, 1000)
    outcome, _ = run(a_job(a_group(first, second).pk), lambda: managed_objects.delete(first.pk))
    rows = dict(InferencePage.objects.values_list("device", "rows"))
    assert (outcome.status, rows[second.pk], rows[first.pk] < 1000) == (Status.SUCCEEDED, 1000, True)


def test_measurements_that_are_removed_meanwhile_are_not_scored() -> None:
    a_model()
    device = a_device().pk
    many_motions(device, 1000)
    late = Filter(device=device, start=NOON + timedelta(seconds=900))
    outcome, _ = run(a_job(device), lambda: measurement_queries.delete_matching(late))
    assert (outcome.status, InferencePage.objects.get().rows) == (Status.SUCCEEDED, 900)


@pytest.mark.django_db(transaction=True)
def test_an_execution_that_is_removed_meanwhile_keeps_no_inferences() -> None:
    from django.db import IntegrityError

    a_model()
    device = a_device().pk
    many_motions(device, 1000)
    job = a_job(device)
    with pytest.raises(IntegrityError):
        run(job, Execution.objects.filter(job=job).delete)
    assert InferencePage.objects.count() == 0
