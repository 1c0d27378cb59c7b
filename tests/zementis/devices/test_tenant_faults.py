"""A tenant that stumbles is asked again; one that falls fails the run and says so."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from scheduler import job_types
from scheduler.models import Status
from tests.http_server import PatientServer
from tests.zementis.factories import a_context, a_device, a_job, a_model
from zementis.arguments import SeriesName
from zementis.devices import DataSourceError, Target
from zementis.devices.cumulocity import CumulocitySource
from zementis.devices.source import CUMULOCITY

DEVICE = {"id": "5", "c8y_IsDevice": {}}


class Tenant:
    """A server that gives prepared answers in turn, the last one for ever; None keeps silent."""

    def __init__(self, *answers: tuple[Any, ...] | None) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        self.released = threading.Event()
        tenant = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                tenant.asked.append(self.path)
                answer = tenant.answers.pop(0) if len(tenant.answers) > 1 else tenant.answers[0]
                if answer is None:
                    tenant.released.wait(20)
                    return
                body = answer[1] if isinstance(answer[1], bytes) else json.dumps(answer[1]).encode()
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(body)))
                for name, value in tenant.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body if len(answer) == 2 else body[: len(body) // 2])

            def log_message(self, format: str, *args: Any) -> None:
                """Keep quiet."""

        self._server = PatientServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def source(self, *, retries: int = 2, seconds: float = 5.0) -> CumulocitySource:
        return CumulocitySource(self.url, tenant="t", user="u", password="p", seconds=seconds, retries=retries)

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def tenants() -> Iterator[Any]:
    started: list[Tenant] = []

    def start(*answers: tuple[Any, ...] | None) -> Tenant:
        started.append(Tenant(*answers))
        return started[-1]

    yield start
    for tenant in started:
        tenant.close()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_passing_fault_is_asked_again(tenants: Any, status: int) -> None:
    tenant = tenants((status, {}), (status, {}), (200, DEVICE))
    assert tenant.source().target(5) == Target(5, False, (5,))
    assert len(tenant.asked) == 3


def test_a_tenant_that_asks_for_a_day_is_asked_again_after_a_time_out(tenants: Any) -> None:
    tenant = tenants((503, {}), (200, DEVICE))
    tenant.headers["Retry-After"] = "86400"
    assert tenant.source(seconds=0.5).target(5) == Target(5, False, (5,))


def test_an_answer_that_breaks_off_is_asked_again(tenants: Any) -> None:
    tenant = tenants((200, DEVICE, "broken off"), (200, DEVICE))
    assert tenant.source().target(5) == Target(5, False, (5,))
    assert len(tenant.asked) == 2


def test_answers_that_always_break_off_are_given_up(tenants: Any) -> None:
    tenant = tenants((200, DEVICE, "broken off"))
    with pytest.raises(DataSourceError) as told:
        tenant.source(retries=1).target(5)
    assert (str(told.value), told.value.retryable, len(tenant.asked)) == ("The tenant could not be reached.", True, 2)


@pytest.mark.parametrize(
    ("answer", "retryable"),
    [((503, {}), True), ((500, {}), True), ((200, b"nonsense"), False), ((400, {}), False), ((403, {}), False)],
)
def test_a_lasting_fault_is_told(tenants: Any, answer: tuple[int, Any], retryable: bool) -> None:
    with pytest.raises(DataSourceError) as told:
        tenants(answer).source(retries=1).target(5)
    assert told.value.retryable is retryable


def test_a_tenant_that_keeps_silent_is_given_up(tenants: Any) -> None:
    with pytest.raises(DataSourceError) as told:
        tenants(None).source(retries=0, seconds=0.2).target(5)
    assert (str(told.value), told.value.retryable) == ("The tenant could not be reached.", True)


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"measurements": 5},
        {"measurements": [{"time": "x"}]},
        [],
        {"measurements": [5]},
        {"measurements": [{"time": "2026-05-01T12:30:00Z", "a": {"b": {"value": 10**400}}}]},
    ],
)
def test_an_answer_of_another_shape_is_told(tenants: Any, page: Any) -> None:
    from tests.zementis.devices.test_sources import HOUR

    source = tenants((200, page)).source()
    with pytest.raises(DataSourceError):
        list(source.measurements([5], series=[SeriesName("a", "b")], window=HOUR, limit=10))


@pytest.mark.django_db
def test_a_run_fails_with_the_tenants_fault_and_may_be_tried_again(tenants: Any, settings: Any) -> None:
    a_model()
    job = a_job(a_device().pk)
    settings.ZEMENTIS_DATA_SOURCE = CUMULOCITY
    settings.C8Y_BASEURL, settings.C8Y_RETRIES = tenants((503, {})).url, 0
    settings.C8Y_TENANT, settings.C8Y_USER, settings.C8Y_PASSWORD = "t", "u", "p"
    outcome = job_types.get("zementis").run(job.arguments, a_context(job))
    assert (outcome.status, outcome.messages, outcome.retryable) == (
        Status.FAILED,
        ("The tenant failed to answer.",),
        True,
    )


class _Packed(BaseHTTPRequestHandler):
    """Answers a device in a bomb of gzip, or in drips without an end."""

    drips = False
    released = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        if not self.drips:
            bomb = gzip.compress(b" " * 3_000_000 + json.dumps(DEVICE).encode())
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(bomb)))
            self.end_headers()
            self.wfile.write(bomb)
            return
        self.end_headers()
        with suppress(OSError):
            while not self.released.wait(0.02):
                self.wfile.write(b" ")

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@pytest.mark.parametrize(
    ("drips", "sentence", "retryable"),
    [
        (False, "The tenant gave an answer of more than 100000 bytes.", False),
        (True, "The tenant gave an answer that takes longer than 0.3 s.", True),
    ],
)
def test_an_answer_has_an_end(settings: Any, drips: bool, sentence: str, retryable: bool) -> None:
    settings.C8Y_RESPONSE_LIMIT_BYTES, settings.C8Y_RESPONSE_SECONDS = 100_000, 0.3 if drips else 60
    released = threading.Event()
    handler = type("Handler", (_Packed,), {"drips": drips, "released": released})
    with PatientServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        source = CumulocitySource(
            f"http://127.0.0.1:{server.server_port}", tenant="t", user="u", password="p", retries=0
        )
        with pytest.raises(DataSourceError) as told:
            source.target(5)
        released.set()
        server.shutdown()
    assert (str(told.value), told.value.retryable) == (sentence, retryable)
