"""The jobs API: create, list, read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler.models import Job, JobState
from tests.voltmx.wire import SAMPLE, SUCCESS, Wire, failure, sample
from voltmx import listing

JOBS = "/admin/api/jobs/job"
NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def shown(**changes: Any) -> dict[str, Any]:
    """The sample as "Get All Job Details with Job ID" shows it."""
    body = sample(without=("description",))
    return {**body, **changes}


# -- Create ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [JOBS, JOBS + "/"])
def test_the_references_sample_is_created_and_read_back(wire: Wire, path: str) -> None:
    answer = wire.send("POST", path, SAMPLE)
    assert (answer.status_code, answer.json(), list(answer.json())) == (200, SUCCESS, list(SUCCESS))
    assert answer["Content-Type"] == "application/json"
    read = wire.get("/admin/api/jobs/job2")
    assert read == shown()
    assert list(read) == list(shown())
    assert list(read["jobServiceInfo"]) == list(SAMPLE["jobServiceInfo"])


@pytest.mark.parametrize("path", ["job2", "job2/", "job/2", "job/2/"])
def test_one_job_is_read_under_each_form_of_its_path(wire: Wire, path: str) -> None:
    wire.create(SAMPLE)
    assert wire.get(f"/admin/api/jobs/{path}")["jobId"] == 2


def at_noon() -> None:
    """Put the instants of all jobs where they can be compared."""
    Job.objects.update(updated_at=NOON)
    JobState.objects.update(next_fire_at=NOON + timedelta(seconds=19.5))


def test_the_list_shows_the_members_of_the_reference_in_their_order(wire: Wire) -> None:
    wire.create(SAMPLE)
    at_noon()
    expected = {
        "jobId": 2,
        "jobName": "testjob1",
        "description": "Job for testjob2",
        "cronExpression": "19 0 * * * ? *",
        "updatedUser": "user.id@example.com",
        "updatedDate": "2026-11-22 12:00:00",
        "jobStatus": "Active",
        "jobHistoryTotal": 0,
        "jobHistorySuccessCount": 0,
        "jobHistoryFailCount": 0,
        "jobHistorySucPercentage": 0,
        "jobHistoryFailPercentage": 0,
        "jobLastRunStatus": None,
        "jobNextRunTime": "2026-11-22 12:00:19",
    }
    listed = wire.get(JOBS)
    assert listed == [expected]
    assert list(listed[0]) == list(expected)


def test_instants_and_cron_are_in_the_surfaces_zone(wire: Wire, settings: Any) -> None:
    settings.VOLTMX_TIME_ZONE = "Asia/Kolkata"
    wire.create(sample(jobFrequency="0 0 18 * * ? *"))
    assert wire.get(JOBS)[0]["jobNextRunTime"].endswith(" 18:00:00")
    at_noon()
    job = wire.get(JOBS)[0]
    assert (job["updatedDate"], job["jobNextRunTime"]) == ("2026-11-22 17:30:00", "2026-11-22 17:30:19")


def test_the_figures_of_the_list_come_from_the_counters(wire: Wire) -> None:
    wire.create(SAMPLE)
    JobState.objects.update(total_count=3, success_count=1, warning_count=1, failure_count=1, last_status=4)
    job = wire.get(JOBS)[0]
    figures = {name: job[name] for name in job if name.startswith(("jobHistory", "jobLast"))}
    assert figures == {
        "jobHistoryTotal": 3,
        "jobHistorySuccessCount": 2,
        "jobHistoryFailCount": 1,
        "jobHistorySucPercentage": 67,
        "jobHistoryFailPercentage": 33,
        "jobLastRunStatus": "Fail",
    }


def test_a_long_list_comes_in_pieces_that_make_one_list(wire: Wire) -> None:
    names = ['with "quotes"', "ünïcode 漢字 \U0001f600", "back\\slash\n\ttab", "</script>"]
    for name in names:
        wire.create(sample(without=("jobId",), jobName=name, description=name))
    listed = json.loads("".join(listing.pieces(batch=1)))
    assert [(job["jobId"], job["jobName"], job["description"]) for job in listed] == [
        (number, name, name) for number, name in enumerate(names, 1)
    ]
    assert listed == json.loads("".join(listing.pieces(batch=2))) == wire.get(JOBS)


@pytest.mark.parametrize("given", [{}, {"jobId": None}, {"jobId": 0}])
def test_without_an_id_the_next_free_one_is_taken(wire: Wire, given: dict[str, Any]) -> None:
    wire.create(sample(jobId=1, jobName="first"))
    body = sample(without=("jobId",), jobName="second")
    wire.create({**body, **given})
    assert [job["jobId"] for job in wire.get(JOBS)] == [1, 2]


def test_a_taken_id_or_name_is_refused(wire: Wire) -> None:
    wire.create(SAMPLE)
    assert failure(wire.send("POST", JOBS, sample(jobName="other"))) == (409, {"jobId": ["is taken"]})
    assert failure(wire.send("POST", JOBS, sample(jobId=3))) == (409, {"jobName": ["is taken"]})
    assert Job.objects.count() == 1


def test_absent_members_get_their_defaults(wire: Wire) -> None:
    wire.create(
        {
            "jobName": "bare",
            "jobFrequency": "0 0 * * * ?",
            "jobServiceInfo": {
                "serviceType": "orchSer",
                "serviceName": "s",
                "operationName": "o",
                "serviceExecutionType": "SERVER_URL",
            },
            "unknown": {"is": "ignored"},
        }
    )
    assert wire.get("/admin/api/jobs/job1") == {
        "jobId": 1,
        "jobName": "bare",
        "jobFrequency": "0 0 * * * ?",
        "jobServiceInfo": {
            "version": "1.0",
            "serviceType": "orchSer",
            "serviceName": "s",
            "objectName": "",
            "operationName": "o",
            "requestheaderMap": {},
            "serviceExecutionType": "SERVER_URL",
            "postData": "{}",
            "operationSecurityLevel": "public",
        },
        "jobStatus": "Active",
        "historyStrategy": "MINIMAL",
        "retentionPeriod": "30",
        "jobFrequencyInfo": {"frequencyType": 1, "minuteValues": [0]},
    }


def test_null_members_count_as_absent(wire: Wire) -> None:
    wire.create(
        sample(
            description=None,
            jobStatus=None,
            historyStrategy=None,
            retentionPeriod=None,
            jobFrequency=None,
            jobFrequencyInfo={"frequencyType": 2, "hourValues": [9], "minuteValues": None},
            info={"version": None, "requestheaderMap": None, "postData": None, "operationSecurityLevel": None},
        )
    )
    read = wire.get("/admin/api/jobs/job2")
    assert read["jobFrequency"] == "0 0 9 * * ? *"
    assert read["jobServiceInfo"] == SAMPLE["jobServiceInfo"]
    assert (read["jobStatus"], read["historyStrategy"], read["retentionPeriod"]) == ("Active", "MINIMAL", "30")
    assert wire.get(JOBS)[0]["description"] is None


def test_an_inactive_job_has_no_next_run(wire: Wire) -> None:
    wire.create(sample(jobStatus="Inactive"))
    job = wire.get(JOBS)[0]
    assert (job["jobStatus"], job["jobNextRunTime"]) == ("Inactive", None)


def test_post_data_may_be_an_object_and_is_echoed_as_a_string(wire: Wire) -> None:
    wire.create(sample(info={"postData": {"cityName": "", "ü": [1, None]}}))
    assert wire.get("/admin/api/jobs/job2")["jobServiceInfo"]["postData"] == '{"cityName":"","ü":[1,null]}'


def test_post_data_as_a_string_is_echoed_as_sent(wire: Wire) -> None:
    wire.create(sample(info={"postData": '{ "cityName" :\n"x"}'}))
    assert wire.get("/admin/api/jobs/job2")["jobServiceInfo"]["postData"] == '{ "cityName" :\n"x"}'


def test_the_expression_is_echoed_as_sent_and_the_info_too(wire: Wire) -> None:
    info = {"frequencyType": 4, "dayOfMonthValues": ["L"], "console": {"own": 1}, "encrypted": "x"}
    wire.create(sample(jobFrequency="*  0/10 * * * ? *", jobFrequencyInfo=info))
    read = wire.get("/admin/api/jobs/job2")
    assert (read["jobFrequency"], read["jobFrequencyInfo"]) == ("*  0/10 * * * ? *", info)
    assert list(read["jobFrequencyInfo"]) == list(info)
    assert Job.objects.get().expression == "0 0/10 * * * ? *"


def test_the_object_name_belongs_to_object_services_alone(wire: Wire) -> None:
    wire.create(sample(info={"objectName": "Order"}))
    assert wire.get("/admin/api/jobs/job2")["jobServiceInfo"]["objectName"] == ""
    wire.create(sample(jobId=3, jobName="x", info={"serviceType": "objSer", "objectName": "Order"}))
    assert wire.get("/admin/api/jobs/job3")["jobServiceInfo"]["objectName"] == "Order"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"jobId": "2"}, "jobId"),
    ({"jobId": True}, "jobId"),
    ({"jobId": 2.0}, "jobId"),
    ({"jobId": -1}, "jobId"),
    ({"jobId": 2**63}, "jobId"),
    ({"jobName": None}, "jobName"),
    ({"jobName": ""}, "jobName"),
    ({"jobName": "   "}, "jobName"),
    ({"jobName": "x" * 256}, "jobName"),
    ({"jobName": 5}, "jobName"),
    ({"jobName": ["x"]}, "jobName"),
    ({"description": 5}, "description"),
    ({"description": "x" * 10_001}, "description"),
    ({"jobStatus": "active"}, "jobStatus"),
    ({"jobStatus": True}, "jobStatus"),
    ({"historyStrategy": "SOME"}, "historyStrategy"),
    ({"historyStrategy": []}, "historyStrategy"),
    ({"retentionPeriod": "0"}, "retentionPeriod"),
    ({"retentionPeriod": "3651"}, "retentionPeriod"),
    ({"retentionPeriod": "ten"}, "retentionPeriod"),
    ({"retentionPeriod": "٣"}, "retentionPeriod"),
    ({"retentionPeriod": ""}, "retentionPeriod"),
    ({"retentionPeriod": 30}, "retentionPeriod"),
    ({"jobFrequency": "* * * * * ? *"}, "jobFrequency"),
    ({"jobFrequency": "nonsense"}, "jobFrequency"),
    ({"jobFrequency": ""}, "jobFrequency"),
    ({"jobFrequency": 5}, "jobFrequency"),
    ({"jobFrequency": "0 0 0 1 1 ? 2020"}, "jobFrequency"),
    ({"jobFrequency": None, "jobFrequencyInfo": None}, "jobFrequency"),
    ({"jobFrequencyInfo": []}, "jobFrequencyInfo"),
    ({"jobFrequencyInfo": {"frequencyType": 9}}, "jobFrequencyInfo.frequencyType"),
    ({"jobFrequencyInfo": {"minuteValues": "5"}}, "jobFrequencyInfo.minuteValues"),
    ({"jobFrequencyInfo": {"dayOfWeekValues": 0}}, "jobFrequencyInfo.dayOfWeekValues"),
    ({"jobFrequencyInfo": {"dayOfMonthValues": ""}}, "jobFrequencyInfo.dayOfMonthValues"),
    ({"jobFrequency": None, "jobFrequencyInfo": {"frequencyType": 2}}, "jobFrequencyInfo.hourValues"),
    ({"jobFrequencyInfo": {"frequencyType": 1, "minuteValues": [0], "x": "y" * 20_000}}, "jobFrequencyInfo"),
    ({"jobServiceInfo": None}, "jobServiceInfo"),
    ({"jobServiceInfo": "x"}, "jobServiceInfo"),
    ({"emailNotifications": []}, "emailNotifications"),
    ({"emailNotifications": {"onFailure": "a@b.c"}}, "emailNotifications.onFailure"),
    ({"emailNotifications": {"onFailure": ["a@b.c\nBcc: x@y.z"]}}, "emailNotifications.onFailure"),
    ({"emailNotifications": {"onFailure": [5]}}, "emailNotifications.onFailure"),
    ({"emailNotifications": {"onFailure": ["a@b.example"] * 21}}, "emailNotifications.onFailure"),
]
REFUSED_INFO: list[tuple[dict[str, Any], str]] = [
    ({"serviceType": None}, "serviceType"),
    ({"serviceType": "soap"}, "serviceType"),
    ({"serviceType": []}, "serviceType"),
    ({"serviceName": None}, "serviceName"),
    ({"serviceName": ""}, "serviceName"),
    ({"serviceName": "a/b"}, "serviceName"),
    ({"serviceName": ".."}, "serviceName"),
    ({"serviceName": "."}, "serviceName"),
    ({"serviceName": "x\n"}, "serviceName"),
    ({"serviceName": "ü"}, "serviceName"),
    ({"serviceName": "x" * 256}, "serviceName"),
    ({"serviceName": 7}, "serviceName"),
    ({"operationName": None}, "operationName"),
    ({"operationName": "a b"}, "operationName"),
    ({"operationName": "a?b"}, "operationName"),
    ({"serviceType": "objSer"}, "objectName"),
    ({"serviceType": "objSer", "objectName": "../x"}, "objectName"),
    ({"objectName": 5}, "objectName"),
    ({"version": 1.0}, "version"),
    ({"version": "1\r\nX: y"}, "version"),
    ({"serviceExecutionType": None}, "serviceExecutionType"),
    ({"serviceExecutionType": "CLIENT"}, "serviceExecutionType"),
    ({"requestheaderMap": []}, "requestheaderMap"),
    ({"requestheaderMap": "{}"}, "requestheaderMap"),
    ({"requestheaderMap": {"A": 5}}, "requestheaderMap"),
    ({"requestheaderMap": {"A": "x\r\nB: y"}}, "requestheaderMap"),
    ({"requestheaderMap": {"A": "€"}}, "requestheaderMap"),
    ({"requestheaderMap": {"A b": "x"}}, "requestheaderMap"),
    ({"requestheaderMap": {"": "x"}}, "requestheaderMap"),
    ({"requestheaderMap": {"HOST": "elsewhere"}}, "requestheaderMap"),
    ({"requestheaderMap": {"Content-Length": "5"}}, "requestheaderMap"),
    ({"requestheaderMap": {"transfer-encoding": "chunked"}}, "requestheaderMap"),
    ({"requestheaderMap": {f"h{number}": "x" for number in range(51)}}, "requestheaderMap"),
    ({"requestheaderMap": {"Authorization": "********"}}, "requestheaderMap"),
    ({"requestheaderMap": {"Authorization": {"encrypted": "x"}}}, "requestheaderMap"),
    ({"postData": 5}, "postData"),
    ({"postData": "cityName=x"}, "postData"),
    ({"postData": "[1]"}, "postData"),
    ({"postData": "5"}, "postData"),
    ({"postData": "[" * 40 + "]" * 40}, "postData"),
    ({"postData": ["x"]}, "postData"),
    ({"operationSecurityLevel": "secret"}, "operationSecurityLevel"),
    ({"operationSecurityLevel": 5}, "operationSecurityLevel"),
    ({"queryParams": []}, "queryParams"),
    ({"queryParams": {"a": []}}, "queryParams"),
    ({"queryParams": {"": "x"}}, "queryParams"),
    ({"queryParams": {"a": {"encrypted": "x"}}}, "queryParams"),
    ({"successCriteria": 5}, "successCriteria"),
    ({"authentication": "x"}, "authentication"),
    ({"authentication": {"type": "ROOT"}}, "authentication.type"),
    ({"authentication": {"appKey": 5}}, "authentication.appKey"),
    ({"authentication": {"appKey": "x\r\ny"}}, "authentication.appKey"),
    ({"authentication": {"appSecret": 5}}, "authentication.appSecret"),
    ({"authentication": {"password": "********"}}, "authentication.password"),
    ({"authentication": {"password": {"encrypted": "x"}}}, "authentication.password"),
]


@pytest.mark.parametrize(("changes", "field"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_bad_member_is_refused_by_name(wire: Wire, changes: dict[str, Any], field: str) -> None:
    status, details = failure(wire.send("POST", JOBS, sample(**changes)))
    assert (status, list(details)) == (400, [field])
    assert all(isinstance(problem, str) and problem for problem in details[field])
    assert not Job.objects.exists()


@pytest.mark.parametrize(("changes", "field"), REFUSED_INFO, ids=lambda value: str(value)[:40])
def test_a_bad_member_of_the_service_info_is_refused_by_name(wire: Wire, changes: dict[str, Any], field: str) -> None:
    status, details = failure(wire.send("POST", JOBS, sample(info=changes)))
    assert (status, list(details)) == (400, [f"jobServiceInfo.{field}"])
    assert not Job.objects.exists()


def test_all_problems_are_told_at_once(wire: Wire) -> None:
    body = sample(jobName=5, jobStatus="x", info={"serviceName": "a/b", "operationName": 5})
    status, details = failure(wire.send("POST", JOBS, body))
    assert (status, list(details)) == (
        400,
        ["jobName", "jobStatus", "jobServiceInfo.serviceName", "jobServiceInfo.operationName"],
    )


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b'{"jobName": NaN}', "application/json", 400),
        (b'{"jobId": 1e999}', "application/json", 400),
        (b'{"jobId": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"jobName": "a\\u0000b"}', "application/json", 400),
        (b'{"jobName": "\\ud800"}', "application/json", 400),
        (b'{"x\\ud800": 1}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "application/json", 400),
        (b"jobName=x", "application/x-www-form-urlencoded", 415),
        (b"{}", "text/plain", 415),
        (b" " * ((1 << 20) + 1), "application/json", 413),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_body_that_cannot_be_read_is_refused(
    wire: Wire, method: str, body: bytes, content_type: str, status: int
) -> None:
    assert failure(wire.send(method, JOBS, body, content_type=content_type))[0] == status
