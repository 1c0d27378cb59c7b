"""Bodies that come in chunks are read as those with a length are; what breaks off or makes no sense is refused."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User

from tests.processes import Processes
from tests.zementis.conftest import Api, answer, basic
from tests.zementis.factories import COMFORT, a_device, a_model
from zementis.errors import INFO
from zementis.models import ManagedObject, Measurement, ScoringModel

JOB = "/service/zementis/job"
MODEL = "/service/zementis/onnx/model"
APPLY = "/service/zementis/apply/Comfort"
OBJECTS = "/inventory/managedObjects"
MEASUREMENTS = "/measurement/measurements"
UNREADABLE = "The request body could not be read."
FORM = "multipart/form-data; boundary=b"


def refusal(path: str, message: str, *, code: str = "badRequest") -> dict[str, Any]:
    """The refusal in the form of the path's surface."""
    if path.startswith("/service/"):
        return {"errors": [message]}
    return {"error": f"{path.split('/')[1]}/{code}", "message": message, "info": INFO}


class _Broken:
    """A body in the server's hands that ends in the middle."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, *_size: int) -> bytes:
        raise self._error

    readline = read


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OSError("no more data"), ValueError("Invalid chunk size: b'zz'")], ids=repr)
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (JOB, "application/json"),
        (MODEL, "application/octet-stream"),
        (MODEL, FORM),
        (APPLY, "text/csv"),
        (APPLY, FORM),
        (OBJECTS, "application/json"),
        (MEASUREMENTS, "application/json"),
    ],
)
def test_chunks_that_make_no_sense_are_the_clients_fault(api: Api, path: str, kind: str, error: Exception) -> None:
    a_model(COMFORT)
    way: dict[str, Any] = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    found = answer(api.post(path, b"{}", content_type=kind, **way, **{"wsgi.input": _Broken(error)}))
    assert found == (400, refusal(path, UNREADABLE))


@pytest.mark.django_db
def test_a_form_that_breaks_off_is_the_clients_fault(api: Api) -> None:
    way: dict[str, Any] = {"wsgi.input": _Broken(OSError("no more data")), "CONTENT_LENGTH": "900"}
    assert answer(api.post(MODEL, b"{}", content_type=FORM, **way)) == (400, refusal(MODEL, UNREADABLE))


@pytest.mark.django_db
@pytest.mark.parametrize("path", [JOB, MEASUREMENTS])
def test_chunks_without_an_end_are_not_waited_for(api: Api, path: str) -> None:
    code, found = answer(api.post(path, b"{}", HTTP_TRANSFER_ENCODING="chunked"))
    message = "This server takes no request body in chunks; send it with a Content-Length."
    assert (code, found) == (400, refusal(path, message))


USER, PASSWORD = "agent", "agent secret"


@pytest.mark.live
@pytest.mark.django_db(transaction=True)
def test_chunks_are_read_within_the_limits_on_every_path(processes: Processes) -> None:
    # The server in its own process knows the hashes of real life only.
    hashed = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1000)
    User.objects.create(username=USER, password=hashed, is_superuser=True)
    device = a_device().pk
    address = processes.web()[1]

    def posted(path: str, body: bytes, kind: str = "application/json") -> tuple[int, Any]:
        # requests sends a generator in chunks, without a length.
        pieces: Iterator[bytes] = (body[at : at + 65_536] for at in range(0, len(body), 65_536))
        headers = {"Content-Type": kind, "Accept": "application/json"}
        found = requests.post(address + path, data=pieces, headers=headers, auth=(USER, PASSWORD), timeout=30)
        return found.status_code, found.json()

    made = posted(OBJECTS, json.dumps({"name": "in chunks"}).encode())
    assert (made[0], ManagedObject.objects.filter(name="in chunks").count()) == (201, 1)
    sample = {
        "source": {"id": str(device)},
        "type": "t",
        "time": "2026-05-01T12:00:00Z",
        "c8y_X": {"x": {"value": 1}},
    }
    stored = posted(MEASUREMENTS, json.dumps({"measurements": [sample] * 1000}).encode())
    assert (stored[0], Measurement.objects.count()) == (201, 1000)
    assert posted(f"{MODEL}?file=Comfort.onnx", COMFORT.read_bytes(), "application/octet-stream")[0] == 201
    ScoringModel.objects.all().delete()
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="Comfort.onnx"\r\n\r\n%s\r\n--b--\r\n'
    assert posted(MODEL, form % COMFORT.read_bytes(), FORM)[0] == 201
    code, scored = posted(APPLY, b"temperature,humidity\n22,45\n", "text/csv")
    assert (code, scored["outputs"][0]["output_label"]) == (200, "comfortable")
    assert posted(JOB, b" " * (1024 * 1024 + 1)) == (413, refusal(JOB, "The request body is larger than 1 MB."))
    assert _raw(address, MEASUREMENTS, b"5\r\n{}   \r\nzz\r\n") == (400, refusal(MEASUREMENTS, UNREADABLE))
    assert _raw(address, JOB, b"5\r\n{}   ") == (400, refusal(JOB, UNREADABLE))


def _raw(address: str, path: str, chunks: bytes) -> tuple[int, Any]:
    """Send what no client library sends, hang up the sending half, and return the answer."""
    host, port = str(urlsplit(address).hostname), int(urlsplit(address).port or 0)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {basic(USER, PASSWORD)}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((host, port), timeout=30) as connection:
        connection.sendall(head.encode() + chunks)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as reader:
            status, _, body = reader.read().partition(b"\r\n\r\n")
    return int(status.split()[1]), json.loads(body)
