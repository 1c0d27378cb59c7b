"""Jobs over HTTP: created, shown, listed, removed; every problem of a request told at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from scheduler.models import Execution, Job, JobState, Status
from tests.zementis.conftest import Api, answer
from tests.zementis.factories import (
    COMFORT,
    FOREST_MAPPINGS,
    NOON,
    a_context,
    a_device,
    a_group,
    a_job,
    a_job_body,
    a_model,
    end,
)

pytestmark = pytest.mark.django_db

JOB = "/service/zementis/job"
JOBS = "/service/zementis/jobs"


@pytest.fixture
def device(db: None) -> int:
    a_model()
    return a_device().pk


def refusal(api: Api, body: Any) -> tuple[int, Any]:
    code, found = answer(api.post(JOB, body))
    return code, found["errors"]


def with_schedule(target: int, **changes: Any) -> dict[str, Any]:
    body = a_job_body(target)
    body["jobSchedule"].update(changes)
    return body


def test_an_id_is_given_and_never_given_again(api: Api, device: int) -> None:
    first = answer(api.post(JOB, a_job_body(device)))[1]["jobId"]
    api.delete(f"{JOB}/{first}")
    assert answer(api.post(JOB, a_job_body(device)))[1]["jobId"] == first + 1


def test_a_new_job_is_scheduled(api: Api, device: int) -> None:
    number = answer(api.post(JOB, a_job_body(device)))[1]["jobId"]
    found = answer(api.get(f"{JOB}/{number}"))[1]
    assert (found["jobStatus"], found["lastExecutionDuration"]) == ("Scheduled", None)


def test_a_job_shows_model_inputs_with_their_series_whichever_way_they_were_sent(api: Api, device: int) -> None:
    turned = {path: name for name, path in FOREST_MAPPINGS.items()}
    code, made = answer(api.post(JOB, a_job_body(device, modelToDeviceMappings=turned)))
    assert (code, made["modelToDeviceMappings"]) == (201, turned)
    assert answer(api.get(f"{JOB}/{made['jobId']}"))[1]["modelToDeviceMappings"] == FOREST_MAPPINGS


def test_two_inputs_may_use_one_series(api: Api, device: int) -> None:
    a_model(COMFORT)
    mappings = {"temperature": "s7aFlowC.F.value", "humidity": "s7aFlowC.F.value"}
    body = a_job_body(device, model="Comfort", modelToDeviceMappings=mappings)
    assert answer(api.post(JOB, body))[0] == 201


def test_a_single_run_shows_its_instants_in_utc_and_no_keys_of_the_other_frequency(api: Api, device: int) -> None:
    schedule = {
        "frequency": "once",
        "scheduleAt": "2099-04-02T23:12:00.000+05:30",
        "dataFrom": "2019-10-04T12:01:55.235+05:30",
        "dataTo": "2019-10-05T12:01:55.235+05:30",
    }
    code, made = answer(api.post(JOB, a_job_body(device, jobSchedule=schedule)))
    assert (code, made["jobSchedule"]) == (
        201,
        {
            "frequency": "once",
            "cronExpression": None,
            "dataFromPreviousNSeconds": None,
            "timeZone": None,
            "scheduleAt": "2099-04-02T17:42:00Z",
            "dataFrom": "2019-10-04T06:31:55.235Z",
            "dataTo": "2019-10-05T06:31:55.235Z",
        },
    )


def test_the_legacy_name_of_a_zone_is_kept(api: Api, device: int) -> None:
    made = answer(api.post(JOB, with_schedule(device, timeZone="Asia/Calcutta")))[1]
    assert made["jobSchedule"]["timeZone"] == "Asia/Calcutta"


def test_unsafe_characters_become_underscores(api: Api, device: int) -> None:
    body = a_job_body(device, jobName="a<b>&\"c'\u0000\n\u009f\ud800", jobDescription="x\ty")
    code, made = answer(api.post(JOB, body))
    assert (code, made["jobName"], made["jobDescription"]) == (201, "a_b___c_____", "x_y")


def test_a_description_is_not_needed(api: Api, device: int) -> None:
    body = a_job_body(device)
    del body["jobDescription"]
    code, made = answer(api.post(JOB, body))
    assert (code, made["jobDescription"]) == (201, None)


def test_all_problems_are_told_at_once(api: Api, device: int) -> None:
    body = {
        "jobName": " ",
        "jobDescription": 5,
        "associatedGroupOrDeviceId": "abc",
        "associatedModel": "Dummy",
        "modelToDeviceMappings": {},
        "jobSchedule": {"frequency": "periodic", "cronExpression": "x", "timeZone": "Mars/Olympus"},
    }
    code, errors = refusal(api, body)
    assert code == 400
    assert errors[:4] == [
        "jobName must not be blank.",
        "jobDescription must be text, not 5.",
        "associatedGroupOrDeviceId must be a whole number, not abc.",
        "modelToDeviceMappings must be an object with a series for each model input, not {}.",
    ]
    assert errors[4].startswith("cronExpression 'x' is not valid: ")
    assert errors[5:] == [
        "timeZone 'Mars/Olympus' is not a time zone.",
        "dataFromPreviousNSeconds is missing.",
        "Model 'Dummy' not found.",
    ]


def test_nothing_at_all_names_every_missing_field(api: Api, device: int) -> None:
    assert refusal(api, {}) == (
        400,
        [
            "jobName is missing.",
            "associatedModel is missing.",
            "associatedGroupOrDeviceId is missing.",
            "modelToDeviceMappings is missing.",
            "jobSchedule is missing.",
        ],
    )


def test_a_device_that_is_not_there_is_not_found(api: Api, device: int) -> None:
    assert refusal(api, a_job_body(123456789)) == (
        404,
        ["Device or group with id 123456789 does not exist or it is invalid"],
    )


def test_a_managed_object_that_is_neither_device_nor_group_is_invalid(api: Api, device: int) -> None:
    from zementis.devices import managed_objects

    other = managed_objects.create({"name": "a building"}, by="tester").pk
    assert refusal(api, a_job_body(other)) == (
        404,
        [f"Device or group with id {other} does not exist or it is invalid"],
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"frequency": None}, "frequency can be either once or periodic."),
        ({"frequency": ["once"]}, "frequency can be either once or periodic."),
        ({"cronExpression": ""}, "cronExpression must not be blank."),
        ({"cronExpression": 5}, "cronExpression must be text, not 5."),
        ({"cronExpression": "0 0 12 1 1 ? 2019"}, "cronExpression '0 0 12 1 1 ? 2019' never fires from now on."),
        ({"timeZone": None}, "timeZone is missing."),
        ({"timeZone": "../../etc/passwd"}, "timeZone '../../etc/passwd' is not a time zone."),
        (
            {"dataFromPreviousNSeconds": 0},
            "dataFromPreviousNSeconds must be a whole number from 1 to 1000000000, not 0.",
        ),
        (
            {"dataFromPreviousNSeconds": True},
            "dataFromPreviousNSeconds must be a whole number from 1 to 1000000000, not True.",
        ),
        (
            {"dataFromPreviousNSeconds": "10"},
            "dataFromPreviousNSeconds must be a whole number from 1 to 1000000000, not 10.",
        ),
    ],
)
def test_a_periodic_schedule_is_checked(api: Api, device: int, changes: dict[str, Any], problem: str) -> None:
    assert refusal(api, with_schedule(device, **changes)) == (400, [problem])


def test_a_five_field_expression_is_not_the_vendors(api: Api, device: int) -> None:
    code, errors = refusal(api, with_schedule(device, cronExpression="0 12 * * *"))
    assert (code, len(errors), errors[0][:43]) == (400, 1, "cronExpression '0 12 * * *' is not valid: e")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"scheduleAt": "2020-04-02T17:42:00Z"},
            "Unable to trigger the job since schedule date 2020-04-02T17:42:00Z is prior to the current time",
        ),
        ({"dataFrom": None}, "dataFrom is missing."),
        (
            {"dataFrom": "2019-10-04"},
            "dataFrom '2019-10-04' is not an ISO-8601 date and time with an offset or Z, such as"
            " 2026-05-01T12:00:00.000Z.",
        ),
        (
            {"dataFrom": "2019-10-04T12:00:00"},
            "dataFrom '2019-10-04T12:00:00' is not an ISO-8601 date and time with an offset or Z, such as"
            " 2026-05-01T12:00:00.000Z.",
        ),
        (
            {"dataFrom": "2019-10-06T00:00:00Z"},
            "dataFrom 2019-10-06T00:00:00Z must be before dataTo 2019-10-05T00:00:00Z.",
        ),
        (
            {"dataTo": "0001-01-01T00:00:00+05:30"},
            "dataTo '0001-01-01T00:00:00+05:30' is not an ISO-8601 date and time with an offset or Z, such as"
            " 2026-05-01T12:00:00.000Z.",
        ),
    ],
)
def test_a_single_schedule_is_checked(api: Api, device: int, changes: dict[str, Any], problem: str) -> None:
    schedule = {
        "frequency": "once",
        "scheduleAt": "2099-01-01T00:00:00Z",
        "dataFrom": "2019-10-04T00:00:00Z",
        "dataTo": "2019-10-05T00:00:00Z",
    }
    assert refusal(api, a_job_body(device, jobSchedule={**schedule, **changes})) == (400, [problem])


def test_the_range_of_data_may_be_capped(api: Api, device: int, settings: Any) -> None:
    settings.ZEMENTIS_MAX_DATA_RANGE_SECONDS = 60
    assert refusal(api, with_schedule(device, dataFromPreviousNSeconds=61)) == (
        400,
        ["dataFromPreviousNSeconds must be at most 60 seconds; it is 61."],
    )


def test_a_mapping_is_checked_against_the_model(api: Api, device: int) -> None:
    mappings = {**FOREST_MAPPINGS, "speed": "c8y_Speed.v.value", "gyroX": "gyro"}
    del mappings["gyroY"]
    assert refusal(api, a_job_body(device, modelToDeviceMappings=mappings)) == (
        400,
        [
            "modelToDeviceMappings: 'gyro' is not of the form fragment.series.value.",
            "modelToDeviceMappings: 'speed' is not an input of model 'IsolationForest'.",
            "modelToDeviceMappings: input 'gyroY' of model 'IsolationForest' has no mapping.",
        ],
    )


def test_all_jobs_are_listed_the_newest_first(api: Api, device: int) -> None:
    numbers = [a_job(device).number for _ in range(3)]
    assert [job["jobId"] for job in answer(api.get(JOBS))[1]] == numbers[::-1]


def test_listing_costs_the_same_for_any_number_of_jobs(
    api: Api, device: int, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        a_job(device)
    api.get(JOBS)
    with django_assert_max_num_queries(8):
        assert len(answer(api.get(JOBS))[1]) == 5


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (Status.SUCCEEDED, "Success"),
        (Status.WARNED, "Warning"),
        (Status.FAILED, "Failure"),
        (Status.CANCELLED, "Failure"),
    ],
)
def test_the_status_is_that_of_the_last_execution(api: Api, device: int, status: Status, word: str) -> None:
    job = a_job(device)
    JobState.objects.filter(job=job).update(
        last_status=status, last_started_at=NOON, last_ended_at=NOON.replace(microsecond=63_000)
    )
    found = answer(api.get(f"{JOB}/{job.number}"))[1]
    assert (found["jobStatus"], found["lastExecutionDuration"]) == (word, "63")


def test_a_job_runs_while_one_of_its_executions_does(api: Api, device: int) -> None:
    job = a_job(device)
    a_context(job)
    assert answer(api.get(f"{JOB}/{job.number}"))[1]["jobStatus"] == "Running"
    assert answer(api.get(JOBS))[1][0]["jobStatus"] == "Running"


def test_removing_a_job_answers_what_remains(api: Api, device: int) -> None:
    first, second = a_job(device), a_job(device)
    code, remaining = answer(api.delete(f"{JOB}/{first.number}"))
    assert (code, [job["jobId"] for job in remaining]) == (200, [second.number])


def test_removing_all_jobs_leaves_the_other_surfaces_alone(api: Api, device: int) -> None:
    a_job(device)
    a_job(device)
    other = _a_job_of_another_kind()
    assert answer(api.delete(JOBS)) == (200, [])
    assert list(Job.objects.values_list("kind", "number")) == [other]


def _a_job_of_another_kind() -> tuple[str, int]:
    job = Job.objects.create(
        kind="other", number=1, name="other", run_at=datetime(2099, 1, 1, tzinfo=UTC), created_by="x", updated_by="x"
    )
    JobState.objects.create(job=job)
    return job.kind, job.number


def test_a_group_is_told_from_a_device(api: Api, device: int) -> None:
    job = a_job(a_group().pk)
    context = a_context(job)
    end(context, Status.SUCCEEDED)
    assert answer(api.get(f"{JOB}/{job.number}/history"))[1][0]["isExecutionForDeviceGroup"] is True
    assert Execution.objects.count() == 1


@pytest.mark.parametrize(
    "segment", ["0", "00000", "-1", "abc", "1.0", "99999999999999999999", "9" * 400, "%00", "%C3%A9"]
)
def test_what_is_no_job_is_echoed(api: Api, segment: str) -> None:
    from urllib.parse import unquote

    assert answer(api.get(f"{JOB}/{segment}")) == (
        404,
        {"errors": [f"Zementis job ID '{unquote(segment)}' not found."]},
    )
