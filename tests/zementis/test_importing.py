"""Jobs and models are copied from a running service: here a fake of the vendor's, which is an HTTP server."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from django.core.management import CommandError, call_command

from scheduler.models import Job
from tests.zementis.factories import FOREST, FOREST_MAPPINGS, a_device, a_job, a_job_body, a_model
from zementis import model_store
from zementis.importing import Service, ServiceError, Step, copy
from zementis.job_type import KIND

pytestmark = pytest.mark.django_db

MODELS = Path(__file__).parents[1] / "data" / "models"

LOGIN = "Basic " + base64.b64encode(b"t1/admin:secret").decode()


class Vendor:
    """A Zementis service with some jobs and models."""

    def __init__(self) -> None:
        self.jobs: Any = []
        self.sources: dict[str, bytes] = {}
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = vendor.answer(unquote(self.path), self.headers.get("Authorization"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, path: str, login: str | None) -> tuple[int, bytes]:
        if login != LOGIN:
            return 401, b"{}"
        if path == "/service/zementis/jobs":
            return 200, self.jobs if isinstance(self.jobs, bytes) else json.dumps(self.jobs).encode()
        name = path.removeprefix("/service/zementis/model/").removesuffix("/source")
        return (200, self.sources[name]) if name in self.sources else (404, b"{}")

    def service(self) -> Service:
        return Service(self.url, user="t1/admin", password="secret", retries=0)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    started = Vendor()
    yield started
    started.close()


def their_job(target: int, **changes: Any) -> dict[str, Any]:
    """A job as GET answers it there."""
    body = a_job_body(target, **changes)
    return {
        "jobId": 10979435,
        "jobCreationDate": "2019-09-30T15:58:20.749Z",
        **body,
        "jobStatus": "Warning",
        "lastExecutionDuration": "63",
    }


def run(vendor: Vendor, **options: Any) -> list[Step]:
    return list(copy(vendor.service(), by="importer", **{"dry_run": False, **options}))


def tell(vendor: Vendor, **options: Any) -> list[str]:
    """Return the lines that the command says."""
    said = StringIO()
    call_command("import_zementis", url=vendor.url, auth="t1/admin:secret", stdout=said, **options)
    return said.getvalue().splitlines()


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the first words of what was logged as done."""
    words = [record.getMessage().split(" ")[0] for record in caplog.records]
    return [word for word in words if word in ("model.uploaded", "job.created")]


def a_single_run(at: str) -> dict[str, str]:
    """The schedule of a job that runs once, over one day."""
    return {
        "frequency": "once",
        "scheduleAt": at,
        "dataFrom": "2019-10-04T00:00:00Z",
        "dataTo": "2019-10-05T00:00:00Z",
    }


def test_jobs_come_with_their_models(vendor: Vendor) -> None:
    vendor.sources["IsolationForest"] = FOREST.read_bytes()
    vendor.jobs = [their_job(a_device().pk, jobName="second"), their_job(a_device().pk, jobName="first")]
    assert run(vendor) == [
        Step("model", "IsolationForest", "copied"),
        Step("job", "first", "copied"),
        Step("job", "second", "copied"),
    ]
    assert [job.name for job in Job.objects.of_kind(KIND).order_by("number")] == ["first", "second"]
    assert model_store.source(model_store.get("IsolationForest")) == FOREST.read_bytes()


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    vendor.sources["IsolationForest"] = FOREST.read_bytes()
    vendor.jobs = [their_job(a_device().pk)]
    assert (tell(vendor), logged(caplog)) == (
        [
            "to copy  model IsolationForest",
            "to copy  job SampleJob",
            "1 job to copy, 1 model to copy (dry run: nothing was changed; --apply writes)",
        ],
        [],
    )
    assert (Job.objects.count(), model_store.names()) == (0, [])
    assert (tell(vendor, apply=True), logged(caplog)) == (
        ["copied   model IsolationForest", "copied   job SampleJob", "1 job copied, 1 model copied"],
        ["model.uploaded", "job.created"],
    )
    assert Job.objects.values_list("active", flat=True).get()


def test_jobs_may_come_paused(vendor: Vendor) -> None:
    a_model()
    vendor.jobs = [their_job(a_device().pk)]
    tell(vendor, inactive=True, apply=True)
    assert Job.objects.values_list("active", "state__next_fire_at").get() == (False, None)


def test_copying_again_copies_nothing_twice(vendor: Vendor) -> None:
    a_model()
    vendor.jobs = [their_job(a_device().pk)]
    run(vendor)
    assert [step.outcome for step in run(vendor)] == ["present", "present"]
    assert Job.objects.count() == 1


def test_jobs_that_differ_in_their_range_or_mapping_are_not_taken_for_one(vendor: Vendor) -> None:
    a_model()
    device = a_device().pk
    once = a_single_run("2099-01-01T00:00:00Z")
    first, *others = FOREST_MAPPINGS
    swapped = {**FOREST_MAPPINGS, first: FOREST_MAPPINGS[others[0]], others[0]: FOREST_MAPPINGS[first]}
    vendor.jobs = [
        their_job(device),
        their_job(device, modelToDeviceMappings=swapped),
        their_job(device, jobSchedule=once),
        their_job(device, jobSchedule={**once, "dataTo": "2019-10-06T00:00:00Z"}),
        their_job(device, jobSchedule={**once, "scheduleAt": "2099-01-02T01:00:00+01:00"}),
        {**their_job(device, jobName="an id as text"), "associatedGroupOrDeviceId": str(device)},
    ]
    assert [step.outcome for step in run(vendor)] == ["present", *["copied"] * 6]
    assert [step.outcome for step in run(vendor)] == ["present"] * 7
    assert Job.objects.count() == 6


def test_an_onnx_model_comes_from_a_service_that_knows_one_address_for_both(vendor: Vendor) -> None:
    content = (MODELS / "onnx_logistic_regression.onnx").read_bytes()
    vendor.sources["mixed"] = content
    vendor.jobs = [{"associatedModel": "mixed"}]
    assert run(vendor)[0] == Step("model", "mixed", "copied")
    assert (model_store.get("mixed").format, model_store.source(model_store.get("mixed"))) == ("ONNX", content)


def test_a_job_that_cannot_be_here_tells_why_and_stops_no_other(vendor: Vendor) -> None:
    a_model()
    device = a_device().pk
    once = a_single_run("2020-01-01T00:00:00Z")
    vendor.jobs = [
        their_job(device),
        their_job(999_999_999, jobName="lost"),
        their_job(device, jobName="past", jobSchedule=once),
    ]
    assert run(vendor) == [
        Step("model", "IsolationForest", "present"),
        Step(
            "job",
            "past",
            "refused",
            ("Unable to trigger the job since schedule date 2020-01-01T00:00:00Z is prior to the current time",),
        ),
        Step("job", "lost", "refused", ("Device or group with id 999999999 does not exist or it is invalid",)),
        Step("job", "SampleJob", "copied"),
    ]


def test_ids_of_devices_may_differ(vendor: Vendor) -> None:
    a_model()
    here = a_device().pk
    vendor.jobs = [their_job(10417743)]
    run(vendor, devices={10417743: here})
    assert Job.objects.get().arguments["target"] == here


def test_a_model_whose_file_is_kept_back_is_told(vendor: Vendor) -> None:
    vendor.jobs = [their_job(a_device().pk)]
    model, job = run(vendor)
    assert model == Step(
        "model", "IsolationForest", "refused", ("The service does not give its file: upload it by hand.",)
    )
    assert job.reasons == ("Model 'IsolationForest' not found.",)


@pytest.mark.parametrize("jobs", [b"nonsense", b"{}", b"[1]", b"null"])
def test_an_answer_of_another_kind_is_told(vendor: Vendor, jobs: bytes) -> None:
    vendor.jobs = jobs
    with pytest.raises(ServiceError):
        run(vendor)


@pytest.mark.parametrize("job", [{}, {"jobName": 5}, {"jobName": "\x00", "jobSchedule": 7}, {"associatedModel": ["x"]}])
def test_a_job_of_another_shape_is_refused(vendor: Vendor, job: dict[str, Any]) -> None:
    vendor.jobs = [job]
    assert run(vendor)[-1].outcome == "refused"


@pytest.mark.parametrize(
    "options",
    [
        {"auth": "nobody"},
        {"auth": "t1/admin:wrong"},
        {"auth": "t1/admin:secret", "url": "ftp://x"},
        {"auth": "t1/admin:secret", "url": "http://127.0.0.1:1"},
        {"auth": "t1/admin:secret", "device": ["a=b"]},
    ],
)
def test_the_command_complains_in_one_line(vendor: Vendor, options: dict[str, Any]) -> None:
    with pytest.raises(CommandError):
        call_command("import_zementis", **{"url": vendor.url, **options}, stdout=StringIO())


def test_a_job_of_this_service_is_copied_as_it_is_told(vendor: Vendor) -> None:
    """What GET answers here, another instance takes."""
    from scheduler import jobs
    from zementis import serializers

    a_model()
    job = a_job(a_device().pk)
    told = serializers.job(jobs.get(KIND, job.number), running=False)
    jobs.delete(job, by="tester")
    vendor.jobs = [told]
    assert [step.outcome for step in run(vendor)] == ["present", "copied"]
    assert Job.objects.get().arguments["mappings"] == [list(pair) for pair in FOREST_MAPPINGS.items()]
