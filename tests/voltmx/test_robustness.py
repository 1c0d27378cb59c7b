"""Whatever is sent: an answer in the vendor's shape, never a page of HTML, never a status of 500."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import requests
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler import job_types, jobs
from scheduler.models import Job, Status
from tests.processes import Processes
from tests.voltmx.certificate import self_signed
from tests.voltmx.wire import PASSWORD, SAMPLE, Run, Wire, failure, sample
from voltmx.arguments import read
from voltmx.demo.foundry import Foundry
from voltmx.demo.server import FoundryServer

JOBS = "/admin/api/jobs/job"
ROUGH = settings(max_examples=100)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
)
MEMBERS = st.sampled_from([*SAMPLE, "emailNotifications"])
INFO_MEMBERS = st.sampled_from(
    [*SAMPLE["jobServiceInfo"], "queryParams", "successCriteria", "authentication", "unknown"]
)


def clear() -> None:
    """Delete all jobs."""
    for job in Job.objects.all():
        jobs.delete(job, by="test")


def holds(answer: Any) -> None:
    """An answer of the surface: success, or a failure in its envelope."""
    assert answer.status_code in (200, 400, 409, 413, 415)
    if answer.status_code == 200:
        assert answer.json()["status"] == "SUCCESS"
    else:
        failure(answer)


@ROUGH
@given(changes=st.dictionaries(MEMBERS, VALUES, max_size=3), info=st.dictionaries(INFO_MEMBERS, VALUES, max_size=3))
def test_no_job_that_is_created_or_changed_does_harm(wire: Wire, changes: dict[str, Any], info: dict[str, Any]) -> None:
    clear()
    body = sample(info=info)
    body.update(changes)
    holds(wire.send("POST", JOBS, body))
    if not Job.objects.filter(number=2).exists():
        clear()
        wire.create(sample())
    holds(wire.send("PUT", JOBS, {"jobId": 2, **{name: body[name] for name in changes}, "jobServiceInfo": info}))
    assert wire.get("/admin/api/jobs/job2")["jobId"] == 2
    assert [job["jobId"] for job in wire.get(JOBS)] == [2]


@ROUGH
@given(raw=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_no_bytes_do_harm(wire: Wire, method: str, raw: bytes) -> None:
    holds(wire.send(method, JOBS, raw))


@ROUGH
@given(raw=st.binary(max_size=100))
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json", "multipart/form-data", "x"])
def test_no_bytes_at_the_login_door_do_harm(stranger: Wire, kind: str, raw: bytes) -> None:
    answer = stranger.send("POST", "/authService/accounts/login", raw, content_type=kind)
    assert (answer.status_code in (400, 401, 415, 429), answer.json()["domain"]) == (True, "AUTH")


@ROUGH
@given(part=st.text(min_size=1, max_size=30).filter(lambda text: text.strip("./") == text))
@pytest.mark.parametrize("path", ["job{}", "job/{}", "history/{}", "history/1/{}", "job/run/{}", "{}"])
def test_no_address_does_harm(wire: Wire, path: str, part: str) -> None:
    from urllib.parse import quote

    answer = wire.send("DELETE", "/admin/api/jobs/" + path.format(quote(part.encode("utf-8", "replace"), safe="")))
    assert failure(answer)[0] in (404, 405)


@pytest.mark.parametrize(
    ("path", "member"), [(JOBS, "status"), ("/admin/api/jobs", "status"), ("/authService/accounts/login", "domain")]
)
def test_a_wrong_host_is_refused_in_the_vendors_shape(db: None, path: str, member: str) -> None:
    answer = Client().get(path, headers={"Host": "evil.example"})
    assert (answer.status_code, answer["Content-Type"], member in answer.json()) == (400, "application/json", True)


def test_a_crash_is_told_without_its_trace(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any, **_options: Any) -> None:
        raise RuntimeError("marked detail")

    monkeypatch.setattr(jobs, "create", broken)
    answer = wire.send("POST", JOBS, SAMPLE)
    assert failure(answer) == (500, None)
    assert "marked" not in answer.content.decode()


class _Broken:
    """A request body that ends in the middle, or in a chunk without a size: the server raises OSError for both."""

    def read(self, *_size: int) -> bytes:
        raise OSError("Invalid chunk size: b'zz'")

    readline = read


LOGIN = "/authService/accounts/login"


@pytest.mark.parametrize(
    ("path", "kind", "member"),
    [
        (JOBS, "application/json", "status"),
        (LOGIN, "application/json", "domain"),
        (LOGIN, "application/x-www-form-urlencoded", "domain"),
        (LOGIN, "multipart/form-data; boundary=b", "domain"),
    ],
)
@pytest.mark.parametrize(
    "way", [{"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}, {"CONTENT_LENGTH": "9"}]
)
def test_a_body_that_breaks_off_is_the_clients_fault(
    wire: Wire, way: dict[str, Any], path: str, kind: str, member: str
) -> None:
    environ = {"wsgi.input": _Broken(), **way}
    answer = Client().generic("POST", path, content_type=kind, headers=wire.headers, **environ)
    message = answer.json()["message"]
    assert (answer.status_code, member in answer.json(), message) == (400, True, "The body breaks off or is garbled")


@pytest.mark.live
def test_a_body_sent_in_chunks_is_read_within_the_limit(processes: Processes) -> None:
    User.objects.create_superuser("admin", "a@example.com", PASSWORD)
    _server, address = processes.web(VOLTMX_BODY_LIMIT_BYTES="2048")
    login = f"{address}/authService/accounts/login"
    # requests sends a generator in chunks, without a length.
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    pieces = [b"userid=admin", b"&password=", PASSWORD.replace(" ", "+").encode()]
    answer = requests.post(login, data=iter(pieces), headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["profile"]["userid"]) == (200, "admin")
    fields = requests.Request("POST", login, files={"userid": (None, "admin"), "password": (None, PASSWORD)}).prepare()
    assert isinstance(fields.body, bytes)
    parts = iter([fields.body[:30], fields.body[30:]])
    answer = requests.post(login, data=parts, headers={"Content-Type": fields.headers["Content-Type"]}, timeout=10)
    assert (answer.status_code, answer.json()["profile"]["userid"]) == (200, "admin")
    large = requests.post(login, data=iter([b"x" * 1000] * 3), headers=headers, timeout=10)
    assert (large.status_code, large.json()["domain"]) == (413, "AUTH")
    for garbled in (b"zz\r\nuserid=admin\r\n0\r\n\r\n", b"5\r\nuseri", b"3\r\nabcdef\r\n0\r\n\r\n"):
        status, body = in_raw_chunks(address, garbled)
        assert (status, body["message"]) == (400, "The body breaks off or is garbled")


def in_raw_chunks(address: str, sent: bytes) -> tuple[int, Any]:
    """Status and body of the answer to a login whose body is ``sent`` as it is, said to be in chunks."""
    host, _, port = address.removeprefix("http://").partition(":")
    head = (
        f"POST {LOGIN} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode() + sent)
        connection.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, json.loads(answer.read())


# -- TLS -------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_certificate_that_nobody_vouches_for_is_not_accepted(tmp_path: Path, settings: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path, "127.0.0.1"))
    with FoundryServer(Foundry(faults=True), tls=context) as server:
        settings.VOLTMX_SERVER_URL = server.url
        outcome = job_types.get("voltmx").run(read({"jobServiceInfo": SAMPLE["jobServiceInfo"]}).stored(), Run())
    assert (outcome.status, outcome.retryable, server.foundry.seen) == (Status.FAILED, False, [])
    assert "the certificate or TLS of 127.0.0.1" in outcome.messages[0]


def test_every_answer_of_the_login_door_stays_out_of_caches(user: User, stranger: Wire) -> None:
    for password in (PASSWORD, "wrong"):
        answer = stranger.form("/authService/accounts/login", userid="admin", password=password)
        assert answer["Cache-Control"] == "no-store"
