"""What the OpenAPI document says of this surface is what it does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import requests
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from scheduler import executions, job_types, jobs
from scheduler.models import Execution, Job, Status
from tests import described
from tests.contract import zementis as contract
from tests.zementis import factories
from tests.zementis.conftest import Api, content
from tests.zementis.factories import COMFORT, FOREST, NOON, Context, PageWriter, a_device, a_group, a_job_body
from zementis.models import ManagedObject
from zementis.schema.words import INVENTORY, JOBS, MEASUREMENTS, MODELS

SERVICE = "/service/zementis"
OBJECTS = "/inventory/managedObjects"
VENDOR = "application/vnd.com.nsn.cumulocity."
JSON = {"Accept": "application/json"}


def held(answer: Any, *, body: Any = None) -> str:
    """Hold an answer of the test client to the document and return the operation's id."""
    request = answer.request
    method, path = request["REQUEST_METHOD"], request["PATH_INFO"]
    if body is not None and answer.status_code < 400:
        described.check_body(method, path, request["CONTENT_TYPE"], body)
    accept = bool(request.get("HTTP_ACCEPT"))
    return described.check_answer(method, path, answer.status_code, answer.headers, content(answer), accept=accept)


def run_all() -> None:
    """Run what waits, and end it as a worker would."""
    for execution in Execution.objects.filter(status=Status.QUEUED).order_by("pk"):
        [started] = executions.start([execution.pk], worker="worker")
        context = Context(
            started.execution_id,
            started.job_pk,
            job_number=started.job_number,
            number=started.number,
            attempt=started.attempt,
            token=started.token,
            scheduled_for=execution.scheduled_for,
        )
        assert executions.finish(started, job_types.get("zementis").run(started.arguments, context))


class Described(contract.Server):
    """Makes the contract's requests and holds both sides to the document. What is waited for is run here."""

    def _answer(self, request: dict[str, Any]) -> requests.Response:
        answer = super()._answer(request)
        method, address = request["method"], str(answer.request.url)
        if (method, answer.status_code) == ("PUT", 404) and address.endswith("/history"):
            # The reference asks so; the address does not take the method and the job is not there.
            method = "GET"
        accept = "json" in str(answer.request.headers.get("Accept"))
        described.check_answer(method, address, answer.status_code, answer.headers, answer.content, accept=accept)
        if "body" in request and answer.ok:
            described.check_body(method, address, "application/json", self._filled(request["body"]))
        return answer

    def _wait(self, wanted: dict[str, Any]) -> None:
        job = Job.objects.get(kind="zementis", number=int(self._filled(wanted["job"])))
        while Execution.objects.of(job).history().count() < wanted["executions"]:
            jobs.run_now(job, by="contract")
            run_all()


@pytest.mark.django_db(transaction=True)
def test_every_request_of_the_contract_is_described_and_so_is_its_answer(live_server: Any) -> None:
    user = factories.a_user(superuser=True)
    server = Described(live_server.url, user.username, factories.PASSWORD)
    assert [result.name for result in server.run(contract.steps())] == contract.samples()


def measured(device: int) -> dict[str, Any]:
    return {**factories.a_measurement(device, c8y_Speed__speed=2.5), "c8y_Note": {"text": "loud"}}


@pytest.mark.django_db
def test_every_operation_on_jobs_answers_as_it_is_described(api: Api) -> None:
    factories.a_model()
    device, group = a_device().pk, a_group(a_device()).pk
    seen = set()
    for body in (
        a_job_body(device),
        a_job_body(group, jobDescription=None, jobSchedule=factories.once(NOON, NOON + timedelta(hours=1))),
        a_job_body(device, modelToDeviceMappings={path: name for name, path in factories.FOREST_MAPPINGS.items()}),
        {**a_job_body(device), "associatedGroupOrDeviceId": str(device)},
    ):
        seen.add(held(api.post(f"{SERVICE}/job", body), body=body))
    job = Job.objects.of_kind("zementis").earliest("number")
    for number, ending in ((1, Status.SUCCEEDED), (2, Status.WARNED), (3, Status.FAILED)):
        context = factories.a_context(job, number=number, at=NOON + timedelta(hours=number))
        seen.add(held(api.get(f"{SERVICE}/job/{job.number}")))
        writer = PageWriter(context.execution_id, context.attempt)
        columns = {"score": np.array([0.5, np.nan]), "outlier": np.array([True, False])}
        columns["label"] = np.array(["a", None], dtype=object)
        writer.add(device, np.array([1_000_000, 2_000_000], dtype=np.int64), columns)
        writer.close()
        factories.end(context, ending, ["told"])
    one = f"{SERVICE}/job/{job.number}"
    paths = ("/history", "/history/1", "/history/3/", "/history/1/inferences", "/history/1/inferences/")
    seen |= {held(api.get(one + path)) for path in ("", "/", *paths)}
    seen.add(held(api.get(f"{one}/history/1/inferences", {"withTimestamps": "true", "currentPage": "2"})))
    seen |= {held(api.get(f"{SERVICE}/jobs")), held(api.delete(one)), held(api.delete(f"{SERVICE}/jobs"))}
    assert seen == described.operations(JOBS)


@pytest.mark.django_db
def test_every_operation_on_models_answers_as_it_is_described(api: Api) -> None:
    record = dict.fromkeys(factories.FOREST_MAPPINGS, 0.5)
    seen = {held(api.get(f"{SERVICE}/models")), held(api.get(f"{SERVICE}/onnx/models"))}
    form = {"file": SimpleUploadedFile(FOREST.name, FOREST.read_bytes())}
    packed = {"content_type": "application/octet-stream"}
    uploads = [
        api._client.post(f"{SERVICE}/model", form, headers={"Authorization": api.login}),
        api.post(f"{SERVICE}/onnx/models?file={COMFORT.name}", COMFORT.read_bytes(), **packed),
        api.post(f"{SERVICE}/models", b"no model", **packed),
        api.post(f"{SERVICE}/onnx/model?file=x", b"no model", **packed),
    ]
    assert [answer.status_code for answer in uploads] == [201, 201, 400, 400]
    seen |= {held(answer) for answer in uploads}
    for path, name, body in (
        ("", "IsolationForest", record),
        ("onnx/", "Comfort", {"temperature": 22, "humidity": 45}),
    ):
        one = f"{SERVICE}/{path}model/{name}"
        seen |= {held(api.get(one)), held(api.get(f"{one}/source"))}
        seen |= {held(api.put(f"{one}/deactivate")), held(api.put(f"{one}/activate"))}
        scored = f"{SERVICE}/{path}apply/{name}"
        seen.add(held(api.get(scored, {"record": json.dumps(body)})))
        for sent in (body, [body, body], {"records": [body]}):
            seen.add(held(api.post(scored, sent), body=sent))
        table = ",".join(body) + "\n" + ",".join(map(str, body.values())) + "\n"
        seen.add(held(api.post(scored, table, content_type="text/csv", headers={"Accept": "text/csv"}), body=table))
        seen |= {held(api.delete(one)), held(api.delete(f"{SERVICE}/{path}models"))}
    assert seen == described.operations(MODELS)


@pytest.mark.django_db
def test_every_operation_on_the_inventory_answers_as_it_is_described(api: Api) -> None:
    seen = set()
    body = {"name": "pump", "type": "pump", "c8y_IsDevice": {}, "anything": [1, None]}
    for headers in ({}, JSON, {"Accept": f"{VENDOR}managedobject+json"}):
        made = api.post(OBJECTS, body, headers=headers)
        seen.add(held(made, body=body))
    device, other, third = (item.pk for item in ManagedObject.objects.order_by("pk"))
    group = a_group().pk
    factories.store(measured(device))
    for headers in (JSON, {"Accept": f"{VENDOR}managedobjectcollection+json"}):
        query = {"pageSize": "1", "currentPage": "2", "withTotalPages": "true", "withTotalElements": "true"}
        seen.add(held(api.get(OBJECTS, {**query, "withParents": "true"}, headers=headers)))
    for family in ("childAssets", "childDevices", "childAdditions"):
        children = f"{OBJECTS}/{group}/{family}"
        reference, several = {"managedObject": {"id": str(device)}}, {"references": [{"managedObject": {"id": other}}]}
        for headers in ({}, JSON):
            seen.add(held(api.post(children, reference, headers=headers), body=reference))
            seen.add(held(api.post(children, several, headers=headers), body=several))
        new = api.post(children, {"name": "new"}, content_type=f"{VENDOR}managedobject+json", headers=JSON)
        seen |= {held(new, body={"name": "new"}), held(api.get(children, {"withTotalPages": "true"}))}
        seen |= {held(api.get(f"{children}/{device}")), held(api.delete(f"{children}/{device}"))}
        seen.add(held(api.delete(children, several), body=several))
    one = f"{OBJECTS}/{device}"
    seen.add(held(api.put(one, {"type": None, "anything": None, "c8y_New": 1}), body={"type": None}))
    for path in ("", "/", "/supportedSeries", "/supportedMeasurements"):
        seen.add(held(api.get(one + path)))
    seen |= {held(api.get(f"{OBJECTS}/{group}", {"withParents": "true"})), held(api.delete(f"{OBJECTS}/{third}"))}
    seen |= {held(api.get("/tenant/currentTenant")), held(api.get("/user/currentUser"))}
    assert seen == described.operations(INVENTORY)


@pytest.mark.django_db
def test_every_operation_on_measurements_answers_as_it_is_described(api: Api) -> None:
    path, device = "/measurement/measurements", a_device().pk
    one, many = measured(device), {"measurements": [measured(device), measured(device)]}
    seen = set()
    for headers in ({}, JSON):
        seen |= {held(api.post(path, body, headers=headers), body=body) for body in (one, many)}
    single = api.post(path, one, content_type=f"{VENDOR}measurement+json", headers={"Accept": f"{VENDOR}*"})
    seen |= {held(single, body=one), held(api.post(path, {"measurements": []}, headers=JSON))}
    seen.add(held(api.get(path, {"source": str(device), "pageSize": "2", "withTotalElements": "true"})))
    number = single.json()["id"]
    seen |= {held(api.get(f"{path}/{number}")), held(api.delete(f"{path}/{number}"))}
    for query in ({}, {"aggregationType": "DAILY", "series": "c8y_Speed.speed"}):
        seen.add(held(api.get(f"{path}/series", {"source": str(device), **query})))
    seen.add(held(api.delete(f"{path}?source={device}")))
    assert seen == described.operations(MEASUREMENTS)


REFUSED: list[tuple[str, str, Any, int]] = [
    ("POST", f"{SERVICE}/job", {}, 400),
    ("POST", f"{SERVICE}/job", "{", 400),
    ("POST", f"{SERVICE}/job", a_job_body(10**9), 404),
    ("GET", f"{SERVICE}/job/0", None, 404),
    ("DELETE", f"{SERVICE}/job/0", None, 404),
    ("GET", f"{SERVICE}/job/0/history", None, 404),
    ("GET", f"{SERVICE}/job/0/history/1", None, 404),
    ("GET", f"{SERVICE}/job/0/history/1/inferences", None, 404),
    ("POST", f"{SERVICE}/model", "no model", 400),
    ("GET", f"{SERVICE}/model/none", None, 404),
    ("DELETE", f"{SERVICE}/onnx/model/none", None, 404),
    ("GET", f"{SERVICE}/model/none/source", None, 404),
    ("PUT", f"{SERVICE}/model/none/activate", None, 404),
    ("GET", f"{SERVICE}/apply/none", None, 404),
    ("GET", f"{SERVICE}/apply/IsolationForest", None, 400),
    ("POST", f"{SERVICE}/apply/IsolationForest", "[1]", 400),
    ("POST", OBJECTS, [], 422),
    ("POST", OBJECTS, "{", 400),
    ("GET", f"{OBJECTS}/0", None, 404),
    ("PUT", f"{OBJECTS}/0", {}, 404),
    ("DELETE", f"{OBJECTS}/0", None, 404),
    ("GET", f"{OBJECTS}?pageSize=0", None, 422),
    ("GET", f"{OBJECTS}/0/childAssets", None, 404),
    ("GET", f"{OBJECTS}/0/childAssets/1", None, 404),
    ("POST", f"{OBJECTS}/0/childAssets", {"managedObject": {"id": "1"}}, 404),
    ("DELETE", f"{OBJECTS}/0/childAssets", {"managedObject": {}}, 422),
    ("GET", f"{OBJECTS}/0/supportedSeries", None, 404),
    ("POST", "/measurement/measurements", {}, 422),
    ("GET", "/measurement/measurements?dateFrom=yesterday", None, 422),
    ("DELETE", "/measurement/measurements", None, 422),
    ("GET", "/measurement/measurements/0", None, 404),
    ("GET", "/measurement/measurements/series", None, 422),
    ("GET", "/measurement/measurements/series?source=0", None, 404),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "body", "status"), REFUSED)
def test_refusals_are_described(api: Api, method: str, path: str, body: Any, status: int) -> None:
    factories.a_model()
    answer = api(method, path, body)
    assert (answer.status_code, bool(held(answer))) == (status, True)


@pytest.mark.django_db
def test_types_and_sizes_that_are_not_taken_and_a_model_that_is_off_are_described(api: Api) -> None:
    factories.a_model(active=False)
    large: Mapping[str, Any] = {"name": "x" * 1_100_000}
    answers = [
        *(api.post(path, large) for path in (f"{SERVICE}/job", OBJECTS)),
        *(api.post(path, "a", content_type="text/xml") for path in (f"{SERVICE}/job", OBJECTS)),
        api.get(f"{SERVICE}/apply/IsolationForest", {"record": "{}"}),
    ]
    assert [(answer.status_code, bool(held(answer))) for answer in answers] == [
        (status, True) for status in (413, 413, 415, 415, 409)
    ]


def addresses() -> list[tuple[str, str]]:
    """Method and an address of every operation of the surface."""
    tags = {JOBS, MODELS, INVENTORY, MEASUREMENTS}
    return [
        (method.upper(), path.format(jobId=1, executionId=1, modelName="m", id=1, childId=1, family="childAssets"))
        for path, item in described.document()["paths"].items()
        for method, operation in item.items()
        if set(operation["tags"]) & tags
    ]


@pytest.mark.django_db
def test_nobody_and_somebody_without_permissions_are_refused_everywhere_as_described() -> None:
    class Nobody(Api):
        def __init__(self) -> None:
            self._client, self.login = Client(), ""

    found = []
    for caller in (Nobody(), Api(factories.a_user())):
        answers = [caller(*address) for address in addresses() if not address[1].startswith(("/tenant", "/user"))]
        assert all(held(answer) for answer in answers)
        found.append({answer.status_code for answer in answers})
    assert found == [{401}, {403}]


@pytest.mark.django_db
def test_a_job_that_is_refused_is_not_of_the_schema() -> None:
    wrong = a_job_body(1, jobSchedule={"frequency": "Invalid", "cronExpression": "10 * * ? * *"})
    with pytest.raises(AssertionError, match="jobSchedule"):
        described.check_body("POST", f"{SERVICE}/job", "application/json", wrong)


@pytest.mark.django_db
def test_too_many_logins_are_described(api: Api) -> None:
    wrong = Api(api.user, "wrong")
    answers = [wrong.get(f"{SERVICE}/jobs") for _ in range(21)]
    assert (answers[0].status_code, answers[-1].status_code) == (401, 429)
    assert all(held(answer) for answer in answers)
