"""Loads the demo through the same use cases as the REST resources; what is there already stays."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db.models import Max

from scheduler import clock
from scheduler.models import Job
from zementis import job_form, model_store
from zementis.devices import managed_objects, measurements
from zementis.job_type import KIND
from zementis.model_store import ModelExists, ModelNotFound
from zementis.models import ManagedObject, Measurement

MODEL = "IsolationForest"
JOB = "Knocks in the hall"
TYPE = "jobsite_demo"
DEVICES = ("Pump", "Fan")
GROUP = "Demo hall"
STEP = timedelta(seconds=10)
HOURS = timedelta(hours=3)

_FOLDER = Path(__file__).resolve().parent
# Series, value at rest, spread of the hum: m/s² and rad/s, as the model was trained.
_SERIES = (
    ("c8y_Acceleration", "accelerationX", "m/s2", 0.0, 0.30),
    ("c8y_Acceleration", "accelerationY", "m/s2", 0.0, 0.30),
    ("c8y_Acceleration", "accelerationZ", "m/s2", 9.81, 0.25),
    ("c8y_Gyroscope", "gyroX", "rad/s", 0.0, 0.05),
    ("c8y_Gyroscope", "gyroY", "rad/s", 0.0, 0.05),
    ("c8y_Gyroscope", "gyroZ", "rad/s", 0.0, 0.08),
)
_KNOCKED = 0.02
_KNOCK = 12.0


def load(*, by: str = "demo") -> Job:
    """Upload the model, create group, devices and job, and add measurements up to now; return the job.

    May be called at every start: only what is missing is made. The values depend on device and instant alone.
    """
    try:
        model_store.get(MODEL)
    except ModelNotFound:
        _upload(by=by)
    devices = [
        _object(name, {"c8y_IsDevice": {}, "c8y_RequiredAvailability": {"responseInterval": 1}}, by=by)
        for name in DEVICES
    ]
    group = _object(GROUP, {"c8y_IsDeviceGroup": {}}, by=by)
    managed_objects.add_children(group.pk, [device.pk for device in devices], kind="asset")
    now = clock.now()
    for device in devices:
        _measure(device, until=now)
    found = Job.objects.of_kind(KIND).with_state().filter(name=JOB, created_by=by).first()
    return found or job_form.create(_job(group.pk), by=by)


def _upload(*, by: str) -> None:
    path = _FOLDER / f"{MODEL}.pmml"
    try:
        model_store.upload(path.read_bytes(), file_name=path.name, format="PMML", by=by)
    except ModelExists:
        # Another start was quicker.
        return


def _object(name: str, fragments: dict[str, Any], *, by: str) -> ManagedObject:
    found = ManagedObject.objects.filter(name=name, type=TYPE).order_by("pk").first()
    return found or managed_objects.create({"name": name, "type": TYPE, **fragments}, by=by)


def _measure(device: ManagedObject, *, until: datetime) -> None:
    """Add the measurements that are missing of the last hours."""
    last = Measurement.objects.filter(device=device).aggregate(last=Max("time"))["last"]
    number = int((until - HOURS).timestamp() // STEP.total_seconds())
    if last is not None:
        number = max(number, int(last.timestamp() // STEP.total_seconds()))
    new = []
    while (time := datetime.fromtimestamp((number := number + 1) * STEP.total_seconds(), UTC)) <= until:
        new.append(measurements.read(_measurement(device, number, time)))
    measurements.store(new)


def _measurement(device: ManagedObject, number: int, time: datetime) -> dict[str, Any]:
    chance = random.Random(f"{device.name} {number}")  # noqa: S311 - made-up values, the same at every start
    knock = _KNOCK if chance.random() < _KNOCKED else 1.0
    body: dict[str, Any] = {"source": {"id": str(device.pk)}, "type": "motion", "time": time.isoformat()}
    for fragment, series, unit, rest, hum in _SERIES:
        value = round(rest + chance.gauss(0.0, hum) * knock, 4)
        body.setdefault(fragment, {})[series] = {"value": value, "unit": unit}
    return body


def _job(group: int) -> dict[str, Any]:
    return {
        "jobName": JOB,
        "jobDescription": "Scores the last three hours of the demo hall every five minutes",
        "associatedGroupOrDeviceId": group,
        "associatedModel": MODEL,
        "modelToDeviceMappings": {series: f"{fragment}.{series}.value" for fragment, series, *_ in _SERIES},
        "jobSchedule": {
            "frequency": "periodic",
            "cronExpression": "0 0/5 * * * ?",
            "timeZone": "UTC",
            "dataFromPreviousNSeconds": int(HOURS.total_seconds()),
        },
    }
