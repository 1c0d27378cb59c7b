"""Users, models, devices and measurements that are valid by default."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Permission, User

from scheduler.job_types import RunCancelled
from scheduler.models import Execution, Job, Status
from zementis import inference, job_form
from zementis.devices import managed_objects, measurements
from zementis.inference import ModelDescription
from zementis.inference.description import Format
from zementis.inference_pages import PageStore
from zementis.models import ManagedObject, ModelSource, ModelVersion, ScoringModel
from zementis.page_encoding import PageMaker

ROOT = Path(__file__).resolve().parents[2]
FOREST = ROOT / "zementis" / "demo" / "IsolationForest.pmml"
COMFORT = ROOT / "zementis" / "demo" / "Comfort.onnx"
SAMPLES = ROOT / "tests" / "data" / "models"
LINE = SAMPLES / "linear_regression.pmml"

FOREST_MAPPINGS = {
    "accelerationX": "c8y_Acceleration.accelerationX.value",
    "accelerationY": "c8y_Acceleration.accelerationY.value",
    "accelerationZ": "c8y_Acceleration.accelerationZ.value",
    "gyroX": "c8y_Gyroscope.gyroX.value",
    "gyroY": "c8y_Gyroscope.gyroY.value",
    "gyroZ": "c8y_Gyroscope.gyroZ.value",
}
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
PASSWORD = "secret"
_numbers = itertools.count(1)


@cache
def description_of(path: Path) -> ModelDescription:
    """What the inspection says of a file; asked once a session, for it takes seconds."""
    return inference.inspect(path, format=_format(path))


def _format(path: Path) -> Format:
    return "ONNX" if path.suffix == ".onnx" else "PMML"


def a_user(*permissions: str, superuser: bool = False, name: str | None = None, password: str = PASSWORD) -> User:
    """A user with permissions given as ``app.codename``."""
    name = name or f"user{next(_numbers)}"
    if superuser:
        return User.objects.create_superuser(name, password=password)
    user = User.objects.create_user(name, password=password)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


def a_model(path: Path = FOREST, *, name: str | None = None, active: bool = True) -> ScoringModel:
    """A stored model, inspected for real but once a session."""
    content = path.read_bytes()
    description = description_of(path)
    model = ScoringModel.objects.create(name=name or description.name or path.stem, active=active, created_by="tester")
    source, _ = ModelSource.objects.get_or_create(
        content_hash=sha256(content).hexdigest(), defaults={"content": content}
    )
    ModelVersion.objects.create(
        model=model,
        number=1,
        source=source,
        format=_format(path),
        file_name=path.name,
        size_bytes=len(content),
        description=description.to_json(),
        uploaded_by="tester",
    )
    return model


def a_device(name: str = "machine", **fragments: Any) -> ManagedObject:
    return managed_objects.create({"name": name, "type": "machine", "c8y_IsDevice": {}, **fragments}, by="tester")


def a_group(*members: ManagedObject, name: str = "hall") -> ManagedObject:
    group = managed_objects.create({"name": name, "type": "c8y_DeviceGroup", "c8y_IsDeviceGroup": {}}, by="tester")
    if members:
        managed_objects.add_children(group.pk, [member.pk for member in members], kind="asset")
    return group


def a_measurement(device: int | str, *, time: datetime = NOON, kind: str = "motion", **series: float) -> dict[str, Any]:
    """A measurement as it is posted; ``c8y_Acceleration__accelerationX=1.0`` names a series."""
    body: dict[str, Any] = {"source": {"id": str(device)}, "type": kind, "time": time.isoformat()}
    for name, value in series.items():
        fragment, _, short = name.partition("__")
        body.setdefault(fragment, {})[short] = {"value": value}
    return body


def motion(
    device: int, *, time: datetime = NOON, values: Sequence[float] = (0.1, 0.2, 9.8, 0.0, 0.0, 0.0)
) -> dict[str, Any]:
    """A measurement of all six series of the forest."""
    body = a_measurement(device, time=time)
    for path, value in zip(FOREST_MAPPINGS.values(), values, strict=True):
        fragment, series, _ = path.split(".")
        body.setdefault(fragment, {})[series] = {"value": value}
    return body


def store(*bodies: Mapping[str, Any]) -> list[int]:
    """Store measurements given as they are posted."""
    return measurements.store([measurements.read(dict(body)) for body in bodies])


def many_motions(device: int, count: int, *, start: datetime = NOON, step: timedelta = timedelta(seconds=1)) -> None:
    """Store ``count`` measurements of a device with values that repeat themselves nowhere."""
    store(
        *(
            motion(
                device,
                time=start + place * step,
                values=[0.01 * place, 0.2, 9.8 - 0.001 * place, 0.1, -0.1, 0.0001 * place],
            )
            for place in range(count)
        )
    )


def a_job_body(target: int, *, model: str = "IsolationForest", **changes: Any) -> dict[str, Any]:
    """A periodic job as clients post it."""
    body: dict[str, Any] = {
        "jobName": "SampleJob",
        "jobDescription": "SampleDescription",
        "associatedGroupOrDeviceId": target,
        "associatedModel": model,
        "modelToDeviceMappings": dict(FOREST_MAPPINGS),
        "jobSchedule": {
            "frequency": "periodic",
            "cronExpression": "10 * * ? * *",
            "dataFromPreviousNSeconds": 3600,
            "timeZone": "Asia/Kolkata",
        },
    }
    return {**body, **changes}


def a_job(target: int, **changes: Any) -> Job:
    return job_form.create(a_job_body(target, **changes), by="tester")


def once(first: datetime, last: datetime, *, run_at: datetime | None = None) -> dict[str, Any]:
    """The schedule of a single run over [first, last)."""
    run_at = run_at or datetime.now(UTC) + timedelta(days=1)
    return {
        "frequency": "once",
        "scheduleAt": run_at.isoformat(),
        "dataFrom": first.isoformat(),
        "dataTo": last.isoformat(),
    }


@dataclass
class Context:
    """A run's context without a worker: what a job type is told, and what it says."""

    execution_id: int
    job_pk: int
    job_number: int = 1
    job_name: str = "SampleJob"
    number: int = 1
    attempt: int = 1
    token: int = 1
    scheduled_for: datetime = NOON
    started_at: datetime = NOON
    cancelled: bool = False
    seconds_left: float = 3600.0
    progresses: list[tuple[int, int]] = field(default_factory=list)
    cancel_after_checks: int | None = None

    def check(self) -> None:
        if self.cancel_after_checks is not None:
            self.cancel_after_checks -= 1
            self.cancelled = self.cancel_after_checks < 0
        if self.cancelled:
            raise RunCancelled

    def on_cancel(self, action: Any) -> None:
        self.action = action

    def progress(self, done: int, total: int) -> None:
        self.progresses.append((done, total))


def a_running_execution(job: Job, *, number: int = 1, at: datetime = NOON, attempt: int = 1) -> Execution:
    """An execution that a worker holds."""
    return Execution.objects.create(
        job=job,
        number=number,
        scheduled_for=at,
        status=Status.RUNNING,
        queue="inference",
        attempt=attempt,
        token=1,
        started_at=at,
        lease_until=at + timedelta(hours=1),
    )


def a_context(job: Job, *, at: datetime = NOON, number: int = 1, **changes: Any) -> Context:
    """The context of a running execution of ``job`` that was due at ``at``."""
    execution = a_running_execution(job, number=number, at=at, attempt=changes.get("attempt", 1))
    return Context(execution.pk, job.pk, job_number=job.number, number=number, scheduled_for=at, **changes)


class PageWriter:
    """Stores inferences as a run does, without a run."""

    def __init__(self, execution_id: int, attempt: int) -> None:
        self._store = PageStore(execution_id, attempt)
        self._pages = PageMaker()
        self._devices: list[int] = []

    def add(self, device: int, times: Any, columns: Mapping[str, Any]) -> None:
        self._devices.append(device)
        self._store.put(self._pages.add(device, times, columns))

    def close(self) -> None:
        for device in self._devices:
            self._store.put(self._pages.end(device))
        self._store.flush()


def end(
    context: Context, status: Status, messages: Sequence[str] = (), *, after: timedelta = timedelta(seconds=1)
) -> Execution:
    """End the execution of a context as the core would."""
    execution = Execution.objects.get(pk=context.execution_id)
    execution.status, execution.ended_at = status, (execution.started_at or NOON) + after
    execution.token = execution.lease_until = None
    execution.messages = list(messages)
    execution.save()
    return execution
