"""What the OpenAPI document says of this surface is what it does."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from django.contrib.auth.models import User
from django.test import Client

from scheduler import executions
from scheduler.job_types import Outcome
from scheduler.models import Execution, Status
from tests import described
from tests.contract.voltmx import DATA, Contract
from tests.voltmx.wire import PASSWORD, Wire, content, sample
from voltmx.schema.words import ACCOUNTS, JOBS

JOB = "/admin/api/jobs/job"


def held(answer: Any, *, body: Any = None) -> str:
    """Hold an answer of the test client to the document and return the operation's id."""
    request = answer.request
    raw = answer.getvalue() if answer.streaming else answer.content
    method, path = request["REQUEST_METHOD"], request["PATH_INFO"]
    if body is not None and answer.status_code < 400:
        described.check_body(method, path, request["CONTENT_TYPE"], body)
    return described.check_answer(method, path, answer.status_code, answer.headers, raw)


class Described(Contract):
    """Makes the contract's requests and holds both sides to the document."""

    def _send(self, request: dict[str, Any]) -> requests.Response:
        if request["path"].startswith("/admin/api/jobs/history/"):
            end_all()
        answer = super()._send(request)
        sent = answer.request
        address = str(sent.url)
        described.check_answer(str(sent.method), address, answer.status_code, answer.headers, answer.content)
        if sent.body and answer.ok:
            body = sent.body.decode() if isinstance(sent.body, bytes) else str(sent.body)
            kind = sent.headers["Content-Type"]
            value = json.loads(body) if kind == "application/json" else dict(parse_qsl(body))
            described.check_body(str(sent.method), address, kind, value)
        return answer


def end_all(outcome: Outcome | None = None) -> None:
    """End the runs that wait, as a worker would."""
    for execution in Execution.objects.filter(status=Status.QUEUED):
        [started] = executions.start([execution.pk], worker="worker")
        assert executions.finish(started, outcome or Outcome(Status.SUCCEEDED))


@pytest.mark.django_db(transaction=True)
def test_every_request_of_the_contract_is_described_and_so_is_its_answer(live_server: Any) -> None:
    User.objects.create_superuser("admin", "user.id@example.com", PASSWORD, first_name="Ada", last_name="King")
    account = {"userid": "admin", "email": "user.id@example.com", "firstname": "Ada", "lastname": "King"}
    known = {"user": "admin", "password": PASSWORD, "updatedUser": "user.id@example.com", **account}
    names = {"jobId": 2, "jobName": "testjob1", "weatherId": 1, "weatherName": "job1"}
    contract = Described(live_server.url, {**known, **names})
    done = []
    for step in contract.steps():
        contract.check(step)
        done.append(step["name"])
    assert done == [path.stem for path in sorted(DATA.glob("*.json"))]


RICH = {
    "serviceType": "objSer",
    "objectName": "Order",
    "operationName": "get",
    "requestheaderMap": {"Authorization": "Bearer s3cret", "X-Trace": "1"},
    "postData": {"limit": 5},
    "operationSecurityLevel": "Authenticated App User",
    "queryParams": {"page": 2, "fresh": True, "api_key": "s3cret"},
    "successCriteria": "done",
    "authentication": {"type": "APP_USER", "appKey": "weatherapp", "appSecret": "s3cret", "password": "pw"},
}


def test_every_operation_answers_as_it_is_described(user: User, wire: Wire) -> None:
    login = wire.form("/authService/accounts/login", userid="admin", password=PASSWORD)
    seen = {held(login, body={"userid": "admin", "password": PASSWORD})}
    refresh = {"Authorization": login.json()["refresh_token"]}
    bodies: tuple[dict[str, Any], ...] = (
        {"jobFrequencyInfo": None},
        {"info": RICH, "emailNotifications": {"onFailure": ["ops@example.com"]}, "historyStrategy": "FULL"},
        {"jobFrequency": None, "jobFrequencyInfo": {"frequencyType": 3, "dayOfWeekValues": ["mon", 6]}},
        {"without": ("jobFrequency", "jobStatus", "historyStrategy", "description", "jobId"), "info": {}},
        {"jobFrequency": "0 0 9 LW * ? *", "jobFrequencyInfo": None, "description": None, "jobStatus": "Inactive"},
    )
    for place, changes in enumerate(bodies, start=1):
        body = sample(**{"jobId": place, "jobName": f"job{place}", **changes})
        seen.add(held(wire.send("POST", JOB, body), body=body))
    for body in (
        {"jobId": 1, "jobStatus": "Inactive"},
        {"jobId": 2, "jobServiceInfo": {"queryParams": None, "successCriteria": None}, "emailNotifications": None},
        {"jobId": 3, "description": None, "retentionPeriod": "7", "jobName": None},
    ):
        seen.add(held(wire.send("PUT", JOB, body), body=body))
    for outcome in (Outcome(Status.FAILED, ("no",), {"method": "POST"}, {"status": 500}), Outcome(Status.SUCCEEDED)):
        seen.add(held(wire.send("POST", f"{JOB}/run/2")))
        end_all(outcome)
    seen |= {held(wire.send("GET", JOB + slash)) for slash in ("", "/")}
    seen |= {held(wire.send("GET", f"{JOB}{number}")) for number in ("/1", "2", "/3/", "4", "5")}
    for path in ("2", "2/1", "2/2"):
        seen.add(held(wire.send("GET", f"/admin/api/jobs/history/{path}")))
    seen |= {held(wire.send("DELETE", f"{JOB}{number}")) for number in ("/1", "2")}
    seen.add(held(wire.client.post("/authService/accounts/claims", headers=refresh)))
    seen.add(held(wire.client.post("/authService/accounts/logout", headers=refresh)))
    assert seen == described.operations(JOBS, ACCOUNTS)


BAD = sample(jobName="", info={"serviceName": "a b"})
REFUSED: list[tuple[str, str, Any, int]] = [
    ("POST", JOB, BAD, 400),
    ("POST", JOB, b"{", 400),
    ("POST", JOB, sample(), 409),
    ("PUT", JOB, {"jobId": 99, "jobStatus": "Active"}, 404),
    ("PUT", JOB, {"jobId": "2"}, 400),
    ("GET", f"{JOB}/99", None, 404),
    ("GET", f"{JOB}no-number", None, 404),
    ("DELETE", f"{JOB}99", None, 404),
    ("POST", f"{JOB}/run/99", None, 404),
    ("GET", "/admin/api/jobs/history/99", None, 404),
    ("GET", "/admin/api/jobs/history/2/99", None, 404),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), REFUSED)
def test_refusals_are_described(wire: Wire, method: str, path: str, body: Any, status: int) -> None:
    wire.create(sample())
    answer = wire.send(method, path, body)
    assert (answer.status_code, bool(held(answer))) == (status, True)


def test_bodies_that_are_refused_are_not_of_the_schema(wire: Wire) -> None:
    with pytest.raises(AssertionError, match="jobServiceInfo.serviceName"):
        described.check_body("POST", JOB, "application/json", BAD)


def test_a_type_and_a_size_that_are_not_taken_are_described(wire: Wire, settings: Any) -> None:
    settings.VOLTMX_BODY_LIMIT_BYTES = 1024
    large = wire.send("POST", JOB, sample(description="x" * 2000))
    typed = wire.send("POST", JOB, sample(), content_type="text/xml")
    assert [(answer.status_code, held(answer)) for answer in (large, typed)] == [
        (413, "voltmx_create_job"),
        (415, "voltmx_create_job"),
    ]


def operations_of(*tags: str) -> list[tuple[str, str]]:
    """Method and an address of every operation with one of the tags."""
    return [
        (method.upper(), path.replace("{jobId}", "1").replace("{jobRunId}", "1"))
        for path, item in described.document()["paths"].items()
        for method, operation in item.items()
        if set(operation["tags"]) & set(tags)
    ]


def test_nobody_and_somebody_without_permissions_are_refused_everywhere_as_described(
    stranger: Wire, user_with: Any
) -> None:
    found = []
    for caller in (stranger, Wire(Client()).log_in(user_with().username)):
        answers = [caller.send(method, path) for method, path in operations_of(JOBS)]
        assert all(held(answer) for answer in answers)
        found.append({answer.status_code for answer in answers})
    assert found == [{401}, {403}]


def test_refusals_of_the_login_door_are_described(stranger: Wire, settings: Any) -> None:
    settings.LOGIN_ATTEMPTS = 1
    door = "/authService/accounts"
    answers = [
        stranger.form(f"{door}/login", userid="nobody"),
        stranger.form(f"{door}/login", userid="nobody", password="wrong"),
        stranger.form(f"{door}/login", userid="nobody", password="wrong"),
        stranger.send("POST", f"{door}/login", b"<a/>", content_type="text/xml"),
        stranger.send("POST", f"{door}/claims"),
        stranger.send("POST", f"{door}/logout"),
    ]
    assert [(answer.status_code, bool(held(answer))) for answer in answers] == [
        (status, True) for status in (400, 401, 429, 415, 401, 401)
    ]


def test_the_described_additions_are_masked(wire: Wire) -> None:
    wire.create(sample(info=RICH))
    shown = content(wire.send("GET", f"{JOB}/2"))
    assert "s3cret" not in json.dumps(shown)
