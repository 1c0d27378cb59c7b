"""A second instance as the tenant: own servers, own database, and a line to it that fails now and then."""

import http.client
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import numpy as np
import pytest
import requests
from pytest_django import Settings

from scheduler import jobs
from scheduler.models import Execution, Job, Status
from tests.http_server import PatientServer
from tests.live.servers import Server, _root, put_database
from tests.processes import ROOT, Processes
from tests.waiting import NOISE, wait_for
from tests.zementis.factories import FOREST, FOREST_MAPPINGS, NOON, a_job, a_model, motion, once
from zementis import inference, inference_pages
from zementis.devices.source import CUMULOCITY

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

USER, PASSWORD = "tenant", "the tenant's own secret"
ROWS = 4_500


class Line:
    """Passes requests on to the tenant, and every third one meets a fault first, another one each time."""

    FAULTS = ("busy", "cut off", "broken off", "silent")

    def __init__(self, port: int) -> None:
        self.asked: list[str] = []
        self.met: Counter[str] = Counter()
        self._released = threading.Event()
        self._lock = threading.Lock()
        line = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fault = line.next_fault(self.path)
                if fault == "busy":
                    self.send_response(503)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if fault == "silent":
                    line._released.wait(20)
                if fault in ("cut off", "silent"):
                    self.close_connection = True
                    return
                tenant = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                headers = {name: self.headers[name] for name in ("Authorization", "Accept") if name in self.headers}
                tenant.request("GET", self.path, headers=headers)
                answer = tenant.getresponse()
                body = answer.read()
                tenant.close()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if fault == "broken off":
                    self.close_connection = True
                    body = body[: len(body) // 2]
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Keep quiet."""

        self._server = PatientServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def next_fault(self, path: str) -> str:
        with self._lock:
            self.asked.append(path)
            if len(self.asked) % 3:
                return ""
            fault = self.FAULTS[self.met.total() % len(self.FAULTS)]
            self.met[fault] += 1
            return fault

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()


class Tenant:
    """The second instance, and what its owner does over HTTP."""

    def __init__(self, processes: Processes, server: Server) -> None:
        environment = {"DATABASE_URL": server.url, "ZEMENTIS_DATA_SOURCE": "local"}
        owner = {"DJANGO_SUPERUSER_USERNAME": USER, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
        subprocess.run(
            [sys.executable, "manage.py", "createsuperuser", "--noinput", "--email=t@example.com"],
            cwd=ROOT,
            env={**os.environ, **environment, **owner},
            check=True,
            timeout=120,
            capture_output=True,
        )
        self.process, self.url = processes.web(**environment)
        self._session = requests.Session()
        self._session.auth = (USER, PASSWORD)

    def post(self, path: str, body: Any) -> Any:
        answer = self._session.post(f"{self.url}{path}", json=body, headers={"Accept": "application/json"}, timeout=60)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def device(self, **fragments: Any) -> int:
        return int(self.post("/inventory/managedObjects", {"name": "a device", **fragments})["id"])

    def measure(self, device: int, rows: np.ndarray[Any, Any]) -> None:
        """Post rows of the forest's six series, a second apart, a thousand at a time."""
        bodies = [
            motion(device, time=NOON + timedelta(seconds=place), values=row) for place, row in enumerate(rows.tolist())
        ]
        for start in range(0, len(bodies), 1_000):
            self.post("/measurement/measurements", {"measurements": bodies[start : start + 1_000]})


@pytest.fixture
def tenant(processes: Processes) -> Iterator[Tenant]:
    from jobsite.embedded.postgres import Postgres

    with _root() as root:
        put_database(root)
        server = Server(Postgres(root, durable=False))
        try:
            made = Tenant(processes, server)
            yield made
            made.process.close()
        finally:
            server.close()


@pytest.fixture
def line(tenant: Tenant) -> Iterator[Line]:
    made = Line(int(tenant.url.rpartition(":")[2]))
    yield made
    made.close()


def run(job: Job) -> Execution:
    """Have the worker run a job; the ended execution."""
    execution = jobs.run_now(job, by="tester")

    def ended() -> Execution | None:
        found = Execution.objects.get(pk=execution.pk)
        return None if Status(found.status).is_open else found

    return wait_for(ended)


def test_a_worker_scores_the_devices_of_another_instance_over_a_line_that_fails(
    processes: Processes, tenant: Tenant, line: Line, settings: Settings
) -> None:
    random = np.random.default_rng(3)
    matrices = [(random.normal(0, 1, (rows, 6)) + [0, 0, 9.8, 0, 0, 0]).round(3) for rows in (ROWS, 700)]
    devices = [tenant.device(c8y_IsDevice={}) for _ in range(3)]
    inner, group = (tenant.device(c8y_IsDeviceGroup={}) for _ in range(2))
    for parent, child in ((inner, devices[0]), (inner, devices[2]), (group, devices[1]), (group, inner)):
        tenant.post(f"/inventory/managedObjects/{parent}/childAssets", {"managedObject": {"id": str(child)}})
    for device, matrix in zip(devices, matrices, strict=False):
        tenant.measure(device, matrix)

    access = {"C8Y_BASEURL": line.url, "C8Y_TENANT": "t1", "C8Y_USER": USER, "C8Y_PASSWORD": PASSWORD}
    worker: Any = {**access, "ZEMENTIS_DATA_SOURCE": CUMULOCITY, "C8Y_TIMEOUT_SECONDS": "3", "C8Y_RETRIES": "4"}
    settings.ZEMENTIS_DATA_SOURCE = CUMULOCITY
    settings.C8Y_TIMEOUT_SECONDS, settings.C8Y_RETRIES = 3, 4
    for name, value in access.items():
        setattr(settings, name, value)
    a_model()
    job = a_job(group, jobSchedule=once(NOON, NOON + timedelta(days=1)))
    processes.worker(queues="inference", pool="prefork", concurrency=1, **worker)
    ended = run(job)

    silent = f"The device {devices[2]} was not active or sending any measurements during the time specified"
    assert (Status(ended.status), ended.attempt) == (Status.WARNED, 1)
    assert ended.messages == [f"{silent} for data range"]
    scorer = inference.load(FOREST.read_bytes(), format="PMML", engine="trees")
    for device, matrix in zip(devices, matrices, strict=False):
        expected = scorer.score({name: matrix[:, place] for place, name in enumerate(FOREST_MAPPINGS)})
        found = [
            page for number in range(1, 4) for page in inference_pages.read(ended, number) if page.device == device
        ]
        assert [time for page in found for time in page.times] == [
            int((NOON + timedelta(seconds=place)).timestamp()) * 1_000_000 for place in range(len(matrix))
        ]
        for name, column in expected.items():
            assert [value for page in found for value in page.columns[name]] == column.tolist()
    # Of 4,500 measurements, at most 2,000 a page, there were three pages, and each kind of fault was met.
    assert any("currentPage=3" in path and "measurements" in path for path in line.asked)
    assert set(line.met) == set(Line.FAULTS)

    # The tenant is gone for good: the run fails, says why, and the job may try again.
    tenant.process.kill()
    line.met.clear()
    job = jobs.update(job, {"max_retries": 0}, by="tester")
    lost = run(job)
    assert (Status(lost.status), lost.messages) == (Status.FAILED, ["The tenant could not be reached."])
    assert lost.started_at is not None and datetime.now(UTC) - lost.started_at < timedelta(seconds=60) + NOISE
    assert list(inference_pages.read(lost, 1)) == []
