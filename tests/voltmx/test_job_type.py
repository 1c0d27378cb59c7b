"""A run of a job against a real server: requests as they arrive, and what the answers mean."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from scheduler import job_types
from scheduler.exceptions import InvalidJob
from scheduler.job_types import Outcome, RunCancelled
from scheduler.models import Status
from tests.processes import free_port
from tests.voltmx.wire import Run, sample
from tests.waiting import PATIENCE, wait_for
from voltmx import registry
from voltmx.arguments import read
from voltmx.demo.server import FoundryServer
from voltmx.models import Service

pytestmark = pytest.mark.django_db


def run(context: Run | None = None, **info: Any) -> Outcome:
    """The outcome of running the sample with members of ``jobServiceInfo`` changed."""
    arguments = read({"jobServiceInfo": sample(info=info)["jobServiceInfo"]}).stored()
    return job_types.get("voltmx").run(arguments, context or Run())


def fault(name: str, context: Run | None = None, **info: Any) -> Outcome:
    """The outcome of calling a service that misbehaves."""
    return run(context, serviceName="faults", operationName=name, **info)


def test_a_public_service_is_called_and_both_sides_are_recorded(foundry: FoundryServer) -> None:
    outcome = run(
        serviceName="demo",
        operationName="echo",
        requestheaderMap={"X-Trace": "7"},
        queryParams={"page": 2},
        postData='{"cityName":"Utrecht"}',
    )
    assert (outcome.status, outcome.messages, outcome.retryable) == (Status.SUCCEEDED, (), False)
    headers = {
        "X-VoltMX-API-Version": "1.0",
        "Accept": "application/json",
        "X-Trace": "7",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    assert outcome.request == {
        "method": "POST",
        "url": f"{foundry.url}/services/demo/echo?page=2",
        "headers": headers,
        "body": {"cityName": "Utrecht"},
    }
    body = outcome.response["body"]
    arrived = {name: body["headers"][name.lower()] for name in headers}
    assert (outcome.response["status"], body["opstatus"], arrived) == (200, 0, headers)
    assert body["received"] == {"page": "2", "cityName": "Utrecht"}
    assert "cookie" not in body["headers"]
    assert 0 <= outcome.response["milliseconds"] < 30_000
    json.dumps([outcome.request, outcome.response])


def test_the_weather_of_the_demo_is_of_the_city_that_was_asked_for(foundry: FoundryServer) -> None:
    outcome = run(serviceName="openweather", operationName="getWeather", postData='{"cityName":"Austin"}')
    assert outcome.response["body"]["cityName"] == "Austin"
    assert set(outcome.response["body"]) == {
        *("opstatus", "httpStatusCode", "cityName", "description", "temperature", "humidity", "windSpeed")
    }


def test_the_references_sample_services_exist_in_the_demo(foundry: FoundryServer) -> None:
    read_sample = run(serviceName="openweather", operationName="getWeather", postData='{"cityName":""}')
    create_sample = run()
    assert [read_sample.status, create_sample.status] == [Status.SUCCEEDED, Status.SUCCEEDED]


@pytest.mark.parametrize(
    ("verb", "arrives"),
    [
        ("get", ("GET", "/services/data/v1/shop/objects/orders", {"status": "open"}, b"")),
        ("create", ("POST", "/services/data/v1/shop/objects/orders", {}, b'{"status":"open"}')),
        ("update", ("PUT", "/services/data/v1/shop/objects/orders", {}, b'{"status":"open"}')),
        ("partialUpdate", ("PATCH", "/services/data/v1/shop/objects/orders", {}, b'{"status":"open"}')),
        ("delete", ("DELETE", "/services/data/v1/shop/objects/orders", {}, b'{"status":"open"}')),
        ("approve", ("POST", "/services/data/v1/shop/operations/orders/approve", {}, b'{"status":"open"}')),
    ],
)
def test_object_services_are_called_by_verb(foundry: FoundryServer, verb: str, arrives: tuple[Any, ...]) -> None:
    outcome = run(
        serviceType="objSer",
        serviceName="shop",
        objectName="orders",
        operationName=verb,
        postData='{"status":"open"}',
    )
    [request] = foundry.foundry.seen
    assert outcome.status is Status.SUCCEEDED
    assert (request.method, request.path, dict(request.query), request.body) == arrives


def test_an_orchestration_service_is_called(foundry: FoundryServer) -> None:
    outcome = run(serviceType="orchSer", serviceName="openweather", operationName="refreshAll")
    assert (outcome.status, len(outcome.response["body"]["cities"])) == (Status.SUCCEEDED, 5)


FAILURES = [
    ("broken", "Internal error during job execution: the answer is not a JSON object", False),
    ("empty", "Internal error during job execution: the answer is empty", False),
    ("html", "Internal error during job execution: the answer is not a JSON object", False),
    ("list", "Internal error during job execution: the answer is not a JSON object", False),
    ("status-201", "Internal error during job execution: HTTP status 201: answers 201", False),
    ("status-400", "Internal error during job execution: HTTP status 400: answers 400", False),
    ("status-401", "Internal error during job execution: HTTP status 401: answers 401", False),
    ("status-500", "Internal error during job execution: HTTP status 500: answers 500", False),
    ("status-429", "Internal error during job execution: HTTP status 429: answers 429", True),
    ("status-502", "Internal error during job execution: HTTP status 502: answers 502", True),
    ("status-503", "Internal error during job execution: HTTP status 503: answers 503", True),
    ("status-504", "Internal error during job execution: HTTP status 504: answers 504", True),
    ("opstatus-8009", "opstatus 8009: told as text", False),
    ("opstatus--1", "opstatus -1: told as text", False),
    ("nothing", "Internal error during job execution: HTTP status 404: no such fault", False),
]


@pytest.mark.parametrize(("name", "message", "retryable"), FAILURES)
def test_an_answer_that_is_no_success_fails_the_run_and_says_why(
    foundry: FoundryServer, name: str, message: str, retryable: bool
) -> None:
    outcome = fault(name)
    assert (outcome.status, outcome.messages, outcome.retryable) == (Status.FAILED, (message,), retryable)
    assert (outcome.request["method"], outcome.response["milliseconds"] >= 0) == ("POST", True)


def test_an_opstatus_of_zero_as_text_is_a_success(foundry: FoundryServer) -> None:
    assert fault("opstatus-0").status is Status.SUCCEEDED


def test_the_success_criterion_must_be_in_the_body(foundry: FoundryServer) -> None:
    met = run(serviceName="openweather", operationName="getWeather", successCriteria='"opstatus": 0')
    missed = run(serviceName="openweather", operationName="getWeather", successCriteria="sunny all day")
    assert (met.status, missed.status) == (Status.SUCCEEDED, Status.FAILED)
    assert missed.messages == ("the answer does not meet the success criteria",)


def test_the_success_criterion_does_not_outweigh_the_opstatus(foundry: FoundryServer) -> None:
    outcome = run(serviceName="x", operationName="failing", successCriteria="the backend said no")
    assert (outcome.status, outcome.messages) == (Status.FAILED, ("opstatus 8009: the backend said no",))


def test_a_refused_connection_is_worth_trying_again(settings: Any) -> None:
    port = free_port()
    settings.VOLTMX_SERVER_URL = f"http://127.0.0.1:{port}"
    outcome = run()
    assert outcome.messages == (
        f"Internal error during job execution: no connection to 127.0.0.1:{port}: Connection refused",
    )
    assert (outcome.status, outcome.retryable, outcome.response) == (Status.FAILED, True, None)
    assert outcome.request["method"] == "POST"


def test_a_name_that_does_not_resolve_is_worth_trying_again(settings: Any) -> None:
    settings.VOLTMX_SERVER_URL = "http://nowhere.invalid"
    outcome = run()
    assert (outcome.status, outcome.retryable) == (Status.FAILED, True)
    assert outcome.messages[0].startswith("Internal error during job execution: no connection to nowhere.invalid: ")


def test_a_broken_connection_is_worth_trying_again(foundry: FoundryServer) -> None:
    outcome = fault("reset")
    assert outcome.messages[0].startswith("Internal error during job execution: no connection to 127.0.0.1")
    assert (outcome.status, outcome.retryable) == (Status.FAILED, True)


def test_a_silent_server_times_out(foundry: FoundryServer) -> None:
    registry.save(Service(name="faults", server_url=foundry.url, read_timeout_seconds=1))
    outcome = fault("slow")
    host = foundry.url.removeprefix("http://")
    assert outcome.messages == (f"Internal error during job execution: {host} did not answer in time",)
    assert (outcome.status, outcome.retryable) == (Status.FAILED, True)


def test_no_call_waits_longer_than_the_run_may(foundry: FoundryServer) -> None:
    outcome = fault("slow", Run(seconds=0.3))
    assert (outcome.status, outcome.retryable) == (Status.FAILED, True)
    assert outcome.messages[0].endswith("did not answer in time")


def test_a_body_that_stalls_times_out_too(foundry: FoundryServer) -> None:
    outcome = fault("drip", Run(seconds=0.3))
    assert (outcome.status, outcome.retryable) == (Status.FAILED, True)
    assert outcome.messages[0].endswith("did not answer in time")


@pytest.mark.parametrize("name", ["slow", "drip"])
def test_a_cancelled_run_lets_go_of_its_socket_at_once(foundry: FoundryServer, name: str) -> None:
    context = Run(seconds=300)
    ended: list[BaseException | Outcome] = []

    def work() -> None:
        try:
            ended.append(_perform(foundry, name, context))
        except RunCancelled as stopped:
            ended.append(stopped)

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: foundry.foundry.seen, what="the call to arrive")
    context.cancel()
    thread.join(PATIENCE)
    assert [type(end) for end in ended] == [RunCancelled]


def _perform(foundry: FoundryServer, name: str, context: Run) -> Outcome:
    """A call without the registry, whose rows the thread of a test cannot see."""
    from voltmx.foundry import operation

    server = registry.Server(url=foundry.url, connect_timeout=5, read_timeout=300)
    info = sample(info={"serviceName": "faults", "operationName": name})["jobServiceInfo"]
    return operation.perform_on(server, read({"jobServiceInfo": info}), context).outcome


def test_a_run_that_is_cancelled_before_its_call_makes_none(foundry: FoundryServer) -> None:
    context = Run()
    context.cancel()
    with pytest.raises(RunCancelled):
        run(context)
    assert foundry.foundry.seen == []


@pytest.mark.parametrize("name", ["huge", "bomb"])
def test_an_answer_above_the_limit_is_cut_off(foundry: FoundryServer, settings: Any, name: str) -> None:
    settings.VOLTMX_RESPONSE_LIMIT_BYTES = 1 << 20
    outcome = fault(name)
    assert outcome.messages == (
        "Internal error during job execution: the answer has more than the limit of 1048576 bytes",
    )
    assert (outcome.status, outcome.retryable) == (Status.FAILED, False)


def test_a_redirect_on_the_same_host_is_followed_with_its_body(foundry: FoundryServer) -> None:
    outcome = fault("redirect", queryParams={"to": "/services/demo/echo"}, postData='{"a":"b"}')
    assert (outcome.status, outcome.response["body"]["received"]) == (Status.SUCCEEDED, {"a": "b"})


@pytest.mark.parametrize(
    "target", ["http://localhost:1/x", "https://127.0.0.1/x", "//example.com/", "file:///etc/passwd"]
)
def test_a_redirect_to_anywhere_else_is_refused(foundry: FoundryServer, target: str) -> None:
    outcome = fault("redirect", queryParams={"to": target})
    assert outcome.status is Status.FAILED
    assert "the server redirects to another host" in outcome.messages[0]
    assert len(foundry.foundry.seen) == 1


def test_endless_redirects_end(foundry: FoundryServer) -> None:
    outcome = fault("loop")
    assert outcome.messages == ("Internal error during job execution: the server redirects more than 3 times",)
    assert (outcome.status, len(foundry.foundry.seen)) == (Status.FAILED, 4)


def test_a_redirect_that_cannot_be_read_is_refused(foundry: FoundryServer) -> None:
    outcome = fault("redirect", queryParams={"to": "http://[/"})
    assert outcome.messages[0].endswith("cannot be read: ValueError")


def test_connections_are_used_again(foundry: FoundryServer) -> None:
    for _ in range(5):
        assert run().status is Status.SUCCEEDED
    assert foundry.connections == 1


def test_cookies_of_one_call_are_not_sent_with_the_next(foundry: FoundryServer) -> None:
    told = [fault("cookie").response["body"]["cookies"] for _ in range(2)]
    assert told == ["", ""]


def test_the_registry_decides_which_server_is_called(foundry: FoundryServer, settings: Any) -> None:
    settings.VOLTMX_SERVER_URL = "http://127.0.0.1:1"
    registry.save(Service(name="jsonservices", server_url="http://127.0.0.1:1"))
    registry.save(Service(name="jsonservices", version="1.0", server_url=f"{foundry.url}/"))
    assert run().status is Status.SUCCEEDED
    assert run(version="2.0").status is Status.FAILED


def test_the_setting_names_servers_too(foundry: FoundryServer, settings: Any) -> None:
    settings.VOLTMX_SERVER_URL = "http://127.0.0.1:1"
    settings.VOLTMX_SERVICES = {"jsonservices:1.0": foundry.url, "jsonservices": "http://127.0.0.1:1"}
    assert run().status is Status.SUCCEEDED
    assert run(version="2.0").status is Status.FAILED


def test_a_service_that_is_switched_off_is_not_called(foundry: FoundryServer) -> None:
    registry.save(Service(name="jsonservices", server_url=foundry.url, active=False))
    outcome = run()
    assert outcome.messages == (
        "Internal error during job execution: the service jsonservices is switched off in the registry",
    )
    assert foundry.foundry.seen == []


def test_arguments_that_somebody_broke_are_refused_by_the_type() -> None:
    with pytest.raises(InvalidJob, match="jobServiceInfo is required"):
        job_types.get("voltmx").check({})
    stored = read({"jobServiceInfo": sample()["jobServiceInfo"]}).stored()
    stored["jobServiceInfo"]["operationName"] = "../x"
    with pytest.raises(InvalidJob, match="operationName may hold"):
        job_types.get("voltmx").check(stored)
