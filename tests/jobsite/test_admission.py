"""What a worker takes from Redis, and what it refuses."""

from __future__ import annotations

import base64
import json
import pickle
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from celery.exceptions import Ignore, Reject, Retry
from django.conf import settings
from django.db import OperationalError, connection
from redis import Redis

from jobsite import admission, celery_app, signatures
from scheduler import messages, metrics, receipts, tasks
from scheduler.messages import Hint
from scheduler.models import Receipt
from tests.scheduler.threads import in_thread, together

Envelope = dict[str, Any]


@pytest.fixture(autouse=True)
def _uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics._local.take()
    monkeypatch.setattr(messages, "_paused_until", 0.0)


def counted() -> dict[str, float]:
    """How many messages were refused, by reason."""
    name = metrics.REFUSED.name
    return {
        label: series.value for (series_name, _, label), series in metrics._local.take().items() if series_name == name
    }


def hint(*ids: object, **headers: object) -> Envelope:
    """The message for these runs, as anybody can write it."""
    made: Envelope = json.loads(messages.encode([1], "services", 5, headers=json.dumps(headers)))
    return {**made, "body": packed([[list(ids)], {}, dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))])}


def packed(body: object) -> str:
    return base64.b64encode(json.dumps(body).encode()).decode()


def unpacked(message: str | None) -> tuple[Any, dict[str, Any]]:
    """Body and headers of what was admitted."""
    assert message is not None
    read = json.loads(message)
    return json.loads(base64.b64decode(read["body"])), read["headers"]


@pytest.fixture
def signed(broker: Redis) -> Envelope:
    """A message for another task than hints', published by Celery."""
    tasks.run_job.apply_async(args=(7,), headers={"tenant": "north"}, priority=4)
    [key] = broker.keys("services*")
    message: Any = broker.rpop(key)
    made: Envelope = json.loads(message)
    return made


def test_a_hint_is_made_anew_of_its_ids_and_the_job_s_own_headers() -> None:
    chain = [{"task": "scheduler.run_job", "args": [1], "kwargs": {}, "options": {}}]
    forged = hint(3, 4, tenant="north", is_eager=True, chain=chain, callbacks=chain, compression=None)
    forged["headers"] |= {"eta": "9999-01-01T00:00:00", "timelimit": [0.001, 0.001], "retries": 9, "id": "mine"}
    forged["properties"] |= {"reply_to": "somewhere", "delivery_tag": ["x"], "priority": "high"}
    body, headers = unpacked(admission.admit(json.dumps(forged), "services"))
    plain = json.loads(messages.encode([3, 4], "services", 0))["headers"]
    told = {name: value for name, value in headers.items() if name not in ("id", "root_id", "argsrepr")}
    assert body == [[[3, 4]], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    assert told == {
        "tenant": "north",
        **{name: value for name, value in plain.items() if name not in ("id", "root_id", "argsrepr")},
    }
    assert counted() == {}


def _without(name: str) -> Envelope:
    made = hint(1)
    del made[name]
    return made


_EMBED = {"callbacks": None, "errbacks": None, "chain": [{"task": "scheduler.run_job", "args": [1]}], "chord": None}
JUNK: dict[str, tuple[str, str | bytes | Callable[[], Envelope]]] = {
    "no JSON": ("form", b"\xff\xfe"),
    "JSON of another kind": ("form", "[1, 2]"),
    "nothing": ("form", b""),
    "deep JSON": ("form", "[" * 100_000),
    "a huge number": ("form", "1" * 10_000),
    "a large message": ("size", b" " * (settings.MESSAGE_LIMIT_BYTES + 1)),
    "no headers": ("form", lambda: _without("headers")),
    "no properties": ("form", lambda: _without("properties")),
    "no body": ("form", lambda: _without("body")),
    "headers of another kind": ("form", lambda: {**hint(1), "headers": []}),
    "a body of another kind": ("form", lambda: {**hint(1), "body": 7}),
    "a body that is no base64": ("form", lambda: {**hint(1), "body": "§"}),
    "a body that is no JSON": ("form", lambda: {**hint(1), "body": base64.b64encode(b"\x80").decode()}),
    "a body with too little in it": ("form", lambda: {**hint(1), "body": packed([])}),
    "a chain of tasks": ("form", lambda: {**hint(1), "body": packed([[[1]], {}, _EMBED])}),
    "arguments by name": ("form", lambda: {**hint(1), "body": packed([[[1]], {"ids": [2]}, {}])}),
    "ids of another kind": ("form", lambda: hint([1], "2")),
    "ids that are no keys": ("form", lambda: hint(True)),
    "ids out of range": ("form", lambda: hint(2**63)),
    "no ids": ("form", lambda: hint()),
    "too many ids": ("form", lambda: hint(*range(1, admission.MOST_RUNS + 2))),
    "a task of another kind": ("signature", lambda: {**hint(1), "headers": {"task": []}}),
    "a pickle": (
        "content",
        lambda: {
            **hint(1),
            "body": base64.b64encode(pickle.dumps([[[1]], {}, {}])).decode(),
            "content-type": "application/x-python-serialize",
            "content-encoding": "binary",
        },
    ),
    "YAML": ("content", lambda: {**hint(1), "content-type": "application/x-yaml"}),
    "a packed body": ("content", lambda: {**hint(1), "headers": {**hint(1)["headers"], "compression": "zlib"}}),
    "a body that is not encoded": (
        "content",
        lambda: {**hint(1), "properties": {**hint(1)["properties"], "body_encoding": None}},
    ),
}


@pytest.mark.parametrize("what", JUNK)
def test_what_is_no_message_of_ours_is_refused_and_counted(what: str) -> None:
    reason, made = JUNK[what]
    raw = made if isinstance(made, str | bytes) else json.dumps(made())
    assert (admission.admit(raw, "services"), counted()) == (None, {reason: 1.0})


def test_a_worker_s_channel_passes_over_junk_and_takes_what_is_behind_it(broker: Redis) -> None:
    for reason, made in JUNK.values():
        if reason != "size":
            broker.lpush("services", made if isinstance(made, str | bytes) else json.dumps(made()))
    messages.publish([Hint(7, "services", 0)])
    broker.hset("unacked", "junk", b"\xff")
    broker.zadd("unacked_index", {"junk": 1})
    broker.hset("unacked", "list", "[]")
    broker.zadd("unacked_index", {"list": 1})
    seen: list[Any] = []
    with celery_app.connection_for_read() as link:
        queue = celery_app.amqp.queues["services"]
        with celery_app.amqp.TaskConsumer(link, queues=[queue]) as consumer:
            consumer.callbacks = [lambda body, message: message.ack(), lambda body, message: seen.append(body)]
            channel = consumer.channel
            channel.qos.restore_visible(interval=1)
            give_up = time.monotonic() + 60
            while not seen and time.monotonic() < give_up:
                with suppress(TimeoutError):
                    link.drain_events(timeout=1)
    assert [body[0] for body in seen] == [[[7]]]
    assert (broker.hlen("unacked"), broker.zcard("unacked_index"), broker.llen("services")) == (0, 0, 0)
    assert counted()["form"] >= 10


def test_every_task_but_the_hint_needs_a_signature() -> None:
    names = [name for name in celery_app.tasks if name != messages.TASK]
    forged = []
    for name in [*names, "os.system"]:
        made = hint(1)
        made["headers"]["task"] = name
        forged.append(admission.admit(json.dumps(made), "services"))
    assert {"celery.chain", "celery.map", "celery.backend_cleanup", "scheduler.run_job"} <= set(names)
    assert (set(forged), counted()) == ({None}, {"signature": float(len(names) + 1)})


def test_what_celery_publishes_from_here_is_taken_with_what_was_said_of_it(signed: Envelope) -> None:
    body, headers = unpacked(admission.admit(json.dumps(signed), "services"))
    assert (body[0], headers) == ([7], signed["headers"])


CHANGES: dict[str, Callable[[Envelope], object]] = {
    "another task": lambda made: made["headers"].update(task="celery.chain"),
    "other arguments": lambda made: made.update(body=packed([[8], {}, {}])),
    "another instant": lambda made: made["headers"].update(eta="2020-01-01T00:00:00+00:00"),
    "a time limit": lambda made: made["headers"].update(timelimit=[1, 1]),
    "no signature": lambda made: made["headers"].pop(signatures.HEADER),
    "another nonce": lambda made: made["headers"].update(
        {signatures.HEADER: made["headers"][signatures.HEADER].replace(".", ".0", 1)}
    ),
    "a signature of another kind": lambda made: made["headers"].update({signatures.HEADER: [1]}),
    "nonsense": lambda made: made["headers"].update({signatures.HEADER: "a.b.ü"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_signed_message_that_was_changed_is_refused(signed: Envelope, change: str) -> None:
    CHANGES[change](signed)
    assert (admission.admit(json.dumps(signed), "services"), counted()) == (None, {"signature": 1.0})


def test_what_is_not_signed_does_not_reach_the_task(signed: Envelope) -> None:
    signed["headers"] |= {"is_eager": True, "chain": [{"task": "x"}], "redelivered": True}
    signed["properties"] |= {"reply_to": "somewhere", "delivery_tag": {}, "priority": []}
    admitted = admission.admit(json.dumps(signed), "services")
    _, headers = unpacked(admitted)
    properties = json.loads(admitted or "")["properties"]
    assert (set(headers) & {"is_eager", "chain"}, properties["reply_to"], properties["priority"]) == (set(), "", 0)


def test_an_old_signature_and_one_of_another_key_are_refused(signed: Envelope, settings: Any) -> None:
    raw, key = json.dumps(signed), settings.SECRET_KEY
    settings.SECRET_KEY = "another"
    assert admission.admit(raw, "services") is None
    settings.SECRET_KEY_FALLBACKS = [key]
    assert admission.admit(raw, "services") is not None


@pytest.mark.parametrize("days", [-8, 1])
def test_a_signature_is_good_for_a_week(signed: Envelope, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + days * 86400)
    signed["headers"][signatures.HEADER] = signatures.sign(signed["headers"], base64.b64decode(signed["body"]))
    monkeypatch.undo()
    assert admission.admit(json.dumps(signed), "services") is None


# -- Once --------------------------------------------------------------------------------------------------------------


@celery_app.task(name="tests.early", bind=True, acks_late=False)
def _early(task: Any, how: str) -> object:
    """Ends with what becomes of a copy of its message that is taken meanwhile."""
    header = task.request.get(signatures.HEADER)
    return in_thread(lambda: deliver(how, header, task=_early)).result()


@celery_app.task(name="tests.ends", bind=True)
def _ends(task: Any, how: str) -> str:
    if how == "fails":
        raise ZeroDivisionError
    if how == "dies":
        raise SystemExit
    if how == "goes back":
        raise Reject("later", requeue=True)
    return how


def deliver(how: str, header: str, *, task: Any = _ends) -> object:
    """Run the task as a worker does that has taken a message with this signature."""
    info = {"exchange": "", "routing_key": "services", "priority": 0}
    task.push_request(called_directly=False, args=[how], delivery_info=info, **{signatures.HEADER: header})
    try:
        return task(how)
    except BaseException as error:
        return type(error)
    finally:
        task.pop_request()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("how", "first", "again"),
    [
        ("works", "works", Ignore),
        ("fails", ZeroDivisionError, Ignore),
        ("dies", SystemExit, SystemExit),
        ("goes back", Reject, Reject),
    ],
)
def test_a_message_that_was_dealt_with_is_not_worked_on_again(how: str, first: object, again: object) -> None:
    header = signatures.sign({}, b"")
    assert [deliver(how, header), deliver(how, header)] == [first, again]
    assert counted() == ({"replay": 1.0} if again is Ignore else {})


@pytest.mark.django_db
def test_a_message_goes_back_to_its_queue_while_nobody_knows_whether_it_was_dealt_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from jobsite import once

    def away(*_: object, **__: object) -> bool:
        raise OperationalError

    monkeypatch.setattr(once, "_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(connection, "close", lambda: None)
    monkeypatch.setattr(receipts, "take", away)
    assert deliver("works", signatures.sign({}, b"")) is Reject


@pytest.mark.django_db(transaction=True)
def test_of_copies_of_an_acknowledged_message_that_are_taken_together_one_is_worked_on() -> None:
    header = signatures.sign({}, b"")
    assert (deliver("twice", header, task=_early), counted()) == (Ignore, {"replay": 1.0})
    header = signatures.sign({}, b"")
    results = together(*[partial(deliver, "twice", header, task=_early)] * 4)
    assert results == [Ignore] * 4
    # Each of the four, and the copy that the one of them which was taken saw meanwhile.
    assert counted() == {"replay": 4.0}


@pytest.mark.django_db
def test_an_acknowledged_message_is_sent_again_while_nobody_knows_whether_it_was_dealt_with(
    monkeypatch: pytest.MonkeyPatch, broker: Redis
) -> None:
    def away(*_: object, **__: object) -> bool:
        raise OperationalError

    monkeypatch.setattr(connection, "close", lambda: None)
    monkeypatch.setattr(receipts, "take", away)
    assert deliver("later", signatures.sign({}, b""), task=_early) is Retry
    sent: Any = broker.rpop("services")
    body, headers = unpacked(admission.admit(sent, "services"))
    assert (body[0], headers["task"], headers["retries"]) == (["later"], "tests.early", 1)


@pytest.mark.django_db
def test_called_in_python_a_task_is_a_function() -> None:
    assert (_ends("works"), _ends("works"), Receipt.objects.count()) == ("works", "works", 0)


@pytest.mark.django_db
def test_receipts_are_forgotten_when_their_messages_are_too_old() -> None:
    now = datetime.now(UTC)
    receipts.take("old", until=now - timedelta(seconds=1), again=True)
    receipts.take("new", until=now + timedelta(days=1), again=False)
    assert (receipts.purge(), [*Receipt.objects.values_list("nonce", flat=True)]) == (1, ["new"])
