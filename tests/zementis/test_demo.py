"""The demo may be loaded at every start."""

from __future__ import annotations

import pytest

from scheduler import job_types
from scheduler.models import Job, Status
from tests.zementis.factories import a_context, a_model
from zementis import demo, model_store
from zementis.models import ManagedObject, Measurement, ScoringModel

pytestmark = pytest.mark.django_db


def counts() -> tuple[int, int, int]:
    return Job.objects.count(), ManagedObject.objects.count(), ScoringModel.objects.count()


def test_the_demo_brings_model_devices_group_and_job() -> None:
    job = demo.load()
    assert counts() == (1, 3, 1)
    assert model_store.get("IsolationForest").active
    assert Measurement.objects.count() in range(2 * 1080, 2 * 1081 + 1)
    assert job.state.next_fire_at is not None


def test_loading_twice_adds_nothing_but_new_measurements() -> None:
    a_model()
    first = demo.load()
    before = Measurement.objects.count()
    assert demo.load().pk == first.pk
    assert counts() == (1, 3, 1)
    assert Measurement.objects.count() - before <= 4


def test_the_demos_job_finds_the_knocks() -> None:
    a_model()
    job = demo.load()
    last = Measurement.objects.latest("time").time
    outcome = job_types.get("zementis").run(job.arguments, a_context(job, at=last))
    assert (outcome.status, outcome.messages) == (Status.SUCCEEDED, ())
    assert outcome.response["inferences"] > 2000
