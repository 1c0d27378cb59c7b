"""Executions and inferences over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from scheduler.models import Status
from tests.zementis.conftest import Api, answer
from tests.zementis.factories import NOON, Context, PageWriter, a_context, a_device, a_job, a_model, end

pytestmark = pytest.mark.django_db

HOUR = 3_600_000_000
AT = int(NOON.timestamp()) * 1_000_000


@pytest.fixture
def context(db: None) -> Context:
    a_model()
    return a_context(a_job(a_device().pk))


def history(context: Context, rest: str = "") -> str:
    return f"/service/zementis/job/{context.job_number}/history{rest}"


def write(context: Context, device: int, count: int, **columns: Any) -> None:
    writer = PageWriter(context.execution_id, context.attempt)
    given = columns or {"score": np.arange(count, dtype=float)}
    writer.add(device, AT + np.arange(count, dtype=np.int64) * 1_000_000, given)
    writer.close()


def test_instants_drop_zero_milliseconds(api: Api, context: Context) -> None:
    end(context, Status.SUCCEEDED, after=timedelta(milliseconds=4051))
    found = answer(api.get(history(context, "/1")))[1]
    assert (found["jobExecutionStartTime"], found["jobExecutionEndTime"], found["jobExecutionDuration"]) == (
        "2026-05-01T12:00:00Z",
        "2026-05-01T12:00:04.051Z",
        "4051",
    )


def test_a_failure_tells_why(api: Api, context: Context) -> None:
    end(context, Status.FAILED, ["Model 'X' not found."])
    found = answer(api.get(history(context, "/1")))[1]
    assert (found["jobExecutionStatus"], found["jobExecutionStatusMessage"]) == ("Failure", ["Model 'X' not found."])


def test_executions_are_listed_the_oldest_first(api: Api, context: Context) -> None:
    end(context, Status.SUCCEEDED)
    from scheduler.models import Job

    second = a_context(Job.objects.get(pk=context.job_pk), number=2, at=NOON + timedelta(hours=1))
    end(second, Status.WARNED)
    assert [found["jobExecutionNumber"] for found in answer(api.get(history(context)))[1]] == [1, 2]


def test_a_running_execution_is_not_history_yet(api: Api, context: Context) -> None:
    assert answer(api.get(history(context))) == (200, [])


@pytest.mark.parametrize("segment", ["0", "2", "abc", "-1", "01", "9" * 30])
def test_what_is_no_execution_is_echoed(api: Api, context: Context, segment: str) -> None:
    end(context, Status.SUCCEEDED)
    missing = (404, {"errors": [f"Job Execution number {segment} does not exist."]})
    assert answer(api.get(history(context, f"/{segment}"))) == missing
    assert answer(api.get(history(context, f"/{segment}/inferences"))) == missing


def test_the_job_is_looked_up_before_the_execution(api: Api) -> None:
    assert answer(api.get("/service/zementis/job/5/history/0")) == (
        404,
        {"errors": ["Zementis job ID '5' not found."]},
    )


def test_page_k_is_page_k_of_every_device(api: Api, context: Context) -> None:
    write(context, 7, 2001)
    write(context, 5, 3)
    end(context, Status.SUCCEEDED)
    pages = [answer(api.get(history(context, "/1/inferences"), {"currentPage": page}))[1] for page in (1, 2, 3)]
    lengths = [
        [(item["deviceId"], len(item["recordCollection"]["score"])) for item in page["inferenceCollection"]]
        for page in pages
    ]
    assert lengths == [[(5, 3), (7, 2000)], [(7, 1)], []]
    assert [page["currentPage"] for page in pages] == [1, 2, 3]


def test_every_kind_of_output_comes_back_as_what_it_was(api: Api, context: Context) -> None:
    write(
        context,
        5,
        3,
        number=np.array([0.1, np.nan, np.inf]),
        flag=np.array([True, False, True]),
        many=np.array([1, 2, 2**53 + 1], dtype=np.int64),
        word=np.array(["a", None, "ü"], dtype=object),
    )
    end(context, Status.SUCCEEDED)
    found = answer(api.get(history(context, "/1/inferences")))[1]
    assert found["inferenceCollection"] == [
        {
            "recordCollection": {
                "number": [0.1, None, None],
                "flag": [True, False, True],
                "many": [1, 2, 2**53 + 1],
                "word": ["a", None, "ü"],
            },
            "deviceId": 5,
        }
    ]


def test_instants_come_along_when_they_are_asked_for(api: Api, context: Context) -> None:
    write(context, 5, 2)
    end(context, Status.SUCCEEDED)
    found = answer(api.get(history(context, "/1/inferences"), {"withTimestamps": "true"}))[1]
    assert found["inferenceCollection"][0]["recordCollection"] == {
        "score": [0.0, 1.0],
        f"timestamp_{context.job_number}": ["2026-05-01T12:00:00.000Z", "2026-05-01T12:00:01.000Z"],
    }


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.5", "", " ", "²", "1" * 4001, "\x00"])
def test_a_page_is_a_positive_whole_number(api: Api, context: Context, page: str) -> None:
    end(context, Status.SUCCEEDED)
    code, found = answer(api.get(history(context, "/1/inferences"), {"currentPage": page}))
    shown = "1" * 97 + "..." if len(page) > 100 else page.replace("\x00", "_")
    assert (code, found) == (400, {"errors": [f"currentPage must be a positive whole number, not '{shown}'."]})


@pytest.mark.parametrize("page", [10**18, 99_999_999_999_999_999_999, 10**3999], ids=["10^18", "10^20-1", "10^3999"])
def test_a_page_far_beyond_the_end_is_empty(api: Api, context: Context, page: int) -> None:
    write(context, 5, 2)
    end(context, Status.SUCCEEDED)
    assert answer(api.get(history(context, "/1/inferences"), {"currentPage": page})) == (
        200,
        {"inferenceCollection": [], "currentPage": page},
    )


def test_pages_of_an_attempt_that_was_lost_are_not_shown(api: Api, context: Context) -> None:
    write(context, 5, 2)
    context.attempt = 2
    write(context, 6, 1)
    execution = end(context, Status.SUCCEEDED)
    execution.attempt = 2
    execution.save()
    found = answer(api.get(history(context, "/1/inferences")))[1]
    assert [item["deviceId"] for item in found["inferenceCollection"]] == [6]


def test_a_page_reads_no_other_page(api: Api, context: Context, django_assert_max_num_queries: Any) -> None:
    write(context, 5, 6000)
    end(context, Status.SUCCEEDED)
    # Checking a password for the first time takes questions of its own.
    api.get(history(context, ""))
    with django_assert_max_num_queries(4):
        found = answer(api.get(history(context, "/1/inferences"), {"currentPage": 2}))[1]
    assert found["inferenceCollection"][0]["recordCollection"]["score"][0] == 2000.0


def test_short_pages_of_many_devices_are_read_together(
    api: Api, context: Context, django_assert_max_num_queries: Any
) -> None:
    for device in range(1, 151):
        write(context, device, 1)
    end(context, Status.SUCCEEDED)
    api.get(history(context, ""))
    # Two devices, 128 and the rest, beside what every request asks.
    with django_assert_max_num_queries(6):
        found = answer(api.get(history(context, "/1/inferences")))[1]
    assert [item["deviceId"] for item in found["inferenceCollection"]] == list(range(1, 151))


def test_an_execution_without_a_job_of_its_own_is_unthinkable(context: Context) -> None:
    from django.db import IntegrityError, transaction

    writer = PageWriter(10**9, 1)
    writer.add(1, np.array([AT]), {"score": np.array([1.0])})
    with pytest.raises(IntegrityError), transaction.atomic():
        writer.close()
        from django.db import connection

        connection.check_constraints()
