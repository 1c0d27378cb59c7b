"""A short fuzzing in the suite, on servers of its own; `make fuzz` is the long one. The judge sees what is wrong."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests import described
from tests.fuzz import hostile
from tests.fuzz.verdict import Contract
from tests.fuzz.wire import Answer, Sent

ROOT = Path(__file__).resolve().parents[2]
FAIL = b'{"status": "FAIL", "result": null, "message": "No", "token": null}'


@cache
def contract() -> Contract:
    return Contract(described.document(), patience=5)


def problems(
    sent: Sent, status: int, body: bytes = b"", *, kind: str = "application/json", seconds: float = 0
) -> list[str]:
    return list(contract().problems(sent, Answer(status, {"content-type": kind}, body, seconds)))


JOBS = Sent("GET", "/admin/api/jobs/job")


def test_what_is_described_is_taken() -> None:
    assert problems(JOBS, 200, b"[]") == []
    assert problems(JOBS, 401, FAIL) == []
    assert problems(Sent("HEAD", "/admin/api/jobs/job/"), 200) == []
    assert problems(Sent("POST", "/inventory/managedObjects"), 201) == []


@pytest.mark.parametrize(
    ("sent", "status", "body", "kind", "seconds", "told"),
    [
        (JOBS, 500, FAIL, "application/json", 0, "status 500"),
        (JOBS, 200, b"[]", "application/json", 6, "took 6.0 s"),
        (JOBS, 418, FAIL, "application/json", 0, "GET /admin/api/jobs/job: 418 is not described"),
        (JOBS, 200, b"[]", "text/html", 0, "GET /admin/api/jobs/job: text/html is not described for 200"),
        (JOBS, 200, b"", "application/json", 0, "GET /admin/api/jobs/job: an empty 200"),
        (JOBS, 200, b"[NaN]", "application/json", 0, "GET /admin/api/jobs/job 200: no JSON: NaN is no JSON"),
        (JOBS, 401, b"{}", "application/json", 0, 'GET /admin/api/jobs/job 401: : "status" is a required property'),
        (Sent("PATCH", "/admin/api/jobs/job"), 200, FAIL, "application/json", 0, "PATCH of what is not described: 200"),
        (Sent("GET", "/tenant/x"), 404, b"no", "text/html", 0, "below /tenant: 404 as text/html"),
        (
            Sent("POST", "/inventory/managedObjects", (("Accept", "application/json"),)),
            201,
            b"",
            "application/json",
            0,
            "POST /inventory/managedObjects: an empty 201",
        ),
    ],
)
def test_what_is_not_described_is_seen(
    sent: Sent, status: int, body: bytes, kind: str, seconds: float, told: str
) -> None:
    assert told in problems(sent, status, body, kind=kind, seconds=seconds)


def test_what_the_server_refuses_before_there_is_a_request_has_the_form_of_its_address() -> None:
    page = b"<html><body><h1><p>Bad Request</p></h1></body></html>"
    odd = Sent("G@T", "/admin/api/jobs/job", odd=True)
    long = Sent("GET", f"/admin/api/jobs/job?{'x' * 8190}")
    for sent, status in ((odd, 400), (long, 414)):
        assert (problems(sent, status, FAIL), len(problems(sent, status, page, kind="text/html"))) == ([], 1)
    assert problems(Sent("GET", "/admin/ x", odd=True), 400, page, kind="text/html") == []
    assert "status 501" in problems(odd, 501, FAIL)


def test_documents_are_written_as_nobody_should_write_them() -> None:
    document = {"a": [1, {"b": 2}], "c": 3}
    assert hostile.places(document) == [(), ("a",), ("a", 0), ("a", 1), ("a", 1, "b"), ("c",)]
    bent = [
        hostile.changed(document, ("a", 1, "b"), "set", hostile.Raw("NaN")),
        hostile.changed(document, ("c",), "double", "\ud800"),
        hostile.changed(document, ("a", 0), "drop", None),
        hostile.changed(document, (), "wrap", None),
    ]
    assert [hostile.written(each) for each in bent] == [
        '{"a":[1,{"b":NaN}],"c":3}',
        '{"a":[1,{"b":2}],"c":3,"c":"\\ud800"}',
        '{"a":[{"b":2}],"c":3}',
        '[{"a":[1,{"b":2}],"c":3}]',
    ]


@pytest.mark.live
def test_a_fuzzed_stack_answers_as_described_and_stays_unharmed() -> None:
    # How long an answer takes says something on a machine that does nothing else, which a suite's is not.
    options = ("--requests", "600", "--seed", "7", "--hands", "2", "--patience", "60")
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert (ended.returncode, ended.stdout.splitlines()[-1:]) == (0, ["no violation"]), ended.stdout + ended.stderr
