"""From measurements in PostgreSQL to stored inferences in one run, beside the bare engine on the same matrix.

    python -m benchmarks.scoring [--rows 1000 100000 1000000] [--devices 1 1000] [--quick]
    python -m benchmarks.scoring --memory [--devices 1000] [--rows 2000000]

A run is what a worker does with an execution: it finds the model and the devices, reads the window, builds the rows,
scores them and stores the pages. The bare engine is its own call on the ready-made matrix, see `benchmarks.engines`.

With ``--memory`` a real worker runs one job, and what is told is the most memory its processes took; then a fresh web
process is asked for a page over all devices, the first of its life and a second one.
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.rig import Rig

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """A model and the engine that runs it."""

    title: str
    path: Path
    engine: str


def cases() -> list[Case]:
    """Return what is measured."""
    from benchmarks.engines import FOREST, MODELS

    return [
        Case("100-tree IsolationForest, compiled", FOREST, "trees"),
        Case("100-tree IsolationForest, pypmml", FOREST, "pypmml"),
        Case("logistic regression, onnxruntime", MODELS / "onnx_logistic_regression.onnx", "onnxruntime"),
        Case("neural network, onnxruntime", MODELS / "onnx_neural_network.onnx", "onnxruntime"),
        Case("logistic regression, pypmml", MODELS / "logistic_regression.pmml", "pypmml"),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 1_000], help="devices that share the rows")
    parser.add_argument("--quick", action="store_true", help="100,000 rows of one device")
    parser.add_argument("--only", default="", help="cases whose title holds this")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--java-rows", type=int, default=100_000, help="most rows for pypmml, which takes its time")
    parser.add_argument("--memory", action="store_true", help="of a worker with one job over --devices, --rows in all")
    options = parser.parse_args()
    rows, devices = ([100_000], [1]) if options.quick else (options.rows, options.devices)
    with Rig(extra_apps="") as rig:
        rig.set_up()
        if options.memory:
            taken = [_worker_memory(rig, case, rows[-1], devices[-1]) for case in cases() if options.only in case.title]
            report.table("Memory of the worker, and a page over all devices from a fresh web process", taken)
            print(f"\nmachine: {report.machine()}")
            return
        chosen = [case for case in cases() if options.only in case.title]
        found: list[dict[str, Any]] = []
        for count in rows:
            for spread in devices:
                if spread == 1 or count >= 100 * spread:
                    able = [case for case in chosen if case.engine != "pypmml" or count <= options.java_rows]
                    found += _measured(able, count, spread, repeat=options.repeat)
        report.table("Rows per second, from measurements to stored inferences", found)
        print(f"\npeak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
        print(f"machine: {report.machine()}")


def _measured(chosen: list[Case], count: int, devices: int, *, repeat: int) -> list[dict[str, Any]]:
    lines = []
    for case in chosen:
        job, inputs = _prepared(case, count, devices)
        bare = _bare_seconds(case, inputs, repeat=repeat)
        run = min(_run_seconds(job, number) for number in range(1, repeat + 1))
        page = _page_milliseconds(job)
        _cleared()
        lines.append(
            {
                "model": case.title,
                "rows": count,
                "devices": devices,
                "bare rows/s": round(count / bare),
                "run rows/s": round(count / run),
                "run / bare": round(bare / run, 3),
                "page ms, first byte": page[0],
                "page ms, whole": page[1],
            }
        )
        print(lines[-1], flush=True)
    return lines


def _prepared(case: Case, count: int, devices: int) -> tuple[Any, Any]:
    """Store model, devices, measurements and job; return the job and the matrix its window holds."""
    from hashlib import sha256

    from zementis import inference, job_form
    from zementis.devices import managed_objects
    from zementis.models import ModelSource, ModelVersion, ScoringModel

    content = case.path.read_bytes()
    format_: Any = "ONNX" if case.path.suffix == ".onnx" else "PMML"
    description = {**inference.inspect(content, format=format_).to_json(), "engine": case.engine}
    model = ScoringModel.objects.create(name="benchmark", created_by="benchmark")
    # The engine is part of the key, so that the worker's cache cannot mix two engines of one file.
    source = ModelSource.objects.create(
        content_hash=sha256(content + case.engine.encode()).hexdigest(), content=content
    )
    ModelVersion.objects.create(
        model=model,
        number=1,
        source=source,
        format=format_,
        file_name=case.path.name,
        size_bytes=len(content),
        description=description,
        uploaded_by="benchmark",
    )
    names = [field["name"] for field in description["inputs"]]
    ids = [
        managed_objects.create({"c8y_IsDevice": {}, "name": f"device {place}"}, by="benchmark").pk
        for place in range(devices)
    ]
    group = managed_objects.create({"c8y_IsDeviceGroup": {}}, by="benchmark").pk
    managed_objects.add_children(group, ids, kind="asset")
    matrix = _filled(ids, len(names), count)
    body = {
        "jobName": "benchmark",
        "associatedGroupOrDeviceId": group if devices > 1 else ids[0],
        "associatedModel": "benchmark",
        "modelToDeviceMappings": {name: f"c8y_Benchmark.s{place}.value" for place, name in enumerate(names)},
        "jobSchedule": {
            "frequency": "once",
            "scheduleAt": "2099-01-01T00:00:00Z",
            "dataFrom": NOON.isoformat(),
            "dataTo": (NOON + timedelta(days=40)).isoformat(),
        },
    }
    return job_form.create(body, by="benchmark"), matrix


def _filled(ids: list[int], width: int, count: int) -> Any:
    """Store ``count`` measurements of ``width`` series, shared by the devices; return them as one matrix."""
    import numpy as np
    from django.db import connection

    from zementis.devices import blocks, layouts
    from zementis.devices.layouts import Layout
    from zementis.models import DeviceLayout, SeriesLayout

    layout = Layout("benchmark", tuple(("c8y_Benchmark", f"s{place}", None) for place in range(width)))
    stored = SeriesLayout.objects.create(
        digest=layout.digest, type=layout.type, series=[list(part) for part in layout.series]
    )
    DeviceLayout.objects.bulk_create([DeviceLayout(device_id=device, layout=stored) for device in ids])
    layouts.forget()
    random = np.random.default_rng(7)
    matrix = random.normal(0.0, 1.0, (count, width)).round(4)
    per_device = -(-count // len(ids))
    with (
        connection.cursor() as cursor,
        cursor.copy('COPY zementis_measurement (device_id, "time", layout_id, "values") FROM STDIN') as copy,
    ):
        for start in range(0, count, 10_000):
            lines = []
            for place, values in enumerate(matrix[start : start + 10_000].tolist(), start=start):
                time_ = NOON + timedelta(seconds=place % per_device)
                text = ",".join(map(repr, values))
                lines.append(f"{ids[place // per_device]}\t{time_.isoformat()}\t{stored.pk}\t{{{text}}}\n")
            copy.write("".join(lines))
    # What ingest does of itself, two thousand rows of a device at a time.
    blocks.pack_all()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE zementis_measurement, zementis_measurementblock")
    return matrix


def _bare_seconds(case: Case, matrix: Any, *, repeat: int) -> float:
    from benchmarks.engines import bare
    from zementis import inference

    format_: Any = "ONNX" if case.path.suffix == ".onnx" else "PMML"
    engine: Any = case.engine
    scorer = inference.load(case.path.read_bytes(), format=format_, engine=engine)
    call = bare(scorer, matrix, content=case.path.read_bytes())
    call()
    seconds = []
    for _ in range(repeat):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    scorer.close()
    return min(seconds)


@dataclass
class _Context:
    """A run's context that nobody cancels."""

    execution_id: int
    job_pk: int
    scheduled_for: datetime
    attempt: int = 1
    job_number: int = 1
    job_name: str = "benchmark"
    number: int = 1
    token: int = 1
    cancelled: bool = False
    seconds_left: float = 1e6

    @property
    def started_at(self) -> datetime:
        return self.scheduled_for

    def check(self) -> None:
        """Go on."""

    def on_cancel(self, action: Any) -> None:
        """Nobody cancels."""

    def progress(self, done: int, total: int) -> None:
        """Nobody looks."""


def _run_seconds(job: Any, number: int) -> float:
    from scheduler import job_types
    from scheduler.models import Execution, Status

    now = datetime.now(UTC)
    execution = Execution.objects.create(
        job=job,
        number=number,
        scheduled_for=now,
        status=Status.RUNNING,
        queue="inference",
        attempt=1,
        token=1,
        started_at=now,
        lease_until=now + timedelta(hours=1),
    )
    context: Any = _Context(execution.pk, job.pk, now, number=number)
    started = time.perf_counter()
    outcome = job_types.get("zementis").run(job.arguments, context)
    seconds = time.perf_counter() - started
    if outcome.status != Status.SUCCEEDED:
        raise RuntimeError(f"the run ended {outcome.status.label}: {outcome.messages}")
    return seconds


def _worker_memory(rig: Rig, case: Case, count: int, devices: int) -> dict[str, Any]:
    """Have a worker of its own run a job; return the most memory that its processes took, in megabytes."""
    from scheduler import jobs
    from scheduler.models import Execution, Status

    job, _ = _prepared(case, count, devices)
    worker = rig.worker(queue="inference", pool="prefork", slots=1)
    idle = worker.peak_megabytes
    started = time.perf_counter()
    execution = jobs.run_now(job, by="benchmark")
    while Execution.objects.get(pk=execution.pk).ended_at is None:
        worker.check()
        time.sleep(0.05)
    seconds = time.perf_counter() - started
    ended = Execution.objects.get(pk=execution.pk)
    if ended.status != Status.SUCCEEDED:
        raise RuntimeError(f"the run ended {Status(ended.status).label}: {ended.messages}")
    peak = worker.peak_megabytes
    worker.stop()
    page = _asked(rig, job.number, ended.number or 1)
    _cleared()
    line: dict[str, Any] = {
        "model": case.title,
        "rows": count,
        "devices": devices,
        "seconds": round(seconds, 1),
        "idle MB": round(idle),
        "most MB": round(peak),
        **page,
    }
    print(line, flush=True)
    return line


def _asked(rig: Rig, job: int, execution: int) -> dict[str, float]:
    """Ask a fresh web process for a page; return when its answer began and was whole, for the first time and then."""
    from base64 import b64encode
    from contextlib import closing
    from http.client import HTTPConnection

    from django.contrib.auth.models import User

    from benchmarks.ingest import free_port, serve

    if not User.objects.filter(username="benchmark").exists():
        User.objects.create_superuser("benchmark", password="benchmark")
    login = {"Authorization": "Basic " + b64encode(b"benchmark:benchmark").decode()}
    port = free_port()
    web = serve(rig, port)
    found: dict[str, float] = {}
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        # A password's hash is slow on purpose, and is not what is measured.
        connection.request("GET", "/service/zementis/jobs", headers=login)
        connection.getresponse().read()
        for time_ in ("cold", "warm"):
            started = time.perf_counter()
            connection.request("GET", f"/service/zementis/job/{job}/history/{execution}/inferences", headers=login)
            answer = connection.getresponse()
            answer.read(1000)
            found[f"{time_} page ms, first bytes"] = round((time.perf_counter() - started) * 1000, 1)
            size = 1000 + len(answer.read())
            found[f"{time_} page ms, whole"] = round((time.perf_counter() - started) * 1000, 1)
            found["page MB"] = round(size / 1e6, 1)
            if answer.status != 200:
                raise RuntimeError(f"the page was answered with {answer.status}")
    web.stop()
    return found


def _page_milliseconds(job: Any) -> tuple[float, float]:
    """Ask for the last page of the first device over the web's view; return when its answer began and was whole."""
    from base64 import b64encode

    from django.contrib.auth.models import User
    from django.test import Client

    from scheduler.models import Execution, Status
    from zementis.models import InferencePage

    if not User.objects.filter(username="benchmark").exists():
        User.objects.create_superuser("benchmark", password="benchmark")
    Execution.objects.filter(job=job).update(
        status=Status.SUCCEEDED, ended_at=datetime.now(UTC), token=None, lease_until=None
    )
    last = InferencePage.objects.order_by("-page").values_list("page", flat=True)[0]
    login = "Basic " + b64encode(b"benchmark:benchmark").decode()
    path = f"/service/zementis/job/{job.number}/history/1/inferences?currentPage={last}"
    client = Client(headers={"authorization": login, "host": "localhost"})
    for _ in range(2):
        started = time.perf_counter()
        parts = iter(client.get(path).streaming_content)  # type: ignore[attr-defined]
        next(parts)
        next(parts)
        first = time.perf_counter() - started
        for _ in parts:
            pass
        whole = time.perf_counter() - started
    return round(first * 1000, 1), round(whole * 1000, 1)


def _cleared() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE zementis_measurement, zementis_inferencepage, zementis_devicelayout, zementis_serieslayout,"
            " zementis_childreference, zementis_managedobject, zementis_modelversion, zementis_modelsource,"
            " zementis_scoringmodel, scheduler_job, scheduler_jobstate, scheduler_execution CASCADE"
        )


if __name__ == "__main__":
    main()
