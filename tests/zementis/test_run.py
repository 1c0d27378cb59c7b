"""A run scores what the devices sent and tells what it did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psutil
import pytest

from scheduler import job_types
from scheduler.job_types import Outcome, RunCancelled
from scheduler.models import Execution, Job, Status
from tests.zementis.factories import (
    FOREST,
    FOREST_MAPPINGS,
    LINE,
    NOON,
    Context,
    a_context,
    a_device,
    a_group,
    a_job,
    a_measurement,
    a_model,
    description_of,
    end,
    many_motions,
    motion,
    once,
    store,
)
from zementis import inference, inference_pages, model_store
from zementis.devices import managed_objects
from zementis.models import InferencePage

pytestmark = pytest.mark.django_db


def run(job: Job, context: Context | None = None) -> tuple[Outcome, Context]:
    context = context or a_context(job)
    return job_types.get("zementis").run(job.arguments, context), context


def inferences(
    context: Context, *, page: int = 1, status: Status = Status.SUCCEEDED
) -> dict[int, dict[str, list[Any]]]:
    execution = end(context, status)
    return {found.device: found.columns for found in inference_pages.read(execution, page)}


def ending(outcome: Outcome) -> tuple[Status, tuple[str, ...]]:
    return outcome.status, outcome.messages


def before_noon(seconds: float) -> datetime:
    return NOON - timedelta(seconds=seconds)


def test_the_stored_inferences_are_the_engines_own() -> None:
    a_model()
    device = a_device()
    many_motions(device.pk, 50, start=before_noon(50))
    outcome, context = run(a_job(device.pk))
    scorer = inference.load(FOREST.read_bytes(), format="PMML", engine=description_of(FOREST).engine)
    place = np.arange(50.0)
    expected = scorer.score(
        {
            "accelerationX": 0.01 * place,
            "accelerationY": np.full(50, 0.2),
            "accelerationZ": 9.8 - 0.001 * place,
            "gyroX": np.full(50, 0.1),
            "gyroY": np.full(50, -0.1),
            "gyroZ": 0.0001 * place,
        }
    )
    assert ending(outcome) == (Status.SUCCEEDED, ())
    assert inferences(context) == {device.pk: {name: column.tolist() for name, column in expected.items()}}
    assert list(expected) == [field.name for field in description_of(FOREST).outputs]


def test_the_window_of_a_periodic_job_is_half_open() -> None:
    a_model()
    device = a_device()
    store(
        motion(device.pk, time=before_noon(3600.001)),
        motion(device.pk, time=before_noon(3600)),
        motion(device.pk, time=before_noon(0.001)),
        motion(device.pk, time=NOON),
    )
    outcome, context = run(a_job(device.pk))
    page = next(inference_pages.read(end(context, outcome.status), 1))
    noon = int(NOON.timestamp()) * 1_000_000
    assert page.times == [noon - 3_600_000_000, noon - 1000]


def test_a_single_run_looks_at_its_own_range_whenever_it_fires() -> None:
    a_model()
    device = a_device()
    store(motion(device.pk, time=before_noon(10)), motion(device.pk, time=before_noon(5)), motion(device.pk, time=NOON))
    job = a_job(device.pk, jobSchedule=once(before_noon(5), NOON))
    outcome, context = run(job, a_context(job, at=datetime(2030, 1, 1, tzinfo=UTC)))
    page = next(inference_pages.read(end(context, outcome.status), 1))
    assert page.times == [int(before_noon(5).timestamp()) * 1_000_000]


def test_a_group_is_its_devices_and_those_of_its_sub_groups() -> None:
    a_model()
    near, far, other = a_device(), a_device(), a_device()
    group = a_group(near, a_group(far, a_group()))
    for device in (near, far, other):
        store(motion(device.pk, time=before_noon(1)))
    outcome, context = run(a_job(group.pk))
    assert outcome.status is Status.SUCCEEDED
    assert sorted(inferences(context)) == sorted([near.pk, far.pk])


def test_groups_that_hold_each_other_end() -> None:
    a_model()
    device = a_device()
    inner = a_group(device)
    outer = a_group(inner)
    managed_objects.add_children(inner.pk, [outer.pk], kind="asset")
    store(motion(device.pk, time=before_noon(1)))
    outcome, _ = run(a_job(outer.pk))
    assert ending(outcome) == (Status.SUCCEEDED, ())


def test_a_silent_device_is_a_warning() -> None:
    a_model()
    loud, silent = a_device(), a_device()
    store(motion(loud.pk, time=before_noon(1)), motion(silent.pk, time=NOON))
    outcome, _ = run(a_job(a_group(loud, silent).pk))
    assert ending(outcome) == (
        Status.WARNED,
        (
            f"The device {silent.pk} was not active or sending any measurements during the time specified for data"
            " range",
        ),
    )


def test_only_silent_devices_are_a_warning_too() -> None:
    a_model()
    outcome, _ = run(a_job(a_device().pk))
    assert outcome.status is Status.WARNED


def test_measurements_of_other_series_do_not_make_a_device_active() -> None:
    a_model()
    device = a_device()
    store(a_measurement(device.pk, time=before_noon(1), c8y_Temperature__T=20.0))
    outcome, _ = run(a_job(device.pk))
    assert outcome.status is Status.WARNED


def test_rows_before_every_input_was_seen_are_left_out_and_counted() -> None:
    a_model()
    device = a_device()
    store(
        a_measurement(device.pk, time=before_noon(3), c8y_Acceleration__accelerationX=1.0),
        a_measurement(device.pk, time=before_noon(2), c8y_Gyroscope__gyroX=1.0),
        motion(device.pk, time=before_noon(1)),
    )
    outcome, context = run(a_job(device.pk))
    assert ending(outcome) == (
        Status.SUCCEEDED,
        (f"2 rows were left out for the device {device.pk}: not every model input had been seen by then",),
    )
    assert len(inferences(context)[device.pk]["outlier"]) == 1


def test_a_failed_run_leaves_no_inferences() -> None:
    model = a_model()
    device = a_device()
    store(motion(device.pk, time=before_noon(1)))
    job = a_job(device.pk)
    model_store.set_active(model.name, False, by="tester")
    outcome, context = run(job)
    assert ending(outcome) == (Status.FAILED, ("Model 'IsolationForest' is not active.",))
    assert inferences(context, status=Status.FAILED) == {}


def test_a_deleted_model_fails_the_run() -> None:
    model = a_model()
    job = a_job(a_device().pk)
    model_store.delete(model.name, by="tester")
    outcome, _ = run(job)
    assert ending(outcome) == (Status.FAILED, ("Model 'IsolationForest' not found.",))


def test_a_deleted_device_fails_the_run() -> None:
    a_model()
    device = a_device()
    job = a_job(device.pk)
    managed_objects.delete(device.pk)
    outcome, _ = run(job)
    assert ending(outcome) == (
        Status.FAILED,
        (f"Device or group with id {device.pk} does not exist or it is invalid",),
    )


def test_an_empty_group_fails_the_run() -> None:
    a_model()
    group = a_group()
    outcome, _ = run(a_job(group.pk))
    assert ending(outcome) == (Status.FAILED, (f"The device group {group.pk} has no devices",))


def test_the_payload_tells_range_model_and_counts() -> None:
    model = a_model()
    device = a_device()
    store(motion(device.pk, time=before_noon(1)))
    outcome, _ = run(a_job(device.pk))
    stored = model_store.get(model.name)
    assert (outcome.request, outcome.response) == (
        {
            "associatedModel": "IsolationForest",
            "associatedGroupOrDeviceId": device.pk,
            "modelToDeviceMappings": FOREST_MAPPINGS,
            "dataFrom": "2026-05-01T11:00:00Z",
            "dataTo": "2026-05-01T12:00:00Z",
        },
        {
            "model": {"name": "IsolationForest", "version": 1, "contentHash": stored.content_hash},
            "engine": stored.description.engine,
            "devices": {"scored": 1, "silent": 0, "failed": 0},
            "inferences": 1,
        },
    )


def test_progress_counts_devices() -> None:
    a_model()
    _, context = run(a_job(a_group(a_device(), a_device()).pk))
    assert context.progresses == [(0, 2), (1, 2), (2, 2)]


def test_a_run_stops_between_devices_when_it_is_cancelled() -> None:
    a_model()
    job = a_job(a_group(a_device(), a_device()).pk)
    context = a_context(job, cancel_after_checks=1)
    with pytest.raises(RunCancelled):
        run(job, context)
    assert context.progresses[-1] != (2, 2)
    assert not InferencePage.objects.exists()


def test_a_run_stops_inside_a_device_when_it_is_cancelled() -> None:
    a_model()
    device = a_device()
    many_motions(device.pk, 30_000, start=before_noon(3000), step=timedelta(milliseconds=100))
    context = a_context(a_job(device.pk), cancel_after_checks=1)
    with pytest.raises(RunCancelled):
        run(Job.objects.get(), context)
    assert context.progresses == [(0, 1)]
    assert not InferencePage.objects.exists()


def test_pages_hold_two_thousand_rows_of_each_device() -> None:
    a_model()
    long, short = a_device(), a_device()
    many_motions(long.pk, 4001, start=before_noon(4002))
    many_motions(short.pk, 10, start=before_noon(10))
    job = a_job(
        a_group(long, short).pk,
        jobSchedule={
            "frequency": "periodic",
            "cronExpression": "0 0 * * * ?",
            "timeZone": "UTC",
            "dataFromPreviousNSeconds": 7200,
        },
    )
    outcome, context = run(job)
    execution = end(context, outcome.status)
    pages = [
        {page.device: len(page.times) for page in inference_pages.read(execution, number)} for number in (1, 2, 3, 4)
    ]
    assert pages == [{long.pk: 2000, short.pk: 10}, {long.pk: 2000}, {long.pk: 1}, {}]


def test_a_later_attempt_replaces_what_an_earlier_one_wrote() -> None:
    a_model()
    device = a_device()
    store(motion(device.pk, time=before_noon(1)))
    job = a_job(device.pk)
    _, context = run(job)
    Execution.objects.filter(pk=context.execution_id).update(attempt=2)
    context.attempt = 2
    run(job, context)
    assert list(InferencePage.objects.values_list("attempt", "rows")) == [(2, 1)]


def test_a_device_with_values_the_model_cannot_take_is_named() -> None:
    a_model(LINE, name="Line")
    names = [field.name for field in description_of(LINE).inputs]
    mappings = {name: f"c8y_Input.{name}.value" for name in names}
    good, bad = a_device(), a_device()
    body = a_measurement(good.pk, time=before_noon(1))
    body["c8y_Input"] = {name: {"value": 1.0} for name in names}
    store(body)
    outcome, context = run(a_job(a_group(good, bad).pk, model="Line", modelToDeviceMappings=mappings))
    assert outcome.status is Status.WARNED
    assert list(inferences(context, status=Status.WARNED)) == [good.pk]


def test_the_number_of_lanes_changes_nothing_but_the_time(settings: Any) -> None:
    a_model()
    devices = [a_device() for _ in range(30)]
    for place, device in enumerate(devices):
        many_motions(device.pk, 7 * place, start=before_noon(3000))
    many_motions(devices[0].pk, 21_000, start=before_noon(3000), step=timedelta(milliseconds=100))
    job = a_job(a_group(*devices).pk)
    found = []
    for number, lanes in enumerate((1, 3), start=1):
        settings.ZEMENTIS_SCORING_THREADS = lanes
        outcome, context = run(job, a_context(job, number=number, at=NOON + timedelta(microseconds=number)))
        found.append((ending(outcome), outcome.response, inferences(context), inferences(context, page=11)))
    assert found[0] == found[1]
    assert len(found[0][2]) == 30


def test_a_run_outlives_the_death_of_its_java() -> None:
    a_model(LINE, name="Line")
    assert description_of(LINE).engine == "pypmml"
    names = [field.name for field in description_of(LINE).inputs]
    device = a_device()
    body = a_measurement(device.pk, time=before_noon(1))
    body["c8y_Input"] = {name: {"value": 1.0} for name in names}
    store(body)
    job = a_job(device.pk, model="Line", modelToDeviceMappings={name: f"c8y_Input.{name}.value" for name in names})
    before = inferences(run(job)[1])
    java = [child for child in psutil.Process().children(recursive=True) if "java" in child.name()]
    for child in java:
        child.kill()
        child.wait()
    outcome, context = run(job, a_context(job, number=2, at=NOON + timedelta(seconds=1)))
    assert (len(java), ending(outcome), inferences(context)) == (1, (Status.SUCCEEDED, ()), before)


def test_deleting_a_job_deletes_its_inferences() -> None:
    from scheduler import jobs, retention

    a_model()
    device = a_device()
    store(motion(device.pk, time=before_noon(1)))
    job = a_job(device.pk)
    run(job)
    jobs.delete(job, by="tester")
    retention.clean()
    assert list(InferencePage.objects.all()) == []
