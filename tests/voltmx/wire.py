"""A client of the wire, sample bodies, and a run's context for calling the job type directly."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.test import Client

from scheduler.job_types import RunCancelled

PASSWORD = "correct horse battery"
SUCCESS = {"status": "SUCCESS", "result": None, "message": None, "token": None}

# The reference's "Create a Job" sample request.
SAMPLE: dict[str, Any] = {
    "jobId": 2,
    "jobName": "testjob1",
    "jobFrequency": "19 0 * * * ? *",
    "description": "Job for testjob2",
    "jobServiceInfo": {
        "version": "1.0",
        "serviceType": "intSer",
        "serviceName": "jsonservices",
        "objectName": "",
        "operationName": "metadatajson",
        "requestheaderMap": {},
        "serviceExecutionType": "SERVER_URL",
        "postData": "{}",
        "operationSecurityLevel": "public",
    },
    "jobStatus": "Active",
    "historyStrategy": "OFF",
    "retentionPeriod": "30",
    "jobFrequencyInfo": {"frequencyType": 1, "minuteValues": [0], "hourValues": [1]},
}


def sample(*, info: dict[str, Any] | None = None, without: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    """The sample with members changed (``info``: those of ``jobServiceInfo``) or left out."""
    body = copy.deepcopy(SAMPLE)
    body.update(changes)
    if info:
        body["jobServiceInfo"].update(info)
    for name in without:
        if name in body:
            del body[name]
        else:
            del body["jobServiceInfo"][name]
    return body


class Wire:
    """Sends requests as a client of the vendor's API would, with the token it was given."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.headers: dict[str, str] = {}

    def log_in(self, userid: str, password: str = PASSWORD) -> Wire:
        """Log in with form fields and use the claims token from now on."""
        answer = self.form("/authService/accounts/login", userid=userid, password=password)
        assert answer.status_code == 200, answer.content
        self.headers = {"X-VoltMX-Authorization": answer.json()["claims_token"]["value"]}
        return self

    def form(self, path: str, **fields: str) -> Any:
        """POST form fields."""
        return self.client.post(path, urlencode(fields), content_type="application/x-www-form-urlencoded")

    def send(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> Any:
        """Send a request; a body that is not bytes goes as JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.generic(method, path, data, content_type=content_type, headers=self.headers)

    def get(self, path: str) -> Any:
        """The JSON of a GET, whether streamed or not."""
        return content(self.send("GET", path))

    def create(self, body: dict[str, Any]) -> None:
        """Create a job, which must work."""
        answer = self.send("POST", "/admin/api/jobs/job", body)
        assert (answer.status_code, answer.json()) == (200, SUCCESS)


def content(answer: Any) -> Any:
    """The JSON of an answer, whether streamed or not."""
    raw = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return json.loads(raw)


def failure(answer: Any) -> tuple[int, Any]:
    """Status and details of an answer that must have the FAIL envelope's shape."""
    body = answer.json()
    assert list(body) == ["status", "result", "message", "token"]
    assert (body["status"], body["token"]) == ("FAIL", None)
    assert isinstance(body["message"], str) and 0 < len(body["message"]) <= 200
    return answer.status_code, body["result"]


class Run:
    """A run's context: one that is told to stop by calling ``cancel``."""

    execution_id, job_pk, job_number, job_name, number, attempt, token = 1, 0, 1, "job1", 1, 1, 1
    scheduled_for = started_at = datetime(2026, 11, 22, 9, 35, 41, tzinfo=UTC)

    def __init__(self, *, seconds: float = 30) -> None:
        self.seconds_left = seconds
        self.cancelled = False
        self._actions: list[Callable[[], None]] = []

    def check(self) -> None:
        if self.cancelled:
            raise RunCancelled("cancelled")

    def on_cancel(self, action: Callable[[], None]) -> None:
        self._actions.append(action)

    def progress(self, done: int, total: int) -> None:
        raise AssertionError("a service call has no progress to tell")

    def cancel(self) -> None:
        """Tell the run to stop."""
        self.cancelled = True
        for action in self._actions:
            action()
