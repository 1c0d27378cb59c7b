"""Which HTTP request a job's arguments make."""

from __future__ import annotations

from typing import Any

import pytest

from tests.voltmx.wire import sample
from voltmx.arguments import Arguments, read
from voltmx.foundry.calls import Call, build, masked

SERVER = "http://server.example/base"


def arguments(**info: Any) -> Arguments:
    """The sample's arguments with members of ``jobServiceInfo`` changed."""
    return read({"jobServiceInfo": sample(info=info)["jobServiceInfo"]})


def sent(**info: Any) -> Call:
    """The call they make."""
    return build(arguments(**info), SERVER)


def test_an_integration_service_is_called_with_form_fields() -> None:
    call = sent(postData='{"city": "Den Haag", "deep": {"a": [1, null]}, "n": 1.5, "yes": true, "none": null}')
    assert (call.method, call.url) == ("POST", f"{SERVER}/services/jsonservices/metadatajson")
    assert call.body == b"city=Den+Haag&deep=%7B%22a%22%3A%5B1%2Cnull%5D%7D&n=1.5&yes=true&none="
    assert call.headers == {
        "X-VoltMX-API-Version": "1.0",
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
    }


def test_an_orchestration_service_is_called_like_an_integration_service() -> None:
    call = sent(serviceType="orchSer", postData='{"a":"b"}')
    assert (call.method, call.url, call.body) == ("POST", f"{SERVER}/services/jsonservices/metadatajson", b"a=b")


@pytest.mark.parametrize("name", ["Content-Type", "content-type"])
def test_a_json_content_type_switches_the_body_to_json(name: str) -> None:
    call = sent(requestheaderMap={name: "application/json; charset=utf-8"}, postData='{"a": {"b": "ü"}}')
    assert call.body == '{"a":{"b":"ü"}}'.encode()
    assert call.headers[name] == "application/json; charset=utf-8"
    assert sum(known.lower() == "content-type" for known in call.headers) == 1


@pytest.mark.parametrize(
    ("verb", "method"), [("create", "POST"), ("update", "PUT"), ("partialUpdate", "PATCH"), ("delete", "DELETE")]
)
def test_standard_verbs_of_objects_have_methods_of_their_own(verb: str, method: str) -> None:
    call = sent(serviceType="objSer", objectName="Order", operationName=verb, postData='{"id":1}')
    assert (call.method, call.url) == (method, f"{SERVER}/services/data/v1/jsonservices/objects/Order")
    assert (call.body, call.headers["Content-Type"]) == (b'{"id":1}', "application/json")


def test_reading_an_object_puts_the_parameters_into_the_address() -> None:
    call = sent(
        serviceType="objSer",
        objectName="Order",
        operationName="get",
        postData='{"status":"open"}',
        queryParams={"$top": 5, "all": False},
    )
    assert (call.method, call.body) == ("GET", None)
    assert call.url == f"{SERVER}/services/data/v1/jsonservices/objects/Order?%24top=5&all=false&status=open"


def test_a_custom_verb_is_an_operation_of_the_object() -> None:
    call = sent(serviceType="objSer", objectName="Order", operationName="approve", postData='{"id":1}')
    assert (call.method, call.url) == ("POST", f"{SERVER}/services/data/v1/jsonservices/operations/Order/approve")


def test_the_jobs_headers_are_sent_and_may_replace_our_own_whatever_their_case() -> None:
    call = sent(requestheaderMap={"X-Trace": " 7 ", "ACCEPT": "text/plain"}, version="2.1")
    assert call.headers == {
        "X-VoltMX-API-Version": "2.1",
        "X-Trace": "7",
        "ACCEPT": "text/plain",
        "Content-Type": "application/x-www-form-urlencoded",
    }


def test_names_and_parameters_cannot_leave_their_place() -> None:
    call = sent(queryParams={"a&b=c#d": "e\r\nf"}, postData='{"g&h": "i=j"}')
    assert call.url == f"{SERVER}/services/jsonservices/metadatajson?a%26b%3Dc%23d=e%0D%0Af"
    assert call.body == b"g%26h=i%3Dj"


def test_a_token_replaces_what_the_job_sends_in_its_header() -> None:
    call = sent(requestheaderMap={"x-voltmx-authorization": "the job's"}).with_token("ours")
    assert [value for name, value in call.headers.items() if "authorization" in name.lower()] == ["ours"]


def test_history_sees_the_request_without_credentials() -> None:
    call = sent(
        requestheaderMap={"Authorization": "Bearer marked", "X-Trace": "7"},
        queryParams={"page": 1, "api_key": "marked"},
        postData='{"user": "ada", "login": {"password": "marked"}, "rows": [{"token": "marked"}]}',
    )
    assert "marked" in str(call.headers) + call.url
    assert call.shown() == {
        "method": "POST",
        "url": f"{SERVER}/services/jsonservices/metadatajson?page=1&api_key=********",
        "headers": {
            "X-VoltMX-API-Version": "1.0",
            "Accept": "application/json",
            "Authorization": "********",
            "X-Trace": "7",
            "Content-Type": "application/x-www-form-urlencoded",
        },
        "body": {"user": "ada", "login": {"password": "********"}, "rows": [{"token": "********"}]},
    }


def test_members_that_only_sound_like_credentials_stay() -> None:
    value = {"tokens": 5, "passwordless": True, "secretary": None, "token": ""}
    assert masked(value) == value


def test_stored_arguments_come_back_as_they_were() -> None:
    given = arguments(
        requestheaderMap={"Authorization": "x", "A": "b"},
        queryParams={"n": 1, "token": "y"},
        authentication={"appKey": "k", "appSecret": "s", "username": "u", "password": "p"},
        successCriteria="done",
    )
    assert Arguments.of(given.stored()) == given
    assert [secret.reveal() for secret in given.secrets()] == ["x", "y", "s", "p"]
    assert "Secret(********)" in repr(given)
