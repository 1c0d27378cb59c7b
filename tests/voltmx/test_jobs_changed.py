"""The jobs API: update, secrets, delete, run, who may."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from scheduler import jobs
from scheduler.models import Job, JobChange
from tests.voltmx.test_jobs import REFUSED
from tests.voltmx.wire import SAMPLE, SUCCESS, Wire, content, failure, sample

JOBS = "/admin/api/jobs/job"
NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def shown(**changes: Any) -> dict[str, Any]:
    """The sample as "Get All Job Details with Job ID" shows it."""
    body = sample(without=("description",))
    return {**body, **changes}


# -- Update ----------------------------------------------------------------------------------------------------------


def test_an_update_replaces_what_it_sends(wire: Wire) -> None:
    wire.create(SAMPLE)
    body = sample(
        jobName="renamed",
        description="Job for testjob 1",
        jobFrequency="0 30 9 * * ? *",
        jobFrequencyInfo={"frequencyType": 2, "hourValues": [9], "minuteValues": [30]},
        jobStatus="Inactive",
        historyStrategy="FULL",
        retentionPeriod="7",
        info={"version": "2.0", "serviceType": "objSer", "objectName": "o", "postData": '{"a":1}'},
    )
    answer = wire.send("PUT", JOBS, body)
    assert (answer.status_code, answer.json()) == (200, SUCCESS)
    del body["description"]
    assert wire.get("/admin/api/jobs/job2") == body
    assert wire.get(JOBS)[0]["description"] == "Job for testjob 1"


@pytest.mark.parametrize("member", [name for name in SAMPLE if name != "jobId"])
def test_absent_members_keep_their_value(wire: Wire, member: str) -> None:
    wire.create(SAMPLE)
    before = (wire.get("/admin/api/jobs/job2"), wire.get(JOBS)[0]["description"])
    assert wire.send("PUT", JOBS, sample(without=(member,))).status_code == 200
    assert (wire.get("/admin/api/jobs/job2"), wire.get(JOBS)[0]["description"]) == before


def test_absent_members_of_the_service_info_keep_their_value(wire: Wire) -> None:
    wire.create(SAMPLE)
    answer = wire.send("PUT", JOBS, {"jobId": 2, "jobServiceInfo": {"operationName": "other", "version": None}})
    assert answer.status_code == 200
    assert wire.get("/admin/api/jobs/job2") == shown(
        jobServiceInfo={**SAMPLE["jobServiceInfo"], "operationName": "other"}
    )


def test_the_description_can_be_taken_away(wire: Wire) -> None:
    wire.create(SAMPLE)
    wire.send("PUT", JOBS, {"jobId": 2, "description": None})
    assert wire.get(JOBS)[0]["description"] is None


def test_a_new_expression_alone_replaces_the_info_too(wire: Wire) -> None:
    wire.create(SAMPLE)
    wire.send("PUT", JOBS, {"jobId": 2, "jobFrequency": "0 15 9 * * ? *"})
    read = wire.get("/admin/api/jobs/job2")
    assert (read["jobFrequency"], read["jobFrequencyInfo"]) == (
        "0 15 9 * * ? *",
        {"frequencyType": 2, "minuteValues": [15], "hourValues": [9]},
    )


def test_a_new_info_alone_replaces_the_expression_too(wire: Wire) -> None:
    wire.create(SAMPLE)
    wire.send("PUT", JOBS, {"jobId": 2, "jobFrequencyInfo": {"frequencyType": 1, "minuteValues": [20]}})
    read = wire.get("/admin/api/jobs/job2")
    assert (read["jobFrequency"], read["jobFrequencyInfo"]) == (
        "0 20 * * * ? *",
        {"frequencyType": 1, "minuteValues": [20]},
    )


@pytest.mark.parametrize("without", [(), ("jobFrequencyInfo",)])
def test_what_a_client_was_shown_sent_back_changes_nothing(wire: Wire, without: tuple[str, ...]) -> None:
    login = {"type": "APP_USER", "appKey": "k", "appSecret": "the secret"}
    wire.create(sample(without=without, info={"authentication": login, "queryParams": {"api_key": "x", "page": 1}}))
    assert wire.send("PUT", JOBS, wire.get("/admin/api/jobs/job2")).status_code == 200
    assert list(JobChange.objects.values_list("verb", flat=True)) == [JobChange.Verb.CREATED]


def test_the_info_sent_back_unchanged_keeps_the_seconds_of_the_expression(wire: Wire) -> None:
    wire.create(SAMPLE)
    wire.send("PUT", JOBS, {"jobId": 2, "jobFrequencyInfo": SAMPLE["jobFrequencyInfo"]})
    assert wire.get("/admin/api/jobs/job2")["jobFrequency"] == "19 0 * * * ? *"


def test_what_was_read_can_be_sent_back(wire: Wire) -> None:
    wire.create(sample(without=("jobFrequencyInfo",)))
    before = wire.get("/admin/api/jobs/job2")
    assert wire.send("PUT", JOBS, before).status_code == 200
    assert wire.get("/admin/api/jobs/job2") == before


def test_an_update_to_a_taken_name_is_refused(wire: Wire) -> None:
    wire.create(SAMPLE)
    wire.create(sample(jobId=3, jobName="other"))
    assert failure(wire.send("PUT", JOBS, {"jobId": 3, "jobName": "testjob1"})) == (409, {"jobName": ["is taken"]})


@pytest.mark.parametrize("number", [None, 0, -5, "2", 2.5, True, 2**63])
def test_an_update_must_name_its_job(wire: Wire, number: Any) -> None:
    wire.create(SAMPLE)
    assert failure(wire.send("PUT", JOBS, sample(jobId=number)))[0] == 400


@pytest.mark.parametrize(("changes", "field"), REFUSED[7:], ids=lambda value: str(value)[:40])
def test_an_update_refuses_what_a_creation_refuses(wire: Wire, changes: dict[str, Any], field: str) -> None:
    if None in changes.values():
        return
    wire.create(SAMPLE)
    before = wire.get("/admin/api/jobs/job2")
    status, details = failure(wire.send("PUT", JOBS, {"jobId": 2, **changes}))
    assert (status, list(details)) == (400, [field])
    assert wire.get("/admin/api/jobs/job2") == before


# -- Secrets ---------------------------------------------------------------------------------------------------------

SECRETIVE: dict[str, dict[str, Any]] = {
    "requestheaderMap": {"X-Trace": "seen", "Authorization": "marked-header"},
    "queryParams": {"page": 1, "api_key": "marked-parameter"},
    "authentication": {
        "type": "APP_USER",
        "appKey": "key",
        "appSecret": "marked-app-secret",
        "identity": "store",
        "username": "ada",
        "password": "marked-password",
    },
}
MASKED: dict[str, dict[str, Any]] = {
    "requestheaderMap": {"X-Trace": "seen", "Authorization": "********"},
    "queryParams": {"page": 1, "api_key": "********"},
    "authentication": {**SECRETIVE["authentication"], "appSecret": "********", "password": "********"},
}


def test_credentials_are_encrypted_in_the_row_and_masked_in_the_answer(wire: Wire) -> None:
    wire.create(sample(info=SECRETIVE))
    assert wire.get("/admin/api/jobs/job2")["jobServiceInfo"] == {**SAMPLE["jobServiceInfo"], **MASKED}
    assert "marked" not in str(Job.objects.values().get())


def test_asterisks_sent_back_keep_the_stored_credentials(wire: Wire) -> None:
    wire.create(sample(info=SECRETIVE))
    before = Job.objects.get().arguments
    wire.send("PUT", JOBS, wire.get("/admin/api/jobs/job2"))
    wire.send("PUT", JOBS, {"jobId": 2, "jobServiceInfo": {"authentication": MASKED["authentication"]}})
    assert Job.objects.get().arguments == before


def test_a_credential_that_the_console_writes_is_encrypted_too(wire: Wire) -> None:
    wire.create(sample(info=SECRETIVE))
    job = Job.objects.get()
    job.arguments["jobServiceInfo"]["authentication"]["password"] = "marked-by-hand"
    jobs.update(job, {"arguments": job.arguments}, by="admin")
    assert "marked" not in str(Job.objects.values().get())
    assert "marked" not in str(list(JobChange.objects.values()))
    assert wire.get("/admin/api/jobs/job2")["jobServiceInfo"] == {**SAMPLE["jobServiceInfo"], **MASKED}


def test_headers_and_parameters_come_back_in_the_order_in_which_they_were_sent(wire: Wire) -> None:
    maps: dict[str, dict[str, Any]] = {
        "requestheaderMap": {"Zebra": "1", "A": "2", "Middle-One": "3"},
        "queryParams": {"zz": 1, "a": 2},
    }
    wire.create(sample(info=maps))
    read = wire.get("/admin/api/jobs/job2")["jobServiceInfo"]
    assert {name: list(read[name].items()) for name in maps} == {name: list(maps[name].items()) for name in maps}


def test_credentials_can_be_replaced_and_taken_away(wire: Wire) -> None:
    wire.create(sample(info=SECRETIVE))
    before = Job.objects.get().arguments["jobServiceInfo"]["authentication"]
    changed = {**MASKED["authentication"], "password": "new-password"}
    wire.send("PUT", JOBS, {"jobId": 2, "jobServiceInfo": {"authentication": changed}})
    after = Job.objects.get().arguments["jobServiceInfo"]["authentication"]
    assert after["appSecret"] == before["appSecret"]
    assert after["password"] != before["password"]
    wire.send("PUT", JOBS, {"jobId": 2, "jobServiceInfo": {"authentication": None, "queryParams": None}})
    assert set(wire.get("/admin/api/jobs/job2")["jobServiceInfo"]) == set(SAMPLE["jobServiceInfo"])


def test_additions_of_the_console_are_echoed_only_where_they_were_sent(wire: Wire) -> None:
    additions = {"queryParams": {"page": 1, "flag": True}, "successCriteria": '"opstatus":0'}
    mails = {"onFailure": ["ops@example.com"]}
    wire.create(sample(info=additions, emailNotifications=mails))
    read = wire.get("/admin/api/jobs/job2")
    assert read["jobServiceInfo"] == {**SAMPLE["jobServiceInfo"], **additions}
    assert read["emailNotifications"] == mails
    wire.send("PUT", JOBS, {"jobId": 2, "emailNotifications": None})
    assert "emailNotifications" not in wire.get("/admin/api/jobs/job2")


# -- Delete, run, addresses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["job2", "job2/", "job/2", "job/2/"])
def test_a_job_is_deleted_under_each_form_of_its_path(wire: Wire, path: str) -> None:
    wire.create(SAMPLE)
    answer = wire.send("DELETE", f"/admin/api/jobs/{path}")
    assert (answer.status_code, answer.json()) == (200, SUCCESS)
    assert failure(wire.send("GET", "/admin/api/jobs/job2")) == (404, None)
    assert wire.get(JOBS) == []


UNKNOWN = [
    ("GET", "job9"),
    ("GET", "job/9"),
    ("GET", "jobx"),
    ("GET", "job-1"),
    ("GET", "job/99999999999999999999999"),
    ("GET", "job/9223372036854775807"),
    ("GET", "job/9223372036854775808"),
    ("GET", "job/%00"),
    ("GET", "job/%D9%A3"),
    ("GET", "job/1%0A"),
    ("DELETE", "job9"),
    ("POST", "job/run/9"),
    ("POST", "job/run/x/"),
    ("GET", "history/9"),
    ("GET", "history/x"),
    ("GET", "history/9/1"),
    ("GET", "nothing"),
    ("GET", ""),
    ("GET", "history"),
    ("PATCH", "nothing/at/all"),
]


@pytest.mark.parametrize(("method", "path"), UNKNOWN)
def test_what_is_not_there_answers_404_with_the_envelope(wire: Wire, method: str, path: str) -> None:
    assert failure(wire.send(method, f"/admin/api/jobs/{path}")) == (404, None)


def test_an_update_of_an_unknown_job_answers_404(wire: Wire) -> None:
    assert failure(wire.send("PUT", JOBS, SAMPLE)) == (404, None)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "job", "GET, HEAD, POST, PUT"),
        ("PATCH", "job", "GET, HEAD, POST, PUT"),
        ("POST", "job2", "GET, HEAD, DELETE"),
        ("PUT", "job/2", "GET, HEAD, DELETE"),
        ("GET", "job/run/2", "POST"),
        ("POST", "history/2", "GET, HEAD"),
        ("DELETE", "history/2/1", "GET, HEAD"),
        ("OPTIONS", "job", "GET, HEAD, POST, PUT"),
        ("TRACE", "job", "GET, HEAD, POST, PUT"),
    ],
)
def test_other_methods_answer_405_with_the_envelope(wire: Wire, method: str, path: str, allowed: str) -> None:
    answer = wire.send(method, f"/admin/api/jobs/{path}")
    assert failure(answer) == (405, None)
    assert answer["Allow"] == allowed


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "nonsense", "*/*;q=0"])
def test_answers_are_json_whatever_is_accepted(wire: Wire, accept: str) -> None:
    wire.headers["Accept"] = accept
    assert wire.send("GET", "/admin/api/jobs/job9?format=html")["Content-Type"] == "application/json"


# -- Who may ---------------------------------------------------------------------------------------------------------

CALLS: list[tuple[str, str, Any, str]] = [
    ("GET", "job", None, "view_job"),
    ("GET", "job2", None, "view_job"),
    ("POST", "job", sample(jobId=5, jobName="new"), "add_job"),
    ("PUT", "job", sample(jobName="changed"), "change_job"),
    ("DELETE", "job2", None, "delete_job"),
    ("POST", "job/run/2", None, "run_job"),
    ("GET", "history/2", None, "view_execution"),
]
NEEDED = sorted({codename for *_, codename in CALLS} | {"pause_job"})


@pytest.mark.parametrize(("method", "path", "body", "codename"), CALLS)
def test_each_call_needs_its_permission(
    wire: Wire, user_with: Callable[..., User], method: str, path: str, body: Any, codename: str
) -> None:
    wire.create(SAMPLE)
    others = [name for name in NEEDED if name != codename]
    user_with(*others, name="without")
    user_with(codename, name="with")
    answer = Wire(Client()).log_in("without").send(method, f"/admin/api/jobs/{path}", body)
    assert failure(answer) == (403, None)
    assert Wire(Client()).log_in("with").send(method, f"/admin/api/jobs/{path}", body).status_code == 200


@pytest.mark.parametrize(("method", "path", "body", "codename"), CALLS)
def test_each_call_needs_a_token(wire: Wire, method: str, path: str, body: Any, codename: str) -> None:
    wire.create(SAMPLE)
    for headers in ({}, {"X-VoltMX-Authorization": "garbage"}, {"Authorization": "Basic YWRtaW46eA=="}):
        wire.headers = headers
        answer = wire.send(method, f"/admin/api/jobs/{path}", body)
        assert failure(answer) == (401, None)


def test_who_may_only_pause_changes_the_status_alone(wire: Wire, user_with: Callable[..., User]) -> None:
    wire.create(SAMPLE)
    user_with("pause_job", "view_job")
    operator = Wire(Client()).log_in("limited")
    whole = wire.get("/admin/api/jobs/job2")
    assert operator.send("PUT", JOBS, {**whole, "jobStatus": "Inactive"}).status_code == 200
    assert wire.get("/admin/api/jobs/job2")["jobStatus"] == "Inactive"
    answer = operator.send("PUT", JOBS, {"jobId": 2, "jobStatus": "Active", "jobName": "mine"})
    assert failure(answer) == (403, None)
    assert wire.get("/admin/api/jobs/job2")["jobStatus"] == "Inactive"


def test_a_session_of_the_admin_is_no_token(user: User, stranger: Wire) -> None:
    stranger.client.force_login(user)
    assert failure(stranger.send("GET", JOBS)) == (401, None)


def test_a_head_request_answers_like_get_without_a_body(wire: Wire) -> None:
    answer = wire.send("HEAD", JOBS)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


def test_the_list_is_streamed(wire: Wire) -> None:
    answer = wire.send("GET", JOBS)
    assert answer.streaming
    assert content(answer) == []
