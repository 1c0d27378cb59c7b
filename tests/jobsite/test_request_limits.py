"""Every limit of a request, at every door: the status, and the sentence in the door's own form."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from redis import Redis

from accounts import rates
from zementis.errors import INFO

JOBS, LOGIN = "/admin/api/jobs/job", "/authService/accounts/login"
JOB, MODEL, APPLY = "/service/zementis/job", "/service/zementis/onnx/model", "/service/zementis/apply/x"
OBJECTS, MEASUREMENTS = "/inventory/managedObjects", "/measurement/measurements"
PREVIEW, CONSOLE = "/api/schedule/preview", "/admin/login/"
JSON_DOORS = (JOBS, LOGIN, JOB, OBJECTS, MEASUREMENTS)
DOORS = (*JSON_DOORS, MODEL, PREVIEW, CONSOLE)
CODES = {400: "badRequest", 408: "requestTimeout", 413: "payloadTooLarge", 415: "unsupportedMediaType",
         429: "tooManyRequests", 431: "headersTooLarge"}  # fmt: skip
AUTH = {400: -2, 408: -2, 413: -2, 415: -2, 429: -5, 431: -2}


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_superuser("ada", "ada@example.com", "pw of ada")


@pytest.fixture
def client(user: User) -> Client:
    """A client whom every door knows."""
    from voltmx import tokens

    known = Client(raise_request_exception=False, headers={"Authorization": "Basic YWRhOnB3IG9mIGFkYQ=="})
    known.defaults["HTTP_X_VOLTMX_AUTHORIZATION"] = tokens.open_session(user).claims
    return known


@pytest.fixture
def counted(broker: Redis) -> Iterator[Redis]:
    """Redis with no request counted, which is told of them again where it was left alone."""
    rates._script.cache_clear()
    rates._paused_until = 0.0
    yield broker
    rates._script.cache_clear()
    rates._paused_until = 0.0


def told(path: str, status: int, sentence: str, *, room: str = "") -> Any:
    """The body with which the door refuses."""
    if path.startswith("/admin/api/"):
        return {"status": "FAIL", "result": None, "message": sentence, "token": None}
    if path.startswith("/authService/"):
        return {"domain": "AUTH", "code": AUTH[status], "mfcode": f"Auth{AUTH[status]}", "message": sentence}
    if path.startswith("/service/"):
        return {"errors": [f"{sentence}."]}
    if path.startswith("/api/"):
        return {"errors": [sentence]}
    if path.startswith("/admin/"):
        return f"<!doctype html><title>{status}</title><p>{sentence.replace(chr(39), '&#x27;')}.</p>\n"
    return {"error": f"{room or path.split('/')[1]}/{CODES[status]}", "message": f"{sentence}.", "info": INFO}


def given(answer: Any) -> tuple[int, Any]:
    """Status and body of an answer; of the login door's what does not differ from answer to answer."""
    if not answer["Content-Type"].startswith("application/json"):
        return answer.status_code, answer.content.decode()
    body = answer.json()
    if "requestid" in body:
        del body["requestid"], body["httpstatus"]
        assert body.pop("details")["message"] == body["message"]
    return answer.status_code, body


def send(client: Client, path: str, body: bytes, *, kind: str = "application/json", **environ: Any) -> Any:
    return client.generic("GET" if path == PREVIEW else "POST", path, body, content_type=kind, **environ)


# -- JSON ------------------------------------------------------------------------------------------------------------

DEEP = "the JSON is nested more than 16 levels deep"
MANY = "the JSON has more than 20 elements"
LONG = "a number has more than 64 digits"


@pytest.mark.parametrize("path", JSON_DOORS)
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"a":' * 17 + b"1" + b"}" * 17, DEEP),
        (b"[" * 100_000, MANY),
        (b'{"a":[' + b"1," * 20 + b"1]}", MANY),
        (b'{"a":' + b"9" * 65 + b"}", LONG),
        (b'{"a":1.' + b"9" * 65 + b"}", LONG),
        (b"{", "malformed JSON at line 1, column 2"),
        (b"\xff", "the text is not UTF-8"),
    ],
    ids=["deep", "open", "many", "long", "precise", "malformed", "bytes"],
)
def test_json_beyond_the_limits_is_refused(client: Client, settings: Any, path: str, body: bytes, problem: str) -> None:
    settings.JSON_DEPTH_LIMIT, settings.JSON_ELEMENTS_LIMIT, settings.JSON_NUMBER_LIMIT = 16, 20, 64
    sentence = f"The body cannot be read: {problem}"
    if path not in (JOBS, LOGIN):
        sentence = f"The request body cannot be read: {problem}"
    assert given(send(client, path, body)) == (400, told(path, 400, sentence))


def test_a_record_in_an_address_is_json_like_any_other(client: Client, settings: Any) -> None:
    from tests.zementis.factories import COMFORT, a_model

    a_model(COMFORT)
    settings.JSON_DEPTH_LIMIT = 16
    answer = client.get("/service/zementis/apply/Comfort", {"record": '{"a":' * 17 + "1" + "}" * 17})
    assert given(answer) == (400, {"errors": ["Failed to parse input at record 1."]})


# -- Bodies ----------------------------------------------------------------------------------------------------------

BOMB = gzip.compress(b" " * 3_000_000)
LIMITED = (*JSON_DOORS, MODEL)


def too_large(path: str) -> str:
    return "The body is too large" if path in (JOBS, LOGIN) else "The request body is larger than 4 KB"


@pytest.fixture
def small(settings: Any) -> None:
    settings.UPLOAD_LIMIT_BYTES = settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 4096
    settings.VOLTMX_BODY_LIMIT_BYTES = settings.ZEMENTIS_BODY_LIMIT_BYTES = settings.ZEMENTIS_BATCH_LIMIT_BYTES = 4096


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("path", LIMITED)
@pytest.mark.parametrize(
    ("body", "environ"),
    [
        (b" " * 4097, {}),
        (b" " * 4097, {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}),
        (BOMB, {"HTTP_CONTENT_ENCODING": "gzip"}),
        (zlib.compress(b" " * 3_000_000), {"HTTP_CONTENT_ENCODING": "deflate"}),
        (gzip.compress(b" " * 4000) * 2, {"HTTP_CONTENT_ENCODING": "x-gzip"}),
    ],
    ids=["length", "chunks", "gzip", "deflate", "two gzips"],
)
def test_a_body_beyond_the_limit_is_refused(client: Client, path: str, body: bytes, environ: dict[str, Any]) -> None:
    if "wsgi.input_terminated" in environ:
        environ = {**environ, "wsgi.input": io.BytesIO(body)}
    assert given(send(client, path, body, **environ)) == (413, told(path, 413, too_large(path)))


def unpacked_fault(path: str) -> str:
    return "The body breaks off or is garbled" if path in (JOBS, LOGIN) else "The request body could not be read"


BROKEN = (
    (gzip.compress(b"{}" * 500)[:-9], "gzip"),
    (b"no gzip", "gzip"),
    (b"no zlib", "deflate"),
    (zlib.compress(b"{}") + b"more", "deflate"),
    # Each costs a copy of all that follow it.
    (gzip.compress(b"") * 100, "gzip"),
)


@pytest.mark.parametrize("path", LIMITED)
def test_a_body_that_cannot_be_unpacked_is_refused(client: Client, path: str) -> None:
    found = [given(send(client, path, body, HTTP_CONTENT_ENCODING=coding)) for body, coding in BROKEN]
    assert found == [(400, told(path, 400, unpacked_fault(path)))] * len(BROKEN)


@pytest.mark.parametrize("path", [*LIMITED, CONSOLE])
def test_a_packing_that_nobody_unpacks_is_refused(client: Client, path: str) -> None:
    sentence = "The Content-Encoding is not one of gzip, deflate"
    if path == CONSOLE:
        sentence = "Forms are read as they are, without a Content-Encoding"
    for coding in ("br", "gzip, gzip", "zstd"):
        assert given(send(client, path, b"{}", HTTP_CONTENT_ENCODING=coding)) == (415, told(path, 415, sentence))


RAW = zlib.compressobj(wbits=-15)
PUMP = b'{"name": "pump"}'


@pytest.mark.parametrize(
    ("body", "coding"),
    [(gzip.compress(PUMP), "gzip"), (zlib.compress(PUMP), "deflate"), (RAW.compress(PUMP) + RAW.flush(), "deflate"),
     (gzip.compress(PUMP[:5]) + gzip.compress(PUMP[5:]), "GZIP"), (PUMP, "identity")],
    ids=["gzip", "zlib", "bare", "two gzips", "plain"],
)  # fmt: skip
def test_a_packed_body_counts_as_what_is_in_it(client: Client, body: bytes, coding: str) -> None:
    answer = send(client, OBJECTS, body, HTTP_CONTENT_ENCODING=coding, HTTP_ACCEPT="application/json")
    assert (answer.status_code, answer.json()["name"]) == (201, "pump")


class _Late:
    """A body whose rest did not come in time, as the server says."""

    def read(self, *_size: int) -> bytes:
        raise TimeoutError("the client did not send its request in time")

    readline = read


FORM = "multipart/form-data; boundary=b"
CHUNKED: dict[str, Any] = {
    "HTTP_TRANSFER_ENCODING": "chunked",
    "wsgi.input_terminated": True,
    "CONTENT_LENGTH": "",
}


@pytest.mark.parametrize(
    ("path", "kind"), [*((path, "application/json") for path in LIMITED), (MODEL, FORM), (LOGIN, FORM)]
)
def test_a_body_that_does_not_come_in_time_is_refused(client: Client, path: str, kind: str) -> None:
    sentence = "The body did not come in time" if path in (JOBS, LOGIN) else "The request body did not come in time"
    for way in ({"CONTENT_LENGTH": "900"}, CHUNKED):
        found = given(send(client, path, b"{}", kind=kind, **way, **{"wsgi.input": _Late()}))
        assert found == (408, told(path, 408, sentence))


def form(*names: str, file: bool = False) -> bytes:
    parts = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"{"; filename=f" if file else ""}\r\n\r\n1\r\n'
        for name in names
    )
    return f"{parts}--b--\r\n".encode()


@pytest.mark.parametrize("path", [LOGIN, MODEL])
@pytest.mark.parametrize("file", [False, True])
def test_a_form_of_too_many_parts_is_refused(client: Client, settings: Any, path: str, file: bool) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = settings.DATA_UPLOAD_MAX_NUMBER_FILES = 3
    found = send(client, path, form("a", "b", "c", "d", file=file), kind=FORM)
    assert given(found) == (400, told(path, 400, "The form has too many fields or files"))


def test_a_login_of_too_many_fields_is_refused(client: Client, settings: Any) -> None:
    settings.FORM_FIELDS_LIMIT = 3
    found = send(client, LOGIN, b"a=1&b=2&c=3&d=4", kind="application/x-www-form-urlencoded")
    sentence = "The body cannot be read: the form is not UTF-8, or has too many fields"
    assert given(found) == (400, told(LOGIN, 400, sentence))


def test_the_console_reads_no_form_beyond_the_limits(client: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
    many = send(client, CONSOLE, b"a=1&b=2&c=3&d=4", kind="application/x-www-form-urlencoded")
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 4096
    large = send(client, CONSOLE, b"", CONTENT_LENGTH=str(4096 + (1 << 20) + 1))
    assert many.status_code == 400
    assert given(large) == (413, told(CONSOLE, 413, "The body has more than 4096 bytes"))


# -- Heads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOORS)
def test_a_head_beyond_the_limits_is_refused(client: Client, settings: Any, path: str) -> None:
    many = {f"HTTP_X_{number}": "1" for number in range(101)}
    long = {"HTTP_X_LONG": "x" * 32768}
    sentences = (
        (many, "The request has more than 100 header fields"),
        (long, "The request's header fields have more than 32768 bytes"),
    )
    for environ, sentence in sentences:
        assert given(send(client, path, b"{}", **environ)) == (431, told(path, 431, sentence, room="general"))


# -- Rates -----------------------------------------------------------------------------------------------------------

WAIT = "Too many requests. Try again in 60 seconds"


def again(answer: Any) -> Any:
    """The answer, once it is known how long to wait: a second or two may have passed."""
    assert 50 <= int(answer["Retry-After"]) <= 60
    answer.content = answer.content.replace(f" {answer['Retry-After']} ".encode(), b" 60 ")
    return answer


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("path", DOORS)
def test_an_address_that_asks_too_often_has_to_wait(client: Client, settings: Any, path: str) -> None:
    settings.RATE_LIMIT_PER_ADDRESS = (2, 60)
    assert 429 not in [send(client, path, b"{}").status_code for _ in range(2)]
    refused = again(send(client, path, b"{}"))
    body = json.loads(refused.content) if "json" in refused["Content-Type"] else refused.content.decode()
    if path == LOGIN:
        body = {name: body[name] for name in ("domain", "code", "mfcode", "message")}
    assert (refused.status_code, body) == (429, told(path, 429, WAIT, room="general"))
    assert send(client, path, b"{}", REMOTE_ADDR="10.1.1.1").status_code != 429


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("path", [JOBS, JOB, OBJECTS, PREVIEW, "/admin/"])
def test_a_user_who_asks_too_often_has_to_wait(client: Client, settings: Any, user: User, path: str) -> None:
    settings.RATE_LIMIT_PER_USER = (2, 60)
    if path == "/admin/":
        client.force_login(user)
    answers = [send(client, path, b"{}", REMOTE_ADDR=f"10.1.1.{number}") for number in range(3)]
    assert [answer.status_code == 429 for answer in answers] == [False, False, True]
    refused = again(answers[-1])
    body = json.loads(refused.content) if "json" in refused["Content-Type"] else refused.content.decode()
    expected = told(path, 429, WAIT)
    if path == PREVIEW:
        expected = {"errors": ["Request was throttled. Expected available in 60 seconds."]}
    assert body == expected


@pytest.mark.usefixtures("counted")
def test_users_are_counted_wherever_they_ask_and_each_for_themselves(client: Client, settings: Any, user: User) -> None:
    settings.RATE_LIMIT_PER_USER = (2, 60)
    other = User.objects.create_superuser("bob", "bob@example.com", "pw")
    paths = (JOBS, "/service/zementis/jobs", "/user/currentUser")
    assert [client.get(path).status_code for path in paths] == [200, 200, 429]
    assert [bool(rates.of_user(found)) for found in (user, other)] == [True, False]


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [("10.0.0.1", "10.0.0.2", False), ("2001:db8::1", "2001:db8::ffff:1", True),
     ("2001:db8::1", "2001:db8:0:1::1", False), ("::ffff:10.0.0.1", "10.0.0.1", True), ("unix", "unix", True)],
)  # fmt: skip
@pytest.mark.usefixtures("counted")
def test_an_address_is_what_one_client_has(settings: Any, one: str, other: str, together: bool) -> None:
    settings.RATE_LIMIT_PER_ADDRESS = (1, 60)
    assert (rates.of_address(one), rates.of_address(other) > 0) == (0, together)


def test_a_window_ends(settings: Any, counted: Redis) -> None:
    settings.RATE_LIMIT_PER_ADDRESS = (1, 60)
    assert [rates.of_address("10.0.0.1") > 0 for _ in range(3)] == [False, True, True]
    [key] = counted.keys("jobsite:requests:*")
    assert 0 < counted.pttl(key) <= 60_000
    counted.persist(key)
    assert (rates.of_address("10.0.0.1"), counted.pttl(key) > 0) == (60, True)
    counted.delete(key)
    assert rates.of_address("10.0.0.1") == 0


@pytest.mark.usefixtures("counted")
def test_no_limit_counts_nothing(settings: Any, counted: Redis) -> None:
    settings.RATE_LIMIT_PER_ADDRESS = (0, 1)
    assert (rates.of_address("10.0.0.1"), counted.keys("*")) == (0, [])


@pytest.mark.usefixtures("counted")
def test_requests_are_answered_while_redis_is_away(
    client: Client, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.RATE_LIMIT_PER_ADDRESS = settings.RATE_LIMIT_PER_USER = (1, 60)
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    assert [client.get(JOBS).status_code for _ in range(3)] == [200, 200, 200]
    assert len([record for record in caplog.records if record.message.startswith("requests.uncounted")]) == 1
